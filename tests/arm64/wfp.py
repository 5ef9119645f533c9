"""The filter engine's part of fwpkclnt.sys: sessions, objects, callouts, and contexts of flows.

After the functions' pages in Microsoft's driver reference. Two answers of FwpsFlowAssociateContext0 for a flow that has a
context of this callout are thinkable: STATUS_OBJECT_NAME_EXISTS, as its page says, or, since that passes NT_SUCCESS,
STATUS_SUCCESS with the old context kept, as the wrapper of its sibling FwpsFlowRemoveContext0 folds such answers. `folded`
selects the second.
"""

import uuid

from bfe import RUNNING, START_PENDING, STOP_PENDING, STOPPED
from facts import layers, number, offset_and_size
from kmdf import DEVICE_OBJECT
from machine import require

LAYERS = layers()
SUCCESS, INVALID_PARAMETER = number("STATUS_SUCCESS"), number("STATUS_INVALID_PARAMETER")
# ntstatus.h
EPT_NT_NOT_REGISTERED = 0xC0020036
SESSION, CONDITIONAL_ON_FLOW = 0x6008, number("FWP_CALLOUT_FLAG_CONDITIONAL_ON_FLOW")


class Callout:
    def __init__(self, identifier, flags, classify, notify, flow_delete):
        self.identifier, self.flags = identifier, flags
        self.classify, self.notify, self.flow_delete = classify, notify, flow_delete


class Objects:
    """What was added with FwpmXxxAdd, as a transaction or everybody sees it. Providers and sublayers: their providers by key;
    callouts: (layer, provider); filters: (layer, callout, sublayer, provider)."""

    def __init__(self, old=None):
        kinds = (old.providers, old.sublayers, old.callouts, old.filters) if old else ({}, {}, {}, {})
        self.providers, self.sublayers, self.callouts, self.filters = map(dict, kinds)


