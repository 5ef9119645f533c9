//! Exports of the kernel that drivers import for paths which nothing here takes: describing buffers.

use crate::computer::Export;

/// They bind, and stop the machine when they are called.
pub const EXPORTS: &[Export] = &[
    Export::not_modelled("ntoskrnl.exe", "IoAllocateMdl"),
    Export::not_modelled("ntoskrnl.exe", "IoFreeMdl"),
    Export::not_modelled("ntoskrnl.exe", "MmBuildMdlForNonPagedPool"),
    Export::not_modelled("ntoskrnl.exe", "MmMapLockedPagesSpecifyCache"),
];
