//! The statuses of event tracing, as ntstatus.h has them.

pub(super) const SUCCESS: u32 = 0;
pub(super) const UNSUCCESSFUL: u32 = 0xC000_0001;
pub(super) const INVALID_HANDLE: u32 = 0xC000_0008;
pub(super) const INVALID_PARAMETER: u32 = 0xC000_000D;
pub(super) const NO_MEMORY: u32 = 0xC000_0017;
pub(super) const INTEGER_OVERFLOW: u32 = 0xC000_0095;
pub(super) const INSUFFICIENT_RESOURCES: u32 = 0xC000_009A;
/// A warning: it passes `NT_SUCCESS` no more than an error does.
pub(super) const BUFFER_OVERFLOW: u32 = 0x8000_0005;
