"""A small Windows around the driver: what of it is where, the driver's start and its end."""

from bfe import Service
from facts import number, size
from image import Image
from kernel import Kernel
from kmdf import Kmdf
from machine import Machine, require
from processes import Processes
from traffic import Traffic
from wfp import FilterEngine

SERVICE = r"\REGISTRY\MACHINE\SYSTEM\ControlSet001\Services\flowtag"
PASSIVE = number("PASSIVE_LEVEL")
NT_ERROR = 0x80000000


class Host:
    def __init__(self, path, folded=False):
        self.path = path
        self.machine = Machine()
        self.kernel = Kernel(self.machine)
        self.processes = Processes(self.machine, self.kernel)
        self.kmdf = Kmdf(self.machine)
        self.service = Service(self.machine)
        self.engine = FilterEngine(self.machine, self.service, folded)
        self.traffic = Traffic(self.machine, self.engine)
        parts = self.kernel, self.processes, self.kmdf, self.service, self.engine
        exports = {name: function for part in parts for name, function in part.exports().items()}
        self.exports = {name: self.machine.stub(name, function) for name, function in exports.items()}
        self.registry_path = self.machine.keep_unicode_string(SERVICE)
        self.driver_object = 0

    def start(self):
        """Loads the image and runs its entry point; its status."""
        machine = self.machine
        machine.image = Image(machine, self.path)
        machine.image.bind(self._export)
        self.driver_object = machine.keep(bytes(size("DRIVER_OBJECT")))
        machine.set(self.driver_object, "DRIVER_OBJECT", "Size", size("DRIVER_OBJECT"))
        machine.set(self.driver_object, "DRIVER_OBJECT", "DriverStart", machine.image.start)
        machine.set(self.driver_object, "DRIVER_OBJECT", "DriverInit", machine.image.entry)
        status = machine.call(machine.image.entry, self.driver_object, self.registry_path, irql=PASSIVE) & 0xFFFFFFFF
        if status & NT_ERROR:
            self._unload()
        return status

    def stop(self):
        """Runs the unload routine, and looks at what the driver leaves behind."""
        unload = self.machine.get(self.driver_object, "DRIVER_OBJECT", "DriverUnload")
        require(unload, "the driver has no unload routine")
        self.machine.call(unload, self.driver_object, irql=PASSIVE)
        self._unload()

    def lines(self):
        return [line.rstrip("\n") for line in self.kernel.lines]

    def _unload(self):
        parts = self.kernel, self.processes, self.kmdf, self.service, self.engine
        left = [what for part in parts for what in part.left_behind()]
        require(not left, f"the driver leaves behind: {', '.join(left)}")
        self.machine.take_back()
        self.kernel.forget()
        self.machine.image.unmap()
        self.machine.image = None

    def _export(self, name):
        # What is not there can be imported, and is the end of the run when it is called.
        if name not in self.exports:
            self.exports[name] = self.machine.stub(name, None)
        return self.exports[name]
