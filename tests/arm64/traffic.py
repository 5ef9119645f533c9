"""What a classify tells a callout, and the calls of classifyFn and flowDeleteFn.

Everything that is lent to the driver ends at a page that is not there, and is gone when the call returns. Fields that the
driver has not to look at are FWP_EMPTY, metadata behind a clear bit is garbage.
"""

import struct

from facts import number, offset_and_size, size
from machine import require
from wfp import CONDITIONAL_ON_FLOW

GARBAGE = 0xFEED_FACE_FEED_FACE
PASSIVE, DISPATCH = number("PASSIVE_LEVEL"), number("DISPATCH_LEVEL")
CONTINUE = number("FWP_ACTION_CONTINUE")
VALUE = size("FWP_VALUE0")


class Flow:
    def __init__(self, handle, connection):
        self.handle, self.connection = handle, connection


class Traffic:
    def __init__(self, machine, engine):
        self.machine, self.engine = machine, engine
        # WFP promises no more than <= DISPATCH_LEVEL: authorizations take turns at both ends of that.
        self.irql = PASSIVE
        self.take_turns = True

    def authorize(self, flow, flags=0):
        """At ALE_AUTH_CONNECT or ALE_AUTH_RECV_ACCEPT."""
        connection = flow.connection
        point = "ALE_AUTH_CONNECT" if connection.outbound else "ALE_AUTH_RECV_ACCEPT"
        layer = f"{point}_{connection.family}"
        fields = {
            "IP_LOCAL_ADDRESS": self._address(connection.local[0]),
            "IP_LOCAL_PORT": ("FWP_UINT16", connection.local[1]),
            "IP_PROTOCOL": ("FWP_UINT8", connection.protocol),
            "IP_REMOTE_ADDRESS": self._address(connection.remote[0]),
            "IP_REMOTE_PORT": ("FWP_UINT16", connection.remote[1]),
            "FLAGS": ("FWP_UINT32", flags),
        }
        metadata = {"FLOW_HANDLE": ("flowHandle", flow.handle), "PROCESS_ID": ("processId", connection.pid)}
        if connection.path is not None:
            path = (connection.path + "\0").encode("utf-16-le")
            blob = struct.pack("<IxxxxQ", len(path), self.machine.lend(path))
            metadata["PROCESS_PATH"] = ("processPath", self.machine.lend(blob))
        if self.take_turns:
            self.irql = DISPATCH if self.irql == PASSIVE else PASSIVE
        called = self._classify(flow, layer, fields, metadata, 0, self.irql)
        require(called == 1, f"{called} callouts at {layer}")

    def packet(self, flow, outbound, payload):
        """At a transport layer; how many callouts have seen it."""
        connection = flow.connection
        layer = f"{'OUTBOUND' if outbound else 'INBOUND'}_TRANSPORT_{connection.family}"
        # Outbound data begins at the transport header, inbound data behind it ("Data Offset Positions").
        length = payload + (connection.header if outbound else 0)
        buffer = bytearray(size("NET_BUFFER"))
        struct.pack_into("<I", buffer, offset_and_size("NET_BUFFER", "DataLength")[0], length)
        first = self.machine.lend(buffer)
        buffer_list = bytearray(size("NET_BUFFER_LIST"))
        struct.pack_into("<Q", buffer_list, offset_and_size("NET_BUFFER_LIST", "FirstNetBuffer")[0], first)
        metadata = {"TRANSPORT_HEADER_SIZE": ("transportHeaderSize", connection.header)}
        return self._classify(flow, layer, {}, metadata, self.machine.lend(buffer_list), self.irql)

    def end(self, flow):
        for function, arguments in self.engine.end(flow.handle):
            self.machine.call(function, *map(_unextended, arguments, (16, 32, 64)), irql=self.irql)

    def _address(self, address):
        if address.version == 4:
            return "FWP_UINT32", int(address)
        return "FWP_BYTE_ARRAY16_TYPE", self.machine.lend(address.packed)

    def _classify(self, flow, layer, fields, metadata, layer_data, irql):
        values = self._values(layer, fields)
        metadata = self._metadata(metadata)
        layer = number(f"FWPS_LAYER_{layer}")
        called = 0
        for callout in self.engine.callouts_at(layer):
            context = self.engine.contexts.get((flow.handle, layer, callout.identifier), 0)
            if callout.flags & CONDITIONAL_ON_FLOW and not context:
                continue
            called += 1
            out = self._classify_out()
            filter_ = self.machine.lend(bytes(size("FWPS_FILTER2")))
            self.machine.call(callout.classify, values, metadata, layer_data, 0, filter_, context, out, irql=irql)
            action = self.machine.get(out, "FWPS_CLASSIFY_OUT0", "actionType")
            require(action == CONTINUE, f"classifyFn leaves the action {action:#x}")
        self.machine.take_back()
        return called

    def _classify_out(self):
        out = self.machine.lend(bytes(size("FWPS_CLASSIFY_OUT0")))
        self.machine.set(out, "FWPS_CLASSIFY_OUT0", "actionType", number("FWP_ACTION_NONE"))
        self.machine.set(out, "FWPS_CLASSIFY_OUT0", "rights", number("FWPS_RIGHT_ACTION_WRITE"))
        return out

    def _values(self, layer, fields):
        count = number(f"FWPS_FIELD_{layer}_MAX")
        values = bytearray(VALUE * count)
        for name, (kind, value) in fields.items():
            index = number(f"FWPS_FIELD_{layer}_{name}")
            bits = {"FWP_UINT8": 8, "FWP_UINT16": 16, "FWP_UINT32": 32}.get(kind, 64)
            struct.pack_into("<IxxxxQ", values, VALUE * index, number(kind), _unextended(value, bits))
        fixed = self.machine.lend(bytes(size("FWPS_INCOMING_VALUES0")))
        members = {"layerId": number(f"FWPS_LAYER_{layer}"), "valueCount": count, "incomingValue": self.machine.lend(values)}
        for member, value in members.items():
            self.machine.set(fixed, "FWPS_INCOMING_VALUES0", member, value)
        return fixed

    def _metadata(self, fields):
        structure = "FWPS_INCOMING_METADATA_VALUES0"
        address = self.machine.lend(struct.pack("<Q", GARBAGE) * (size(structure) // 8))
        present = 0
        for name, (member, value) in fields.items():
            present |= number(f"FWPS_METADATA_FIELD_{name}")
            self.machine.set(address, structure, member, value)
        self.machine.set(address, structure, "currentMetadataValues", present)
        return address


def _unextended(value, bits):
    """Garbage beyond a value's own bits, which AAPCS64 leaves unspecified, as does a union."""
    return GARBAGE >> bits << bits | value & ((1 << bits) - 1) if bits < 64 else value
