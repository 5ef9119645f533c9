"""Processes, and who is told of them: PsSetCreateProcessNotifyRoutineEx2 and what a driver asks of a process, after their pages
in Microsoft's driver reference; ZwQuerySystemInformation and ZwQueryInformationProcess after theirs in that of Win32. A guess: a
process without an image, as the System process is one, has no name to locate. All begin at the same time.
"""

from facts import number, offset_and_size, size
from machine import require

SUCCESS, INVALID_PARAMETER, NOT_FOUND = (number(f"STATUS_{name}") for name in ("SUCCESS", "INVALID_PARAMETER", "NOT_FOUND"))
INVALID_CID, LENGTH_MISMATCH = number("STATUS_INVALID_CID"), number("STATUS_INFO_LENGTH_MISMATCH")
PASSIVE, RUNNING = number("PASSIVE_LEVEL"), number("STATUS_PENDING")
# Opaque: nothing is mapped there.
FIRST, STEP = 0x6_0000_0000, 0x1000
HANDLE = 0xFFFF_FFFF_8000_0004
BOOT = 1 << 48
# 29 November 2026, 07:00:00 UTC.
CREATED = 134_404_092_000_000_000
SYSTEM = 4
# winternl.h, ntddk.h; Win32, "Process Security and Access Rights"; winnt.h.
PROCESS_LIST, BASIC, QUERY_LIMITED = 5, 0, 0x1000
TAG = int.from_bytes(b"SeIn", "little")


class Process:
    def __init__(self, number_, pid, parent, path):
        self.number, self.pid, self.parent, self.path = number_, pid, parent, path
        self.address = FIRST + number_ * STEP
        self.exit_status = RUNNING


