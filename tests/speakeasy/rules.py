"""What the parts that are ours have in common."""

STATUS_SUCCESS = 0
STATUS_INFO_LENGTH_MISMATCH = 0xC0000004
STATUS_INVALID_PARAMETER = 0xC000000D
STATUS_INVALID_SECURITY_DESCR = 0xC0000079
STATUS_DRIVER_INTERNAL_ERROR = 0xC0000183

PASSIVE_LEVEL = 0
APC_LEVEL = 1
DISPATCH_LEVEL = 2


class Violation(Exception):
    """The driver did what Windows forbids, or what is not modelled here. speakeasy ends the run with it as its error."""


def require(holds, otherwise):
    if not holds:
        raise Violation(otherwise)


def require_irql(emu, highest, function):
    require(emu.get_current_irql() <= highest, f"{function} at IRQL {emu.get_current_irql()}")
