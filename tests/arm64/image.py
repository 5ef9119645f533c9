"""The driver's image in memory, at another address than it was linked for, each section with its own protection."""

import pefile
from unicorn import UC_PROT_EXEC, UC_PROT_READ, UC_PROT_WRITE

from machine import PAGE, BugCheck, require

BASE = 0x7_1234_0000
MACHINE_ARM64 = pefile.MACHINE_TYPE["IMAGE_FILE_MACHINE_ARM64"]
PROTECTIONS = {
    "IMAGE_SCN_MEM_READ": UC_PROT_READ,
    "IMAGE_SCN_MEM_WRITE": UC_PROT_WRITE,
    "IMAGE_SCN_MEM_EXECUTE": UC_PROT_EXEC,
}


class Image:
    def __init__(self, machine, path):
        """Maps the image and binds its imports by `bind`."""
        pe = pefile.PE(path)
        require(pe.FILE_HEADER.Machine == MACHINE_ARM64, f"{path} is no image for ARM64")
        require(pe.OPTIONAL_HEADER.ImageBase != BASE, "an image must be relocated, or its relocations are not tried")
        self.imports = {
            entry.address - pe.OPTIONAL_HEADER.ImageBase: entry.name.decode()
            for module in pe.DIRECTORY_ENTRY_IMPORT
            for entry in module.imports
        }
        pe.relocate_image(BASE)
        data = pe.get_memory_mapped_image()
        self.start, self.end = BASE, BASE + pe.OPTIONAL_HEADER.SizeOfImage
        self.entry = BASE + pe.OPTIONAL_HEADER.AddressOfEntryPoint
        uc = machine.uc
        uc.mem_map(self.start, self.end - self.start, UC_PROT_READ | UC_PROT_WRITE)
        uc.mem_write(self.start, bytes(data[: self.end - self.start]))
        self._sections = pe.sections
        self._machine = machine

    def bind(self, stub_of):
        for offset, name in self.imports.items():
            self._machine.put(self.start + offset, stub_of(name))
        uc = self._machine.uc
        uc.mem_protect(self.start, self._sections[0].VirtualAddress, UC_PROT_READ)
        for section in self._sections:
            protection = sum(bit for name, bit in PROTECTIONS.items() if getattr(section, name))
            if protection & UC_PROT_WRITE and protection & UC_PROT_EXEC:
                raise BugCheck(f"{section.Name} can be written and executed")
            size = (section.Misc_VirtualSize + PAGE - 1) // PAGE * PAGE
            uc.mem_protect(self.start + section.VirtualAddress, size, protection)

    def unmap(self):
        self._machine.uc.mem_unmap(self.start, self.end - self.start)