class Processes:
    def __init__(self, machine, kernel):
        self.machine, self.kernel = machine, kernel
        self.made = 0
        self.all = {}  # by id
        self.routine = None
        self.references = 0
        self.handles = {}
        self._make(SYSTEM, 0, None)

    def exports(self):
        return {
            "ObOpenObjectByPointer": self.open,
            "ObfDereferenceObject": self.dereference,
            "PsGetProcessCreateTimeQuadPart": lambda process: self._at(process) and CREATED,
            "PsGetProcessExitStatus": lambda process: self._at(process).exit_status,
            "PsGetProcessStartKey": lambda process: BOOT | self._at(process).number,
            "PsLookupProcessByProcessId": self.look_up,
            "PsSetCreateProcessNotifyRoutineEx2": self.set_routine,
            "RtlDowncaseUnicodeString": self.downcase,
            "SeLocateProcessImageName": self.image_name,
            "ZwClose": self.close,
            "ZwQueryInformationProcess": self.query,
            "ZwQuerySystemInformation": self.list,
        }

    def left_behind(self):
        left = ["the process notify routine"] if self.routine else []
        left += [f"{self.references} references to processes"] if self.references else []
        return left + ([f"{len(self.handles)} handles of processes"] if self.handles else [])

    # What a script does

    def begin(self, pid, parent, path):
        require(pid not in self.all, f"process {pid} is there already")
        process = self._make(pid, parent, path)
        info = self.machine.lend(bytes(size("PS_CREATE_NOTIFY_INFO")))
        self.machine.set(info, "PS_CREATE_NOTIFY_INFO", "Size", size("PS_CREATE_NOTIFY_INFO"))
        self.machine.set(info, "PS_CREATE_NOTIFY_INFO", "ParentProcessId", parent)
        self._tell(process, info)
        self.machine.take_back()

    def exit(self, pid):
        require(pid in self.all, f"no process has the id {pid}")
        process = self.all[pid]
        process.exit_status = SUCCESS
        self._tell(process, 0)
        del self.all[pid]

    def _make(self, pid, parent, path):
        self.made += 1
        self.all[pid] = Process(self.made, pid, parent, path)
        return self.all[pid]

    def _tell(self, process, info):
        if self.routine:
            self.machine.call(self.routine, process.address, process.pid, info, irql=PASSIVE)

    # What the driver does

    def set_routine(self, kind, routine, remove):
        image = self.machine.image
        require(image.start <= routine < image.end, f"a process notify routine at {routine:#x}, outside of the image")
        if remove & 0xFF:
            if kind & 0xFFFFFFFF or self.routine != routine:
                return INVALID_PARAMETER
            self.routine = None
        else:
            if kind & 0xFFFFFFFF or self.routine:
                return INVALID_PARAMETER
            self.routine = routine
        return SUCCESS

    def look_up(self, pid, place):
        if pid not in self.all:
            return INVALID_CID
        self.references += 1
        self.machine.put(place, self.all[pid].address)
        return SUCCESS

    def dereference(self, process):
        self._at(process)
        require(self.references, "ObfDereferenceObject of what is not referenced")
        self.references -= 1

    def image_name(self, process, place):
        path = self._at(process).path
        if path is None:
            return NOT_FOUND
        text = path.encode("utf-16-le")
        header = size("UNICODE_STRING")
        block = self.kernel.allocate(number("POOL_FLAG_NON_PAGED"), header + len(text), TAG)
        for member, value in (("Length", len(text)), ("MaximumLength", len(text)), ("Buffer", block + header)):
            self.machine.set(block, "UNICODE_STRING", member, value)
        self.machine.write(block + header, text)
        self.machine.put(place, block)
        return SUCCESS

    def downcase(self, destination, source, allocate):
        require(not allocate & 0xFF, "RtlDowncaseUnicodeString with a buffer of its own is not modelled here")
        text = self.machine.unicode_string(source).lower().encode("utf-16-le")
        room = self.machine.get(destination, "UNICODE_STRING", "MaximumLength")
        require(len(text) <= room, "RtlDowncaseUnicodeString into too short a buffer")
        self.machine.write(self.machine.get(destination, "UNICODE_STRING", "Buffer"), text)
        self.machine.set(destination, "UNICODE_STRING", "Length", len(text))
        return SUCCESS

    def open(self, process, attributes, state, access, kind, mode, place):
        found = self._at(process)
        wanted = (number("OBJ_KERNEL_HANDLE"), 0, QUERY_LIMITED, 0, number("KernelMode"))
        given = (attributes & 0xFFFFFFFF, state, access & 0xFFFFFFFF, kind, mode & 0xFF)
        require(given == wanted, "ObOpenObjectByPointer with these arguments is not modelled here")
        require(not self.handles, "a second handle is not modelled here")
        self.handles[HANDLE] = found
        self.machine.put(place, HANDLE)
        return SUCCESS

    def close(self, handle):
        require(handle in self.handles, f"ZwClose of {handle:#x}, which is no handle")
        del self.handles[handle]
        return SUCCESS

    def query(self, handle, kind, place, length, needed):
        require(handle in self.handles, "ZwQueryInformationProcess of what is no handle")
        require(kind & 0xFFFFFFFF == BASIC and not needed, "ZwQueryInformationProcess like this is not modelled here")
        if length & 0xFFFFFFFF != size("PROCESS_BASIC_INFORMATION"):
            return LENGTH_MISMATCH
        process = self.handles[handle]
        self.machine.write(place, bytes(size("PROCESS_BASIC_INFORMATION")))
        members = {"ExitStatus": process.exit_status, "UniqueProcessId": process.pid}
        members["InheritedFromUniqueProcessId"] = process.parent
        for member, value in members.items():
            self.machine.set(place, "PROCESS_BASIC_INFORMATION", member, value)
        return SUCCESS

    def list(self, kind, place, length, needed):
        require(kind & 0xFFFFFFFF == PROCESS_LIST, f"ZwQuerySystemInformation of class {kind} is not modelled here")
        entry = size("SYSTEM_PROCESS_INFORMATION")
        ids = [0, *self.all]
        if needed:
            self.machine.put(needed, entry * len(ids), 4)
        if entry * len(ids) > length & 0xFFFFFFFF:
            return LENGTH_MISMATCH
        at, _ = offset_and_size("SYSTEM_PROCESS_INFORMATION", "UniqueProcessId")
        for index, pid in enumerate(ids):
            data = bytearray(b"\xA5" * entry)
            data[0:4] = (entry if index + 1 < len(ids) else 0).to_bytes(4, "little")
            data[at : at + 8] = pid.to_bytes(8, "little")
            self.machine.write(place + index * entry, data)
        return SUCCESS

    def _at(self, address):
        found = next((process for process in self.all.values() if process.address == address), None)
        require(found, f"{address:#x} is no process")
        return found
