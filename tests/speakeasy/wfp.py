"""fwpkclnt.sys: speakeasy's, and what it lacks.

speakeasy's own: FwpmEngineOpen0, FwpmSubLayerAdd0, FwpmCalloutAdd0, FwpmFilterAdd0, FwpsCalloutRegister1 (whose structure is
laid out as that of FwpsCalloutRegister2), and its structures. Ours: the engine's state, transactions, providers,
deletion, what unregistering takes away, and a second look at the structures, by the headers' offsets.

The second look is needed: speakeasy declares `providerKey` as a GUID where the headers have a pointer to one
(winenv/defs/wfp/fwpmtypes.py), and so misreads what lies behind it.
"""

import uuid

from speakeasy.winenv.api.kernelmode.fwpkclnt import FWP_E_CALLOUT_NOT_FOUND, Fwpkclnt

from facts import Reader
from rules import DISPATCH_LEVEL, PASSIVE_LEVEL, STATUS_SUCCESS, require, require_irql

apihook = Fwpkclnt.apihook

# FWPM_SERVICE_STATE, fwpmtypes.h.
STOPPED, START_PENDING, STOP_PENDING, RUNNING = range(4)
FIRST_SUBSCRIPTION = 0x5B00

# What an FWP_E_ code is as an NTSTATUS, ntstatus.h.
STATUS_FWP_CALLOUT_NOT_FOUND = 0xC0220001
STATUS_FWP_ALREADY_EXISTS = 0xC0220009
# What deleting an object that is not there answers, likewise.
NOT_FOUND = {
    "filters": 0xC0220003,
    "callouts": STATUS_FWP_CALLOUT_NOT_FOUND,
    "sublayers": 0xC0220007,
    "providers": 0xC0220005,
}


