"""The exports of ntoskrnl.exe that the driver imports, after their pages in Microsoft's driver reference.

Each block of pool ends at a page that is not there, and is gone once it is freed.
"""

from facts import number
from machine import PAGE, require

POOL = 0x10_0000_0000
NON_PAGED, UNINITIALIZED = number("POOL_FLAG_NON_PAGED"), number("POOL_FLAG_UNINITIALIZED")
# A pool block is aligned to 16 bytes (ExAllocatePool2, "Remarks").
POOL_ALIGNMENT = 16
# A millisecond passes from one look at the clock to the next.
TICK = 10_000
# Waits of one unload before it is taken for one that does not end.
PATIENCE = 200


class Kernel:
    def __init__(self, machine):
        self.machine = machine
        self.blocks = {}  # by address: tag, first page, size of the pages
        self.next_block = POOL
        self.rundowns = {}  # by address: how many hold it; None once it runs down
        self.lines = []
        self.providers = 0
        self.time = 10**9
        self.waits = 0

    def exports(self):
        return {
            "DbgPrintEx": self.debug_print,
            "DbgQueryDebugFilterState": lambda component, level: 1,
            "EtwRegister": self.register_provider,
            "EtwSetInformation": lambda handle, kind, information, length: number("STATUS_SUCCESS"),
            "EtwUnregister": self.unregister_provider,
            "ExAcquireRundownProtection": self.acquire_rundown,
            "ExAllocatePool2": self.allocate,
            "ExFreePool": self.free_any,
            "ExFreePoolWithTag": self.free,
            "ExInitializeRundownProtection": self.initialize_rundown,
            "ExReleaseRundownProtection": self.release_rundown,
            "ExWaitForRundownProtectionRelease": self.wait_for_rundown,
            "KeDelayExecutionThread": self.delay,
            "KeQueryUnbiasedInterruptTime": self.unbiased_time,
            "KfLowerIrql": self.lower_irql,
            "KfRaiseIrql": self.raise_irql,
            "RtlCopyUnicodeString": self.copy_unicode_string,
            "memcmp": self.compare,
            "memcpy": self.copy,
            "memmove": self.copy,
            "memset": self.fill,
        }

    def left_behind(self):
        held = sum(1 for count in self.rundowns.values() if count)
        left = [f"{len(self.blocks)} blocks of pool"] if self.blocks else []
        left += [f"{self.providers} providers of events"] if self.providers else []
        return left + ([f"{held} rundown protections that are held"] if held else [])

    def forget(self):
        """The driver's image is gone, and with it what lies in its data."""
        self.rundowns.clear()
        self.waits = 0

    # Pool

    def allocate(self, flags, size, tag):
        tag &= 0xFFFFFFFF
        require(size, "ExAllocatePool2 of 0 bytes")
        require(tag, "ExAllocatePool2 without a tag")
        require(flags & ~UNINITIALIZED == NON_PAGED, f"ExAllocatePool2 with the flags {flags:#x} is not modelled here")
        pages = (size + PAGE - 1) // PAGE * PAGE
        start = self.next_block
        self.next_block += pages + PAGE
        self.machine.map(start, pages)
        if flags & UNINITIALIZED:
            self.machine.write(start, b"\xCD" * pages)
        address = (start + pages - size) // POOL_ALIGNMENT * POOL_ALIGNMENT
        self.blocks[address] = (tag, start, pages)
        return address

    def free_any(self, address):
        require(address in self.blocks, f"ExFreePool of {address:#x}, which is no block")
        self.free(address, self.blocks[address][0])

    def free(self, address, tag):
        require(address in self.blocks, f"ExFreePoolWithTag of {address:#x}, which is no block")
        expected, start, pages = self.blocks.pop(address)
        require(tag & 0xFFFFFFFF == expected, f"ExFreePoolWithTag with the tag {tag:#x}, not {expected:#x}")
        self.machine.uc.mem_unmap(start, pages)

    # Rundown protection. Its block is opaque: what is known of it is kept here.

    def initialize_rundown(self, address):
        self.machine.put(address, 0)
        self.rundowns[address] = 0

    def acquire_rundown(self, address):
        count = self._rundown(address)
        if count is None:
            return 0
        self.rundowns[address] = count + 1
        return 1

    def release_rundown(self, address):
        require(self._rundown(address), "ExReleaseRundownProtection of what is not held")
        self.rundowns[address] -= 1

    def wait_for_rundown(self, address):
        # There is one processor, which is here: who holds it would never give it back.
        require(not self._rundown(address), "ExWaitForRundownProtectionRelease waits for ever")
        self.rundowns[address] = None

    def _rundown(self, address):
        require(address in self.rundowns, "a rundown protection that was not initialized")
        return self.rundowns[address]

    # IRQL

    def raise_irql(self, new):
        old, new = self.machine.irql, new & 0xFF
        require(old <= new, f"KfRaiseIrql from {old} to {new}")
        self.machine.irql = new
        return old

    def lower_irql(self, new):
        new &= 0xFF
        require(new <= self.machine.irql, f"KfLowerIrql from {self.machine.irql} to {new}")
        self.machine.irql = new

    # Time

    def unbiased_time(self):
        self.time += TICK
        return self.time

    def delay(self, _mode, _alertable, interval):
        interval = int.from_bytes(self.machine.read(interval, 8), "little", signed=True)
        require(interval < 0, "KeDelayExecutionThread until a point of time is not modelled here")
        self.waits += 1
        require(self.waits < PATIENCE, "unload does not end")
        self.time -= interval
        return number("STATUS_SUCCESS")

    # Debug output. On ARM64 variable arguments come in registers, as the others do.

    def debug_print(self, _component, _level, text, argument):
        text = self.machine.string(text)
        require(text == "%s", f"DbgPrintEx with the format {text!r} is not modelled here")
        self.lines.append(self.machine.string(argument))
        return number("STATUS_SUCCESS")

    # Event tracing. No session is ever interested, so that nothing may be written.

    def register_provider(self, _provider, _callback, _context, handle):
        self.providers += 1
        self.machine.write(handle, self.providers.to_bytes(8, "little"))
        return number("STATUS_SUCCESS")

    def unregister_provider(self, handle):
        require(handle == self.providers, f"EtwUnregister of {handle:#x}, which is no provider")
        self.providers -= 1
        return number("STATUS_SUCCESS")

    # Memory and strings

    def copy_unicode_string(self, to, source):
        get = self.machine.get
        length = min(get(to, "UNICODE_STRING", "MaximumLength"), get(source, "UNICODE_STRING", "Length") if source else 0)
        if length:
            self.copy(get(to, "UNICODE_STRING", "Buffer"), get(source, "UNICODE_STRING", "Buffer"), length)
        self.machine.set(to, "UNICODE_STRING", "Length", length)

    def copy(self, to, source, size):
        if size:
            self.machine.write(to, self.machine.read(source, size))
        return to

    def fill(self, to, byte, size):
        self.machine.write(to, bytes([byte & 0xFF]) * size)
        return to

    def compare(self, left, right, size):
        left, right = self.machine.read(left, size), self.machine.read(right, size)
        return (left > right) - (left < right)
