"""An ARM64 processor (unicorn's) with the driver's image in its memory, and calls between the driver and Python.

An import is a stub of one instruction, `ret`; before that runs, the Python function of its name is called with the
registers as arguments, and its result put into X0. A function that calls the driver back in between is a generator: it
yields the address and the arguments, and gets what came back.

The processor is as unkind as AAPCS64 and Microsoft's "Overview of ARM64 ABI conventions" allow: after each import the
registers that a call may change hold garbage, as do the bits of a result beyond its type. After each call into the driver
those that it must keep are looked at: X19 to X28, the frame pointer, the stack pointer, D8 to D15, and X18, which in the
kernel points to the processor's KPCR.
"""

import inspect
import struct

from unicorn import UC_ARCH_ARM64, UC_HOOK_CODE, UC_MODE_ARM, UC_PROT_READ, UC_PROT_WRITE, Uc, UcError
from unicorn import arm64_const as arm64

import facts

PAGE = 0x1000
STUBS, STUBS_SIZE = 0x2_0000_0000, 0x10000
STACK_TOP = 0x3_0000_0000
# What a callout can count on of the kernel stack's 24 KiB is not documented; the simulator leaves as much.
STACK_SIZE = 8 * 1024
# Memory that is lent to the driver for one call, and memory that stays.
LENT, KEPT = 0x4_0000_0000, 0x5_0000_0000
GARBAGE = 0xFEED_FACE_CAFE_F00D
RETURN = 0xD65F03C0
# Far more than any call takes; one that takes longer runs in a circle.
PATIENCE_MICROSECONDS = 60_000_000

X = [getattr(arm64, f"UC_ARM64_REG_X{n}") for n in range(29)]
D = [getattr(arm64, f"UC_ARM64_REG_D{n}") for n in range(8, 16)]
KEPT_REGISTERS = [*X[18:29], arm64.UC_ARM64_REG_FP, *D]


class BugCheck(Exception):
    """The driver did what Windows does not stand, or what is not modelled here."""


def require(holds, otherwise):
    if not holds:
        raise BugCheck(otherwise)