class Wfp(Fwpkclnt):
    def __init__(self, emu):
        self.device_objects = []  # of the registrations
        self.session_flags = {}
        self.state = RUNNING
        self.subscriptions = {}  # by handle: device object, callback, context
        self.transaction = None
        self.steps = []  # of the transactions, and what was added in them
        self.by_headers = {"providers": [], "sublayers": [], "callouts": [], "filters": []}
        super().__init__(emu)
        self.read = Reader(self)

    @apihook("FwpmBfeStateSubscribeChanges0", argc=4)
    def FwpmBfeStateSubscribeChanges0(self, emu, argv, ctx={}):
        require_irql(emu, PASSIVE_LEVEL, "FwpmBfeStateSubscribeChanges0")
        device_object, callback, context, out = argv
        handle = FIRST_SUBSCRIPTION + len(self.subscriptions)
        self.subscriptions[handle] = (device_object, callback, context)
        self.mem_write(out, handle.to_bytes(8, "little"))
        return STATUS_SUCCESS

    @apihook("FwpmBfeStateGet0", argc=0)
    def FwpmBfeStateGet0(self, emu, argv, ctx={}):
        require_irql(emu, DISPATCH_LEVEL, "FwpmBfeStateGet0")
        require(self.subscriptions, "FwpmBfeStateGet0 without a subscription, which must come first")
        return self.state

    @apihook("FwpmBfeStateUnsubscribeChanges0", argc=1)
    def FwpmBfeStateUnsubscribeChanges0(self, emu, argv, ctx={}):
        require_irql(emu, PASSIVE_LEVEL, "FwpmBfeStateUnsubscribeChanges0")
        require(argv[0] in self.subscriptions, f"no subscription has the handle {argv[0]:#x}")
        del self.subscriptions[argv[0]]
        return STATUS_SUCCESS

    @apihook("FwpmEngineOpen0", argc=5)
    def FwpmEngineOpen0(self, emu, argv, ctx={}):
        server, authentication, identity, session, handle = argv
        require_irql(emu, PASSIVE_LEVEL, "FwpmEngineOpen0")
        require(server == 0 and identity == 0, "FwpmEngineOpen0 for another machine or user")
        require(self.state == RUNNING, "FwpmEngineOpen0 while the filter engine does not run")
        status = super().FwpmEngineOpen0(emu, argv, ctx)
        handle = int.from_bytes(self.mem_read(handle, 8), "little")
        flags = self.read.number(session, "FWPM_SESSION0", "flags")
        self.session_flags[handle] = (authentication & 0xFFFF_FFFF, flags)
        return status

    @apihook("FwpmEngineClose0", argc=1)
    def FwpmEngineClose0(self, emu, argv, ctx={}):
        """The end of a session aborts its transaction. What was added stays: the session is not dynamic."""
        require_irql(emu, PASSIVE_LEVEL, "FwpmEngineClose0")
        self.require_session(argv[0])
        del self.sessions[argv[0]]
        self.transaction = None
        return super().FwpmEngineClose0(emu, argv, ctx)

    @apihook("FwpmTransactionBegin0", argc=2)
    def FwpmTransactionBegin0(self, emu, argv, ctx={}):
        self.require_session(argv[0])
        require(argv[1] == 0, "a transaction that only reads")
        require(self.transaction is None, "FwpmTransactionBegin0 in a transaction")
        self.transaction = argv[0]
        self.steps.append("begin")
        return STATUS_SUCCESS

    @apihook("FwpmTransactionCommit0", argc=1)
    def FwpmTransactionCommit0(self, emu, argv, ctx={}):
        self.require_transaction(argv[0], "commit")
        self.transaction = None
        return STATUS_SUCCESS

    @apihook("FwpmTransactionAbort0", argc=1)
    def FwpmTransactionAbort0(self, emu, argv, ctx={}):
        self.require_transaction(argv[0], "abort")
        self.transaction = None
        self.remove_objects()
        return STATUS_SUCCESS

    @apihook("FwpmProviderAdd0", argc=3)
    def FwpmProviderAdd0(self, emu, argv, ctx={}):
        self.require_transaction(argv[0], "provider")
        require(argv[2] == 0, "a provider with a security descriptor")
        self.by_headers["providers"].append({
            "key": self.read.guid(argv[1], "FWPM_PROVIDER0", "providerKey"),
            "name": self.read.text(argv[1], "FWPM_PROVIDER0", "displayData.name"),
            "flags": self.read.number(argv[1], "FWPM_PROVIDER0", "flags"),
            "service": self.read.number(argv[1], "FWPM_PROVIDER0", "serviceName"),
        })
        return STATUS_SUCCESS

    @apihook("FwpmSubLayerAdd0", argc=3)
    def FwpmSubLayerAdd0(self, emu, argv, ctx={}):
        self.require_transaction(argv[0], "sublayer")
        self.by_headers["sublayers"].append({
            "key": self.read.guid(argv[1], "FWPM_SUBLAYER0", "subLayerKey"),
            "name": self.read.text(argv[1], "FWPM_SUBLAYER0", "displayData.name"),
            "flags": self.read.number(argv[1], "FWPM_SUBLAYER0", "flags"),
            "provider": self.provider_of(argv[1], "FWPM_SUBLAYER0"),
            "weight": self.read.number(argv[1], "FWPM_SUBLAYER0", "weight"),
        })
        return super().FwpmSubLayerAdd0(emu, argv, ctx)

    @apihook("FwpsCalloutRegister2", argc=3)
    def FwpsCalloutRegister2(self, emu, argv, ctx={}):
        """No key twice. speakeasy would take it."""
        require_irql(emu, PASSIVE_LEVEL, "FwpsCalloutRegister2")
        key = self.read.guid(argv[1], "FWPS_CALLOUT2", "calloutKey")
        if any(callout["key"] == key for callout in self.callouts.values()):
            return STATUS_FWP_ALREADY_EXISTS
        self.device_objects.append(argv[0])
        return super().FwpsCalloutRegister1(emu, argv, ctx)

    @apihook("FwpsCalloutUnregisterById0", argc=1)
    def FwpsCalloutUnregisterById0(self, emu, argv, ctx={}):
        require_irql(emu, PASSIVE_LEVEL, "FwpsCalloutUnregisterById0")
        argv[0] &= 0xFFFF_FFFF
        status = super().FwpsCalloutUnregisterById0(emu, argv, ctx)
        self.callouts.pop(argv[0], None)
        return STATUS_FWP_CALLOUT_NOT_FOUND if status == FWP_E_CALLOUT_NOT_FOUND else status

    @apihook("FwpmCalloutAdd0", argc=4)
    def FwpmCalloutAdd0(self, emu, argv, ctx={}):
        self.require_transaction(argv[0], "callout")
        self.by_headers["callouts"].append({
            "key": self.read.guid(argv[1], "FWPM_CALLOUT0", "calloutKey"),
            "name": self.read.text(argv[1], "FWPM_CALLOUT0", "displayData.name"),
            "flags": self.read.number(argv[1], "FWPM_CALLOUT0", "flags"),
            "provider": self.provider_of(argv[1], "FWPM_CALLOUT0"),
            "layer": self.read.guid(argv[1], "FWPM_CALLOUT0", "applicableLayer"),
        })
        return super().FwpmCalloutAdd0(emu, argv, ctx)

    @apihook("FwpmFilterAdd0", argc=4)
    def FwpmFilterAdd0(self, emu, argv, ctx={}):
        self.require_transaction(argv[0], "filter")
        self.by_headers["filters"].append({
            "key": self.read.guid(argv[1], "FWPM_FILTER0", "filterKey"),
            "name": self.read.text(argv[1], "FWPM_FILTER0", "displayData.name"),
            "flags": self.read.number(argv[1], "FWPM_FILTER0", "flags"),
            "provider": self.provider_of(argv[1], "FWPM_FILTER0"),
            "layer": self.read.guid(argv[1], "FWPM_FILTER0", "layerKey"),
            "sublayer": self.read.guid(argv[1], "FWPM_FILTER0", "subLayerKey"),
            "weight": self.read.number(argv[1], "FWPM_FILTER0", "weight.type"),
            "conditions": self.read.number(argv[1], "FWPM_FILTER0", "numFilterConditions"),
            "action": self.read.number(argv[1], "FWPM_FILTER0", "action.type"),
            "callout": self.read.guid(argv[1], "FWPM_FILTER0", "action.calloutKey"),
        })
        if argv[3] == 0:  # The id is optional. speakeasy writes it all the same.
            argv[3] = self.mem_alloc(8, tag="emu.filter_id")
        return super().FwpmFilterAdd0(emu, argv, ctx)

    @apihook("FwpmFilterDeleteByKey0", argc=2)
    def FwpmFilterDeleteByKey0(self, emu, argv, ctx={}):
        return self.delete(argv, "filters")

    @apihook("FwpmCalloutDeleteByKey0", argc=2)
    def FwpmCalloutDeleteByKey0(self, emu, argv, ctx={}):
        return self.delete(argv, "callouts")

    @apihook("FwpmSubLayerDeleteByKey0", argc=2)
    def FwpmSubLayerDeleteByKey0(self, emu, argv, ctx={}):
        return self.delete(argv, "sublayers")

    @apihook("FwpmProviderDeleteByKey0", argc=2)
    def FwpmProviderDeleteByKey0(self, emu, argv, ctx={}):
        return self.delete(argv, "providers")

    def delete(self, argv, kind):
        """Takes an object away, as the headers' look has it; speakeasy's own tables go with the last one."""
        self.require_transaction(argv[0], f"delete {kind}")
        key = str(uuid.UUID(bytes_le=bytes(self.mem_read(argv[1], 16))))
        objects = self.by_headers[kind]
        found = next((object_ for object_ in objects if object_["key"] == key), None)
        if found is None:
            return NOT_FOUND[kind]
        objects.remove(found)
        if not any(self.by_headers.values()):
            self.remove_objects()
        return STATUS_SUCCESS

    def provider_of(self, address, structure):
        """The key of the provider that an object names."""
        key = self.read.number(address, structure, "providerKey")
        return str(uuid.UUID(bytes_le=bytes(self.mem_read(key, 16)))) if key else None

    def require_session(self, handle):
        require(handle in self.sessions, f"no session has the handle {handle:#x}")

    def require_transaction(self, handle, step):
        self.require_session(handle)
        require(self.transaction == handle, f"{step} outside of a transaction")
        self.steps.append(step)

    def remove_objects(self):
        for objects in self.by_headers.values():
            objects.clear()
        self.sublayers.clear()
        self.filters.clear()
        for callout in self.callouts.values():  # stay registered, without what FwpmCalloutAdd0 has added
            callout.pop("name", None)
            callout.pop("desc", None)
