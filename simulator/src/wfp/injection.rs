//! Injection handles: `FwpsInjectionHandleCreate0` and its counterpart.
//!
//! Simplification: nothing can be injected. The handles must be destroyed before the driver leaves (DDI
//! `FwpsInjectionHandleDestroy0`).

use super::{
    context::answer,
    status::{self, Status},
};
use crate::computer::{Call, Export, Fails, Irql};

/// Handles are counted from here; nothing is ever mapped there.
const FIRST_HANDLE: u64 = 0x01F3_0000_0000;
const HANDLE_STEP: u64 = 16;

/// `AF_UNSPEC`, `AF_INET` and `AF_INET6`.
const FAMILIES: [u16; 3] = [0, 2, 23];
/// `FWPS_INJECTION_TYPE_*`.
const KNOWN_TYPES: u32 = 0x3F;

/// The run-time functions for injection handles.
pub const EXPORTS: &[Export] = &[
    Export {
        module: "fwpkclnt.sys",
        name: "FwpsInjectionHandleCreate0",
        max_irql: Irql::PASSIVE,
        fails: Fails::Status(&[status::FWP_TCPIP_NOT_READY, status::NO_MEMORY, status::INVALID_PARAMETER]),
        run: |call| answer(call, create(call)),
        inputs: &[],
    },
    Export {
        module: "fwpkclnt.sys",
        name: "FwpsInjectionHandleDestroy0",
        max_irql: Irql::PASSIVE,
        fails: Fails::Status(&[status::INVALID_HANDLE]),
        run: |call| answer(call, destroy(call)),
        inputs: &[],
    },
];

fn create(call: &Call<'_>) -> Status {
    let (family, types) = (call.arg_u16(0), call.arg_u32(1));
    if !FAMILIES.contains(&family) || types & !KNOWN_TYPES != 0 {
        return status::INVALID_PARAMETER;
    }
    let handle = {
        let mut state = call.machine.wfp().state();
        state.last_injection_handle += 1;
        let handle = FIRST_HANDLE + state.last_injection_handle * HANDLE_STEP;
        state.injection_handles.insert(handle);
        handle
    };
    call.write(call.arg(2), handle);
    status::SUCCESS
}

fn destroy(call: &Call<'_>) -> Status {
    let known = call.machine.wfp().state().injection_handles.remove(&call.arg(0));
    if known { status::SUCCESS } else { status::INVALID_HANDLE }
}
