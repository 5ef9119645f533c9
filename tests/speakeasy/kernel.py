"""ntoskrnl.exe: speakeasy's, and what it lacks.

speakeasy's own: DbgPrintEx, ExFreePoolWithTag, KeDelayExecutionThread, RtlCopyUnicodeString, memcpy, memset, the pool,
the IRQL. Ours: all about processes (processes.py), ExAllocatePool2 (on speakeasy's pool), KfRaiseIrql and KeLowerIrql (on
speakeasy's IRQL), rundown protection, a debug print filter that lets everything pass, event tracing without sessions, and a
clock that goes on by a millisecond whenever it is read.
"""

import speakeasy.winenv.defs.nt.ddk as ddk
from speakeasy.winenv.api.kernelmode.ntoskrnl import Ntoskrnl

from processes import Processes
from rules import DISPATCH_LEVEL, PASSIVE_LEVEL, STATUS_SUCCESS, require, require_irql

apihook = Ntoskrnl.apihook

POOL_FLAG_NON_PAGED = 0x40
MILLISECOND = 10_000  # in units of 100 ns


class Kernel(Processes, Ntoskrnl):
    def __init__(self, emu):
        self.lines = []
        self.pool = {}
        self.rundowns = {}
        self.time = 0
        self.providers = 0
        super().__init__(emu)

    @apihook("DbgPrintEx", argc=Ntoskrnl.DbgPrintEx.__apihook__[2], conv=Ntoskrnl.DbgPrintEx.__apihook__[3])
    def DbgPrintEx(self, emu, argv, ctx={}):
        super().DbgPrintEx(emu, argv, ctx)
        self.lines.append(argv[2].rstrip("\n"))
        return STATUS_SUCCESS

    @apihook("DbgQueryDebugFilterState", argc=2)
    def DbgQueryDebugFilterState(self, emu, argv, ctx={}):
        return 1

    @apihook("EtwRegister", argc=4)
    def EtwRegister(self, emu, argv, ctx={}):
        require_irql(emu, PASSIVE_LEVEL, "EtwRegister")
        self.providers += 1
        self.mem_write(argv[3], self.providers.to_bytes(8, "little"))
        return STATUS_SUCCESS

    @apihook("EtwSetInformation", argc=4)
    def EtwSetInformation(self, emu, argv, ctx={}):
        require_irql(emu, PASSIVE_LEVEL, "EtwSetInformation")
        return STATUS_SUCCESS

    @apihook("EtwUnregister", argc=1)
    def EtwUnregister(self, emu, argv, ctx={}):
        require_irql(emu, PASSIVE_LEVEL, "EtwUnregister")
        require(argv[0] == self.providers, f"EtwUnregister of {argv[0]:#x}, which is no provider")
        self.providers -= 1
        return STATUS_SUCCESS

    @apihook("EtwWriteTransfer", argc=6)
    def EtwWriteTransfer(self, emu, argv, ctx={}):
        require(False, "EtwWriteTransfer, though no session is interested")

    @apihook("ExAllocatePool2", argc=3)
    def ExAllocatePool2(self, emu, argv, ctx={}):
        flags, size, tag = argv
        require_irql(emu, DISPATCH_LEVEL, "ExAllocatePool2")
        require(flags == POOL_FLAG_NON_PAGED, f"ExAllocatePool2 with flags {flags:#x}, of which only 0x40 is modelled")
        require(size != 0 and tag != 0, "ExAllocatePool2 without size or tag")
        address = self.pool_alloc(ddk.POOL_TYPE.NonPagedPoolNx, size, tag.to_bytes(4, "little").decode("ascii"))
        self.mem_write(address, bytes(size))  # POOL_FLAG_UNINITIALIZED was not asked for
        self.pool[address] = tag
        return address

    @apihook("ExFreePoolWithTag", argc=2)
    def ExFreePoolWithTag(self, emu, argv, ctx={}):
        address, tag = argv
        require(address in self.pool, f"ExFreePoolWithTag of {address:#x}, which is no pool")
        require(self.pool.pop(address) == tag, f"ExFreePoolWithTag with another tag than it was allocated with: {tag:#x}")
        super().ExFreePoolWithTag(emu, argv, ctx)

    @apihook("KfRaiseIrql", argc=1)
    def KfRaiseIrql(self, emu, argv, ctx={}):
        new, old = argv[0] & 0xFF, emu.get_current_irql()
        require(new >= old, f"KfRaiseIrql from {old} to {new}")
        emu.set_current_irql(new)
        return old

    @apihook("KeLowerIrql", argc=1)
    def KeLowerIrql(self, emu, argv, ctx={}):
        new, old = argv[0] & 0xFF, emu.get_current_irql()
        require(new <= old, f"KeLowerIrql from {old} to {new}")
        emu.set_current_irql(new)

    @apihook("KeQueryUnbiasedInterruptTime", argc=0)
    def KeQueryUnbiasedInterruptTime(self, emu, argv, ctx={}):
        self.time += MILLISECOND
        return self.time

    @apihook("KeDelayExecutionThread", argc=3)
    def KeDelayExecutionThread(self, emu, argv, ctx={}):
        require_irql(emu, PASSIVE_LEVEL, "KeDelayExecutionThread")
        interval = int.from_bytes(self.mem_read(argv[2], 8), "little", signed=True)
        require(interval < 0, "KeDelayExecutionThread until a time of day, which is not modelled")
        self.time -= interval
        return super().KeDelayExecutionThread(emu, argv, ctx)

    @apihook("ExInitializeRundownProtection", argc=1)
    def ExInitializeRundownProtection(self, emu, argv, ctx={}):
        self.rundowns[argv[0]] = 0

    @apihook("ExAcquireRundownProtection", argc=1)
    def ExAcquireRundownProtection(self, emu, argv, ctx={}):
        require(argv[0] in self.rundowns, "ExAcquireRundownProtection of a block that was not initialized")
        if self.rundowns[argv[0]] is None:
            return 0
        self.rundowns[argv[0]] += 1
        return 1

    @apihook("ExReleaseRundownProtection", argc=1)
    def ExReleaseRundownProtection(self, emu, argv, ctx={}):
        require(self.rundowns.get(argv[0]), "ExReleaseRundownProtection without ExAcquireRundownProtection")
        self.rundowns[argv[0]] -= 1

    @apihook("ExWaitForRundownProtectionRelease", argc=1)
    def ExWaitForRundownProtectionRelease(self, emu, argv, ctx={}):
        require_irql(emu, PASSIVE_LEVEL, "ExWaitForRundownProtectionRelease")
        require(argv[0] in self.rundowns, "ExWaitForRundownProtectionRelease of a block that was not initialized")
        require(not self.rundowns[argv[0]], "ExWaitForRundownProtectionRelease would wait for ever: there is one thread")
        self.rundowns[argv[0]] = None