class FilterEngine:
    def __init__(self, machine, service, folded):
        self.machine, self.service, self.folded = machine, service, folded
        self.session = False
        self.objects, self.transaction = Objects(), None
        self.callouts = {}  # by key
        self.last_identifier = 300
        self.flows = set()  # handles of those that live
        self.contexts = {}  # by flow, layer, callout

    def exports(self):
        return {
            "FwpmCalloutAdd0": self.add_callout,
            "FwpmCalloutDeleteByKey0": self.delete_callout,
            "FwpmEngineClose0": self.close,
            "FwpmEngineOpen0": self.open,
            "FwpmFilterAdd0": self.add_filter,
            "FwpmFilterDeleteByKey0": self.delete_filter,
            "FwpmProviderAdd0": self.add_provider,
            "FwpmProviderDeleteByKey0": self.delete_provider,
            "FwpmSubLayerAdd0": self.add_sublayer,
            "FwpmSubLayerDeleteByKey0": self.delete_sublayer,
            "FwpmTransactionAbort0": self.abort,
            "FwpmTransactionBegin0": self.begin,
            "FwpmTransactionCommit0": self.commit,
            "FwpsCalloutRegister2": self.register,
            "FwpsCalloutUnregisterById0": self.unregister,
            "FwpsFlowAssociateContext0": self.associate,
            "FwpsFlowRemoveContext0": self.remove,
        }

    def left_behind(self):
        counts = {"contexts": self.contexts, "registered callouts": self.callouts} | vars(self.objects)
        left = [f"{len(things)} {name}" for name, things in counts.items() if things]
        return left + (["a session"] if self.session else [])

    # The service. Its objects go with it, and no other: that callouts stay registered, and flows keep contexts, is a guess.

    def stop(self):
        require(self.service.state == RUNNING, "the filter engine's service does not run")
        self.service.reach(STOP_PENDING)
        require(not self.session, "the filter engine stops under an open session: not modelled here")
        old, self.objects = self.objects.filters, Objects()
        self.machine.run(self._notify(old.values(), "FWPS_CALLOUT_NOTIFY_DELETE_FILTER"), irql=number("PASSIVE_LEVEL"))
        self.service.reach(STOPPED)

    def start(self):
        require(self.service.state == STOPPED, "the filter engine's service has not stopped")
        self.service.reach(START_PENDING)
        self.service.reach(RUNNING)

    # Management

    def open(self, server, authentication, _identity, session, handle):
        winnt = number("RPC_C_AUTHN_WINNT"), number("RPC_C_AUTHN_DEFAULT")
        require(not server and authentication & 0xFFFFFFFF in winnt, "FwpmEngineOpen0 with these arguments")
        flags = self.machine.get(session, "FWPM_SESSION0", "flags")
        require(not flags, "a session with flags is not modelled here")
        if self.service.state != RUNNING:
            return EPT_NT_NOT_REGISTERED
        require(not self.session, "a second session at a time is not modelled here")
        self.session = True
        self.machine.put(handle, SESSION)
        return SUCCESS

    def close(self, handle):
        self._expect(handle)
        self.session, self.transaction = False, None  # The objects stay: they are static.
        return SUCCESS

    def begin(self, handle, flags):
        self._expect(handle)
        require(not flags & 0xFFFFFFFF, "a transaction with flags is not modelled here")
        if self.transaction is not None:
            return number("STATUS_FWP_TXN_IN_PROGRESS")
        self.transaction = Objects(self.objects)
        return SUCCESS

    def abort(self, handle):
        self._expect(handle)
        if self.transaction is None:
            return number("STATUS_FWP_NO_TXN_IN_PROGRESS")
        self.transaction = None
        return SUCCESS

    def commit(self, handle):
        self._expect(handle)
        if self.transaction is None:
            return number("STATUS_FWP_NO_TXN_IN_PROGRESS")
        old, self.objects, self.transaction = self.objects.filters, self.transaction, None
        new = self.objects.filters
        yield from self._notify([new[key] for key in new if key not in old], "FWPS_CALLOUT_NOTIFY_ADD_FILTER")
        yield from self._notify([old[key] for key in old if key not in new], "FWPS_CALLOUT_NOTIFY_DELETE_FILTER")
        return SUCCESS

    def _notify(self, filters, kind):
        for _, key, *_ in filters:
            if callout := self.callouts.get(key):
                # What it is told of the filter is not modelled; null where a pointer is documented would be a guess.
                filter_ = self.machine.lend(bytes(64))
                status = yield callout.notify, (number(kind), 0 if "DELETE" in kind else self.machine.lend(bytes(16)), filter_)
                require(status & 0xFFFFFFFF == SUCCESS, f"notifyFn answers {status & 0xFFFFFFFF:#x}")

    def add_provider(self, handle, provider, _descriptor):
        self._expect(handle)
        key = self._guid(provider, "FWPM_PROVIDER0", "providerKey")
        if not self._has_name(provider, "FWPM_PROVIDER0"):
            return number("STATUS_FWP_NULL_DISPLAY_NAME")
        if key in self._adding().providers:
            return number("STATUS_FWP_ALREADY_EXISTS")
        self._adding().providers[key] = None
        return SUCCESS

    def add_sublayer(self, handle, sublayer, _descriptor):
        self._expect(handle)
        key = self._guid(sublayer, "FWPM_SUBLAYER0", "subLayerKey")
        if not self._has_name(sublayer, "FWPM_SUBLAYER0"):
            return number("STATUS_FWP_NULL_DISPLAY_NAME")
        if key in self._adding().sublayers:
            return number("STATUS_FWP_ALREADY_EXISTS")
        if not self._has_provider(sublayer, "FWPM_SUBLAYER0"):
            return number("STATUS_FWP_PROVIDER_NOT_FOUND")
        self._adding().sublayers[key] = self._provider(sublayer, "FWPM_SUBLAYER0")
        return SUCCESS

    def add_callout(self, handle, callout, _descriptor, identifier):
        self._expect(handle)
        key = self._guid(callout, "FWPM_CALLOUT0", "calloutKey")
        layer = LAYERS.get(self._guid(callout, "FWPM_CALLOUT0", "applicableLayer"))
        if not self._has_name(callout, "FWPM_CALLOUT0"):
            return number("STATUS_FWP_NULL_DISPLAY_NAME")
        if layer is None:
            return number("STATUS_FWP_LAYER_NOT_FOUND")
        if key in self._adding().callouts:
            return number("STATUS_FWP_ALREADY_EXISTS")
        if not self._has_provider(callout, "FWPM_CALLOUT0"):
            return number("STATUS_FWP_PROVIDER_NOT_FOUND")
        self._adding().callouts[key] = layer, self._provider(callout, "FWPM_CALLOUT0")
        if identifier:
            self.machine.put(identifier, self.callouts[key].identifier if key in self.callouts else 0, 4)
        return SUCCESS

    def add_filter(self, handle, filter_, _descriptor, identifier):
        self._expect(handle)
        get = self.machine.get
        layer = LAYERS.get(self._guid(filter_, "FWPM_FILTER0", "layerKey"))
        key, callout = (self._guid(filter_, "FWPM_FILTER0", name) for name in ("filterKey", "action.calloutKey"))
        require(key.int, "a filter whose key the engine chooses is not modelled here")
        if not self._has_name(filter_, "FWPM_FILTER0"):
            return number("STATUS_FWP_NULL_DISPLAY_NAME")
        if layer is None:
            return number("STATUS_FWP_LAYER_NOT_FOUND")
        if not self._has_provider(filter_, "FWPM_FILTER0"):
            return number("STATUS_FWP_PROVIDER_NOT_FOUND")
        if key in self._adding().filters:
            return number("STATUS_FWP_ALREADY_EXISTS")
        sublayer = self._guid(filter_, "FWPM_FILTER0", "subLayerKey")
        if sublayer not in self._adding().sublayers:
            return number("STATUS_FWP_SUBLAYER_NOT_FOUND")
        if callout not in self._adding().callouts:
            return number("STATUS_FWP_CALLOUT_NOT_FOUND")
        if self._adding().callouts[callout][0] != layer:
            return number("STATUS_FWP_INCOMPATIBLE_LAYER")
        action = get(filter_, "FWPM_FILTER0", "action.type")
        require(action == number("FWP_ACTION_CALLOUT_INSPECTION"), f"a filter with the action {action:#x} is not modelled here")
        require(not get(filter_, "FWPM_FILTER0", "numFilterConditions"), "filters with conditions are not modelled here")
        self._adding().filters[key] = layer, callout, sublayer, self._provider(filter_, "FWPM_FILTER0")
        if identifier:
            self.machine.put(identifier, len(self._adding().filters))
        return SUCCESS

    def delete_filter(self, handle, key):
        return self._delete(handle, key, self._adding().filters, [], "STATUS_FWP_FILTER_NOT_FOUND")

    def delete_callout(self, handle, key):
        named = [callout for _, callout, *_ in self._adding().filters.values()]
        return self._delete(handle, key, self._adding().callouts, named, "STATUS_FWP_CALLOUT_NOT_FOUND")

    def delete_sublayer(self, handle, key):
        named = [sublayer for _, _, sublayer, _ in self._adding().filters.values()]
        return self._delete(handle, key, self._adding().sublayers, named, "STATUS_FWP_SUBLAYER_NOT_FOUND")

    def delete_provider(self, handle, key):
        adding = self._adding()
        named = [*adding.sublayers.values(), *(what[-1] for what in (*adding.callouts.values(), *adding.filters.values()))]
        return self._delete(handle, key, adding.providers, named, "STATUS_FWP_PROVIDER_NOT_FOUND")

    def _delete(self, handle, key, objects, named, not_found):
        self._expect(handle)
        key = uuid.UUID(bytes_le=self.machine.read(key, 16))
        if key in named:
            return number("STATUS_FWP_IN_USE")
        return SUCCESS if objects.pop(key, self) is not self else number(not_found)

    def _adding(self):
        require(self.transaction is not None, "adding and deleting outside a transaction is not modelled here")
        return self.transaction

    def _expect(self, handle):
        require(self.session and handle == SESSION, f"a function of the filter engine with the handle {handle:#x}")

    def _guid(self, address, structure, member):
        offset, size = offset_and_size(structure, member)
        return uuid.UUID(bytes_le=self.machine.read(address + offset, size))

    def _has_name(self, address, structure):
        return self.machine.get(address, structure, "displayData.name") != 0

    def _provider(self, address, structure):
        """The key of the provider that an object names, or None."""
        key = self.machine.get(address, structure, "providerKey")
        return uuid.UUID(bytes_le=self.machine.read(key, 16)) if key else None

    def _has_provider(self, address, structure):
        key = self._provider(address, structure)
        return key is None or key in self._adding().providers

    # Callouts

    def register(self, device_object, callout, identifier):
        get = self.machine.get
        require(device_object == DEVICE_OBJECT, "FwpsCalloutRegister2 for a device that is not there")
        key = self._guid(callout, "FWPS_CALLOUT2", "calloutKey")
        if key in self.callouts:
            return number("STATUS_FWP_ALREADY_EXISTS")
        members = [get(callout, "FWPS_CALLOUT2", name) for name in ("flags", "classifyFn", "notifyFn", "flowDeleteFn")]
        require(members[1] and members[2], "a callout without classifyFn or notifyFn")
        self.last_identifier += 1
        self.callouts[key] = Callout(self.last_identifier, *members)
        if identifier:
            self.machine.put(identifier, self.last_identifier, 4)
        return SUCCESS

    def unregister(self, identifier):
        key = next((key for key, callout in self.callouts.items() if callout.identifier == identifier & 0xFFFFFFFF), None)
        if key is None:
            return number("STATUS_FWP_CALLOUT_NOT_FOUND")
        if any(context[2] == self.callouts[key].identifier for context in self.contexts):
            return number("STATUS_DEVICE_BUSY")
        del self.callouts[key]
        return SUCCESS

    def callouts_at(self, layer):
        """Those that classify at a layer."""
        keys = [callout for at, callout, *_ in self.objects.filters.values() if at == layer]
        return [self.callouts[key] for key in keys if key in self.callouts]

    # Contexts

    def associate(self, flow, layer, identifier, context):
        layer, identifier = layer & 0xFFFF, identifier & 0xFFFFFFFF
        callout = next((callout for callout in self.callouts.values() if callout.identifier == identifier), None)
        if not context or callout is None or not callout.flow_delete:
            return INVALID_PARAMETER
        if flow not in self.flows:
            return number("STATUS_NOT_FOUND")
        if (flow, layer, identifier) in self.contexts:
            return SUCCESS if self.folded else number("STATUS_OBJECT_NAME_EXISTS")
        self.contexts[flow, layer, identifier] = context
        return SUCCESS

    def remove(self, flow, layer, identifier):
        layer, identifier = layer & 0xFFFF, identifier & 0xFFFFFFFF
        context = self.contexts.pop((flow, layer, identifier), None)
        if context is None:
            return number("STATUS_UNSUCCESSFUL")
        # Nothing classifies the flow meanwhile, so flowDeleteFn runs inside this call.
        yield self._flow_delete(identifier), (layer, identifier, context)
        return SUCCESS

    def end(self, flow):
        """A flow ends; the flowDeleteFn calls that are due for it."""
        self.flows.discard(flow)
        due = [(key, context) for key, context in self.contexts.items() if key[0] == flow]
        for key, _ in due:
            del self.contexts[key]
        return [(self._flow_delete(key[2]), (key[1], key[2], context)) for key, context in due]

    def _flow_delete(self, identifier):
        callout = next((callout for callout in self.callouts.values() if callout.identifier == identifier), None)
        require(callout, "a context of a callout that is not there")
        return callout.flow_delete
