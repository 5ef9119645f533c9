"""What the Windows headers say, from tests/data/wdk-facts.json. ARM64 lays these structures out as x64 does."""

import json
import re
import uuid
from pathlib import Path

FACTS = json.loads((Path(__file__).parent.parent / "data" / "wdk-facts.json").read_text())
FUNCTIONS = {function["name"]: function for function in FACTS["functions"]} | FACTS["wdf_functions"]
ENUMERATORS = {
    name: value for enumeration in FACTS["enums"].values() for name, value in enumeration["enumerators"].items()
}
CONSTANTS = {name: constant["value"] for group in FACTS["constants"].values() for name, constant in group.items()}
WDF_FUNCTIONS = {
    value: name.removesuffix("TableIndex")
    for name, value in FACTS["enums"]["WDFFUNCENUM"]["enumerators"].items()
    if name.endswith("TableIndex")
}


def number(name):
    """A constant or an enumerator."""
    value = CONSTANTS.get(name, ENUMERATORS.get(name))
    if value is None:
        raise KeyError(f"wdk-facts.json has no number {name}")
    return value & 0xFFFFFFFF


def size(structure):
    return FACTS["structs"][structure]["size"]


def offset_and_size(structure, member):
    """`member` may lead through inner structures: "action.type"."""
    offset = 0
    for name in member.split("."):
        field = next(field for field in FACTS["structs"][structure]["fields"] if field["name"] == name)
        offset += field["offset"]
        structure = field["type"]
    return offset, field["size"]


def layers():
    """The numbers of the layers by their GUIDs."""
    prefix = "FWPM_LAYER_"
    return {
        uuid.UUID(guid): number(name.replace(prefix, "FWPS_LAYER_"))
        for name, guid in FACTS["guids"].items()
        if name.startswith(prefix)
    }


def highest_irql(function):
    """The highest IRQL at which a function may be called, by its annotation or else its documentation."""
    known = FUNCTIONS.get(function, {})
    for annotation in known.get("irql_sal", []):
        if found := re.fullmatch(r"_IRQL_requires_(?:max_)?\((\w+)\)", annotation):
            return number(found[1])
    if found := re.match(r"(?:<= )?(PASSIVE|APC|DISPATCH)_LEVEL", known.get("irql_doc") or ""):
        return number(f"{found[1]}_LEVEL")
    return number("HIGH_LEVEL")


def width_of_result(function):
    """How many bits of what a function returns are its result: AAPCS64 leaves the others unspecified. 0 for none."""
    kinds = {"NTSTATUS": 32, "ULONG": 32, "FWPM_SERVICE_STATE": 32, "BOOLEAN": 8, "KIRQL": 8, "VOID": 0, "void": 0}
    return kinds.get(FUNCTIONS.get(function, {}).get("return_type"), 64)
