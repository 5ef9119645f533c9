//! Exports that drivers import for paths which nothing here takes: they bind, and stop the machine when they are called.

use super::{
    exports::{Call, Export, Fails},
    irql::Irql,
};

/// Building packets and injecting them, reading packet contents, and binding to class extensions.
pub const EXPORTS: &[Export] = &[
    row("ntoskrnl.exe", "IoAllocateMdl"),
    row("ntoskrnl.exe", "IoFreeMdl"),
    row("ntoskrnl.exe", "MmBuildMdlForNonPagedPool"),
    row("ntoskrnl.exe", "MmMapLockedPagesSpecifyCache"),
    row("NDIS.SYS", "NdisAdvanceNetBufferDataStart"),
    row("NDIS.SYS", "NdisGetDataBuffer"),
    row("NDIS.SYS", "NdisRetreatNetBufferDataStart"),
    row("fwpkclnt.sys", "FwpsAllocateNetBufferAndNetBufferList0"),
    row("fwpkclnt.sys", "FwpsFreeNetBufferList0"),
    row("fwpkclnt.sys", "FwpsInjectForwardAsync0"),
    row("fwpkclnt.sys", "FwpsInjectNetworkReceiveAsync0"),
    row("fwpkclnt.sys", "FwpsInjectNetworkSendAsync0"),
    row("fwpkclnt.sys", "FwpsQueryPacketInjectionState0"),
    row("WDFLDR.SYS", "WdfVersionBindClass"),
    row("WDFLDR.SYS", "WdfVersionUnbindClass"),
];

const DRIVER_VERIFIER_DETECTED_VIOLATION: u32 = 0xC4;

const fn row(module: &'static str, name: &'static str) -> Export {
    Export { module, name, max_irql: Irql::HIGH, fails: Fails::Never, run: stop }
}

fn stop(call: &Call<'_>) -> u64 {
    let text = format!("the driver called {}, which the simulator knows by name only", call.name());
    call.bug_check(DRIVER_VERIFIER_DETECTED_VIOLATION, [0, call.caller(), 0, 0], text)
}
