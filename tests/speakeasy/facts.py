"""Structures and GUIDs of the Windows headers, from tests/data/wdk-facts.json."""

import json
import uuid
from pathlib import Path

FACTS = json.loads((Path(__file__).parent.parent / "data" / "wdk-facts.json").read_text())


def offset_and_size(structure, member):
    """Where a member lies in a structure, on x64. `member` may lead through inner structures: "action.type"."""
    offset = 0
    for name in member.split("."):
        fields = FACTS["structs"][structure]["fields"]
        field = next(field for field in fields if field["name"] == name)
        offset += field["offset"]
        structure = field["type"]
    return offset, field["size"]


def size(structure):
    """How many bytes a structure has, on x64."""
    return FACTS["structs"][structure]["size"]


def layer(name):
    """The GUID of a layer."""
    return FACTS["guids"][name]


def index_of_wdf_function(name):
    """Where a function lies in KMDF's table."""
    return FACTS["enums"]["WDFFUNCENUM"]["enumerators"].get(f"{name}TableIndex")


class Reader:
    """Reads members of structures in emulated memory."""

    def __init__(self, handler):
        self.handler = handler

    def number(self, address, structure, member):
        offset, size = offset_and_size(structure, member)
        return int.from_bytes(self.handler.mem_read(address + offset, size), "little")

    def guid(self, address, structure, member):
        offset, _ = offset_and_size(structure, member)
        return str(uuid.UUID(bytes_le=bytes(self.handler.mem_read(address + offset, 16))))

    def text(self, address, structure, member):
        pointer = self.number(address, structure, member)
        return self.handler.read_wide_string(pointer) if pointer else ""
