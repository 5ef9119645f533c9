//! The NTSTATUS values that the engine returns, named as in `ntstatus.h` without `STATUS_`.

#![expect(missing_docs, reason = "the names are Windows' own")]

/// An NTSTATUS.
pub type Status = u32;

pub const SUCCESS: Status = 0;
pub const PENDING: Status = 0x103;
/// Informational: it passes `NT_SUCCESS`.
pub const OBJECT_NAME_EXISTS: Status = 0x4000_0000;
/// A warning: it fails `NT_SUCCESS`.
pub const DEVICE_BUSY: Status = 0x8000_0011;
pub const UNSUCCESSFUL: Status = 0xC000_0001;
pub const INVALID_HANDLE: Status = 0xC000_0008;
pub const INVALID_PARAMETER: Status = 0xC000_000D;
pub const NO_MEMORY: Status = 0xC000_0017;
pub const INSUFFICIENT_RESOURCES: Status = 0xC000_009A;
pub const NOT_SUPPORTED: Status = 0xC000_00BB;
pub const NOT_FOUND: Status = 0xC000_0225;
/// What every management function may answer when the engine was not reached (`RPC_NT_CALL_FAILED`; the functions' pages: "RPC_*
/// error code").
pub const RPC_CALL_FAILED: Status = 0xC002_001B;
/// What opening a stopped engine returns. Not documented; users of other drivers report its Win32 error, 1753.
pub const EPT_NOT_REGISTERED: Status = 0xC002_0036;

pub const FWP_CALLOUT_NOT_FOUND: Status = 0xC022_0001;
pub const FWP_FILTER_NOT_FOUND: Status = 0xC022_0003;
pub const FWP_LAYER_NOT_FOUND: Status = 0xC022_0004;
pub const FWP_PROVIDER_NOT_FOUND: Status = 0xC022_0005;
pub const FWP_SUBLAYER_NOT_FOUND: Status = 0xC022_0007;
pub const FWP_ALREADY_EXISTS: Status = 0xC022_0009;
pub const FWP_IN_USE: Status = 0xC022_000A;
pub const FWP_DYNAMIC_SESSION_IN_PROGRESS: Status = 0xC022_000B;
pub const FWP_WRONG_SESSION: Status = 0xC022_000C;
pub const FWP_NO_TXN_IN_PROGRESS: Status = 0xC022_000D;
pub const FWP_TXN_IN_PROGRESS: Status = 0xC022_000E;
pub const FWP_TXN_ABORTED: Status = 0xC022_000F;
pub const FWP_SESSION_ABORTED: Status = 0xC022_0010;
pub const FWP_INCOMPATIBLE_TXN: Status = 0xC022_0011;
pub const FWP_TIMEOUT: Status = 0xC022_0012;
pub const FWP_INCOMPATIBLE_LAYER: Status = 0xC022_0014;
pub const FWP_LIFETIME_MISMATCH: Status = 0xC022_0016;
pub const FWP_NULL_DISPLAY_NAME: Status = 0xC022_0023;
pub const FWP_INVALID_ACTION_TYPE: Status = 0xC022_0024;
pub const FWP_INVALID_WEIGHT: Status = 0xC022_0025;
pub const FWP_CALLOUT_NOTIFICATION_FAILED: Status = 0xC022_0037;
pub const FWP_TCPIP_NOT_READY: Status = 0xC022_0100;

/// `NT_SUCCESS`: the severity's upper bit is clear.
#[must_use]
pub fn nt_success(status: Status) -> bool {
    status < 0x8000_0000
}
