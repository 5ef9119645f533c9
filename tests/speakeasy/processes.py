"""Processes: what speakeasy lacks, or has as it sees the machine of malware. Two of them: the System process, and one program.

Which function does what is as their pages have it (Microsoft's driver reference; ZwQuerySystemInformation and
ZwQueryInformationProcess in that of Win32).
"""

import speakeasy.winenv.defs.nt.ddk as ddk
from speakeasy.winenv.api.kernelmode.ntoskrnl import Ntoskrnl

import facts
from rules import APC_LEVEL, DISPATCH_LEVEL, PASSIVE_LEVEL, STATUS_INFO_LENGTH_MISMATCH, STATUS_INVALID_PARAMETER
from rules import STATUS_SUCCESS, require, require_irql

apihook = Ntoskrnl.apihook

STATUS_PENDING = 0x103
STATUS_INVALID_CID = 0xC000000B
STATUS_NOT_FOUND = 0xC0000225
# Opaque, and nothing is mapped there; then the id, the parent's, and the path.
SYSTEM, PROGRAM = 0x6_0000_1000, 0x6_0000_2000
PROCESSES = {SYSTEM: (4, 0, None), PROGRAM: (4242, 4, r"\Device\HarddiskVolume3\Windows\curl.exe")}
HANDLE = 0xFFFF_FFFF_8000_0004
TAG = "SeIn"
# OBJ_KERNEL_HANDLE, PROCESS_QUERY_LIMITED_INFORMATION, KernelMode.
ATTRIBUTES, ACCESS, MODE = 0x200, 0x1000, 0
# winternl.h, ntddk.h.
PROCESS_LIST, BASIC = 5, 0