class Machine:
    def __init__(self):
        self.uc = Uc(UC_ARCH_ARM64, UC_MODE_ARM)
        self.uc.mem_map(STUBS, STUBS_SIZE)
        self.uc.mem_write(STUBS, struct.pack("<I", RETURN) * (STUBS_SIZE // 4))
        self.uc.mem_map(STACK_TOP - STACK_SIZE, STACK_SIZE, UC_PROT_READ | UC_PROT_WRITE)
        self.uc.hook_add(UC_HOOK_CODE, self._on_stub, begin=STUBS, end=STUBS + STUBS_SIZE - 1)
        self.functions = []  # by stub: name, Python function, how many arguments it takes
        self.end = self.stub("the end of a call", None)
        self.resume = self.stub("the end of a callback", None)
        self.suspended = []  # generators that wait for a callback, each with its return address
        self.failing = []  # imports whose next call fails, each with what it answers
        self.problem = None
        self.irql = facts.number("PASSIVE_LEVEL")
        self.kept = KEPT
        self.lent, self.lent_end = [], LENT
        self.image = None

    # Memory

    def read(self, address, size):
        try:
            return bytes(self.uc.mem_read(address, size))
        except UcError:
            raise BugCheck(f"{size} bytes at {address:#x} cannot be read") from None

    def write(self, address, data):
        try:
            self.uc.mem_write(address, bytes(data))
        except UcError:
            raise BugCheck(f"{len(data)} bytes at {address:#x} cannot be written") from None

    def number(self, address, size=8):
        return int.from_bytes(self.read(address, size), "little")

    def put(self, address, number, size=8):
        self.write(address, number.to_bytes(size, "little"))

    def get(self, address, structure, member):
        offset, size = facts.offset_and_size(structure, member)
        return self.number(address + offset, size)

    def set(self, address, structure, member, number):
        offset, size = facts.offset_and_size(structure, member)
        self.put(address + offset, number, size)

    def map(self, address, size):
        self.uc.mem_map(address, (size + PAGE - 1) // PAGE * PAGE, UC_PROT_READ | UC_PROT_WRITE)

    def keep(self, data):
        """Memory of its own, for good."""
        address = self.kept
        self.kept += (len(data) // PAGE + 2) * PAGE
        self.map(address, len(data) + 1)
        self.write(address, data)
        return address

    def lend(self, data):
        """Memory that ends at a page that is not there, until the call into the driver returns. Its address does not
        come again."""
        start = self.lent_end + PAGE
        size = (len(data) + PAGE - 1) // PAGE * PAGE or PAGE
        self.map(start, size)
        self.lent_end = start + size
        self.lent.append((start, size))
        address = (start + size - len(data)) & ~7
        self.write(address, data)
        return address

    def take_back(self):
        for start, size in self.lent:
            self.uc.mem_unmap(start, size)
        self.lent = []

    def string(self, address):
        data = bytearray()
        while byte := self.read(address + len(data), 1)[0]:
            data.append(byte)
        return data.decode("ascii")

    def unicode_string(self, address):
        length = self.get(address, "UNICODE_STRING", "Length")
        return self.read(self.get(address, "UNICODE_STRING", "Buffer"), length).decode("utf-16-le")

    def keep_unicode_string(self, text):
        data = text.encode("utf-16-le")
        return self.keep(struct.pack("<HHxxxxQ", len(data), len(data) + 2, self.keep(data + b"\0\0")))

    # Calls

    def stub(self, name, function):
        """The address at which the driver calls `function`."""
        arguments = len(inspect.signature(function).parameters) if function else 0
        self.functions.append((name, function, arguments))
        return STUBS + 16 * (len(self.functions) - 1)

    def call(self, address, *arguments, irql):
        """Calls the driver; what it returns."""
        before, self.irql = self.irql, irql
        for register in X[:18]:
            self.uc.reg_write(register, GARBAGE)
        expected = {register: GARBAGE + n for n, register in enumerate(KEPT_REGISTERS)}
        for register, value in expected.items():
            self.uc.reg_write(register, value)
        self._set_arguments(arguments)
        self.uc.reg_write(arm64.UC_ARM64_REG_SP, STACK_TOP)
        self.uc.reg_write(arm64.UC_ARM64_REG_LR, self.end)
        try:
            self.uc.emu_start(address, self.end, timeout=PATIENCE_MICROSECONDS)
        except UcError as error:
            self.problem = self.problem or BugCheck(f"{error} at {self._where()}")
        if self.problem:
            raise self.problem
        require(self.uc.reg_read(arm64.UC_ARM64_REG_PC) == self.end, f"a call does not return; it was at {self._where()}")
        require(not self.suspended, "a call has returned past a callback")
        require(self.uc.reg_read(arm64.UC_ARM64_REG_SP) == STACK_TOP, "a call moves the stack pointer")
        changed = [n for n, (register, value) in enumerate(expected.items()) if self.uc.reg_read(register) != value]
        require(not changed, f"a call changes registers that it must keep: numbers {changed} of KEPT_REGISTERS")
        require(self.irql == irql, f"a call at IRQL {irql} returns at {self.irql}")
        self.irql = before
        return self.uc.reg_read(X[0])

    def run(self, generator, irql):
        """Makes the calls into the driver that a generator yields, as an import's function does, outside of any import."""
        answer = None
        try:
            while True:
                function, arguments = generator.send(answer)
                answer = self.call(function, *arguments, irql=irql)
        except StopIteration:
            self.take_back()

    def count(self, action):
        """How many instructions of the image run during `action`."""
        counted = 0

        def one(*_):
            nonlocal counted
            counted += 1

        hook = self.uc.hook_add(UC_HOOK_CODE, one, begin=self.image.start, end=self.image.end - 1)
        # What has been translated without the hook would run without it.
        self.uc.ctl_flush_tb()
        action()
        self.uc.hook_del(hook)
        return counted

    def _set_arguments(self, arguments):
        for register, value in zip(X, arguments):
            self.uc.reg_write(register, value)

    def _where(self):
        place = self.uc.reg_read(arm64.UC_ARM64_REG_PC)
        if self.image and self.image.start <= place < self.image.end:
            return f"flowtag.sys+{place - self.image.start:#x}"
        return f"{place:#x}"

    def _on_stub(self, _uc, address, _size, _data):
        # An exception must not leave through the emulator.
        try:
            self._serve(address)
        except BugCheck as problem:
            self.problem = problem
        except Exception as error:  # noqa: BLE001
            self.problem = BugCheck(f"this host breaks down: {error!r}")
        if self.problem:
            self.uc.emu_stop()

    def _serve(self, address):
        if address == self.resume:
            generator, name, return_address = self.suspended.pop()
            self._go_on(generator, self.uc.reg_read(X[0]), name, return_address)
            return
        index, inside = divmod(address - STUBS, 16)
        require(not inside and index < len(self.functions), f"a jump to {address:#x}")
        name, function, count = self.functions[index]
        return_address = self.uc.reg_read(arm64.UC_ARM64_REG_LR)
        highest = facts.highest_irql(name)
        require(self.irql <= highest, f"{name} at IRQL {self.irql}; it may be called up to {highest}")
        planned = next((plan for plan in self.failing if plan[0] == name), None)
        if planned:
            self.failing.remove(planned)
            self._return(planned[1], name, return_address)
            return
        require(function, f"{name} is not modelled here")
        result = function(*(self.uc.reg_read(register) for register in X[:count]))
        if inspect.isgenerator(result):
            self._go_on(result, None, name, return_address)
        else:
            self._return(result, name, return_address)

    def _go_on(self, generator, value, name, return_address):
        try:
            function, arguments = generator.send(value)
        except StopIteration as stop:
            self._return(stop.value, name, return_address)
            return
        self.suspended.append((generator, name, return_address))
        self._set_arguments(arguments)
        self.uc.reg_write(arm64.UC_ARM64_REG_LR, self.resume)
        self.uc.reg_write(arm64.UC_ARM64_REG_PC, function)

    def _return(self, value, name, return_address):
        width = facts.width_of_result(name)
        for register in X[1:18]:
            self.uc.reg_write(register, GARBAGE)
        beyond = GARBAGE >> width << width
        self.uc.reg_write(X[0], beyond | ((value or 0) & ((1 << width) - 1)))
        self.uc.reg_write(arm64.UC_ARM64_REG_LR, return_address)