class Processes:
    """Mixed into the kernel, before speakeasy's own."""

    def __init__(self, emu):
        self.routine = 0
        self.references = 0
        self.handles = []
        super().__init__(emu)

    def process(self, address, function):
        require(address in PROCESSES, f"{function} of {address:#x}, which is no process")
        return PROCESSES[address]

    def put(self, address, value, size=8):
        self.mem_write(address, value.to_bytes(size, "little"))

    @apihook("PsSetCreateProcessNotifyRoutineEx2", argc=3)
    def PsSetCreateProcessNotifyRoutineEx2(self, emu, argv, ctx={}):
        kind, routine, remove = argv[0] & 0xFFFF_FFFF, argv[1], argv[2] & 0xFF
        require_irql(emu, PASSIVE_LEVEL, "PsSetCreateProcessNotifyRoutineEx2")
        if kind or (self.routine != routine if remove else self.routine):
            return STATUS_INVALID_PARAMETER
        self.routine = 0 if remove else routine
        return STATUS_SUCCESS

    @apihook("PsLookupProcessByProcessId", argc=2)
    def PsLookupProcessByProcessId(self, emu, argv, ctx={}):
        require_irql(emu, APC_LEVEL, "PsLookupProcessByProcessId")
        found = [address for address, (pid, _, _) in PROCESSES.items() if pid == argv[0]]
        if not found:
            return STATUS_INVALID_CID
        self.references += 1
        self.put(argv[1], found[0])
        return STATUS_SUCCESS

    @apihook("ObfDereferenceObject", argc=1)
    def ObfDereferenceObject(self, emu, argv, ctx={}):
        self.process(argv[0], "ObfDereferenceObject")
        require(self.references, "ObfDereferenceObject of what is not referenced")
        self.references -= 1
        return 0

    @apihook("PsGetProcessStartKey", argc=1)
    def PsGetProcessStartKey(self, emu, argv, ctx={}):
        return 1 << 48 | self.process(argv[0], "PsGetProcessStartKey")[0]

    @apihook("PsGetProcessCreateTimeQuadPart", argc=1)
    def PsGetProcessCreateTimeQuadPart(self, emu, argv, ctx={}):
        self.process(argv[0], "PsGetProcessCreateTimeQuadPart")
        return 134_404_092_000_000_000

    @apihook("PsGetProcessExitStatus", argc=1)
    def PsGetProcessExitStatus(self, emu, argv, ctx={}):
        self.process(argv[0], "PsGetProcessExitStatus")
        return STATUS_PENDING

    @apihook("SeLocateProcessImageName", argc=2)
    def SeLocateProcessImageName(self, emu, argv, ctx={}):
        require_irql(emu, PASSIVE_LEVEL, "SeLocateProcessImageName")
        path = self.process(argv[0], "SeLocateProcessImageName")[2]
        if path is None:
            return STATUS_NOT_FOUND
        text = path.encode("utf-16-le")
        block = self.pool_alloc(ddk.POOL_TYPE.NonPagedPoolNx, 16 + len(text), TAG)
        self.pool[block] = int.from_bytes(TAG.encode(), "little")
        self.mem_write(block, len(text).to_bytes(2, "little") * 2 + bytes(4) + (block + 16).to_bytes(8, "little") + text)
        self.put(argv[1], block)
        return STATUS_SUCCESS

    @apihook("RtlDowncaseUnicodeString", argc=3)
    def RtlDowncaseUnicodeString(self, emu, argv, ctx={}):
        require_irql(emu, PASSIVE_LEVEL, "RtlDowncaseUnicodeString")
        require(argv[0] == argv[1] and not argv[2] & 0xFF, "RtlDowncaseUnicodeString elsewhere than in place")
        length = int.from_bytes(self.mem_read(argv[0], 2), "little")
        buffer = int.from_bytes(self.mem_read(argv[0] + 8, 8), "little")
        self.mem_write(buffer, bytes(self.mem_read(buffer, length)).decode("utf-16-le").lower().encode("utf-16-le"))
        return STATUS_SUCCESS

    @apihook("ExFreePool", argc=1)
    def ExFreePool(self, emu, argv, ctx={}):
        require(argv[0] in self.pool, f"ExFreePool of {argv[0]:#x}, which is no pool")
        return self.ExFreePoolWithTag(emu, [argv[0], self.pool[argv[0]]], ctx)

    @apihook("ObOpenObjectByPointer", argc=7)
    def ObOpenObjectByPointer(self, emu, argv, ctx={}):
        process, attributes, state, access, kind, mode, handle = argv
        require_irql(emu, APC_LEVEL, "ObOpenObjectByPointer")
        given = (attributes & 0xFFFF_FFFF, state, access & 0xFFFF_FFFF, kind, mode & 0xFF)
        require(given == (ATTRIBUTES, 0, ACCESS, 0, MODE), f"ObOpenObjectByPointer with {given}, which is not modelled")
        require(not self.handles, "a second handle, which is not modelled")
        self.handles.append(self.process(process, "ObOpenObjectByPointer"))
        self.put(handle, HANDLE)
        return STATUS_SUCCESS

    @apihook("ZwClose", argc=1)
    def ZwClose(self, emu, argv, ctx={}):
        require(self.handles and argv[0] == HANDLE, f"ZwClose of {argv[0]:#x}, which is no handle")
        self.handles.pop()
        return STATUS_SUCCESS

    @apihook("ZwQueryInformationProcess", argc=5)
    def ZwQueryInformationProcess(self, emu, argv, ctx={}):
        handle, kind, place, length, needed = argv
        require(self.handles and handle == HANDLE, f"ZwQueryInformationProcess of {handle:#x}, which is no handle")
        require(kind & 0xFFFF_FFFF == BASIC and not needed, "ZwQueryInformationProcess like this, which is not modelled")
        require(length & 0xFFFF_FFFF == facts.size("PROCESS_BASIC_INFORMATION"), f"{length} bytes of basic information")
        pid, parent, _ = self.handles[0]
        self.mem_write(place, bytes(facts.size("PROCESS_BASIC_INFORMATION")))
        for member, value in (("UniqueProcessId", pid), ("InheritedFromUniqueProcessId", parent)):
            offset, size = facts.offset_and_size("PROCESS_BASIC_INFORMATION", member)
            self.put(place + offset, value, size)
        return STATUS_SUCCESS

    @apihook("ZwQuerySystemInformation", argc=4)
    def ZwQuerySystemInformation(self, emu, argv, ctx={}):
        kind, place, length, needed = argv
        require(kind & 0xFFFF_FFFF == PROCESS_LIST, f"ZwQuerySystemInformation of class {kind}, which is not modelled")
        entry = facts.size("SYSTEM_PROCESS_INFORMATION")
        offset, size = facts.offset_and_size("SYSTEM_PROCESS_INFORMATION", "UniqueProcessId")
        ids = [0] + [pid for pid, _, _ in PROCESSES.values()]
        if needed:
            self.put(needed, entry * len(ids), 4)
        if entry * len(ids) > length & 0xFFFF_FFFF:
            return STATUS_INFO_LENGTH_MISMATCH
        for index, pid in enumerate(ids):
            data = bytearray(b"\xA5" * entry)
            data[0:4] = (entry if index + 1 < len(ids) else 0).to_bytes(4, "little")
            data[offset : offset + size] = pid.to_bytes(size, "little")
            self.mem_write(place + index * entry, bytes(data))
        return STATUS_SUCCESS
