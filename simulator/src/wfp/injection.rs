//! Injection handles: `FwpsInjectionHandleCreate0` and its counterpart.
//!
//! Simplification: nothing can be injected. The handles must be destroyed before the driver leaves (DDI
//! `FwpsInjectionHandleDestroy0`).

use super::{
    context::answer,
    inputs,
    status::{self, Status},
};
use crate::computer::{Call, Export, Fails, Irql};

/// Handles are counted from here; nothing is ever mapped there.
const FIRST_HANDLE: u64 = 0x01F3_0000_0000;
const HANDLE_STEP: u64 = 16;

/// The run-time functions for injection handles.
pub const EXPORTS: &[Export] = &[
    Export {
        module: "fwpkclnt.sys",
        name: "FwpsInjectionHandleCreate0",
        max_irql: Irql::PASSIVE,
        fails: Fails::Status(&[status::FWP_TCPIP_NOT_READY, status::NO_MEMORY, status::INVALID_PARAMETER]),
        run: |call| answer(call, create(call)),
        inputs: inputs::INJECTION_HANDLE_CREATE,
    },
    Export {
        module: "fwpkclnt.sys",
        name: "FwpsInjectionHandleDestroy0",
        max_irql: Irql::PASSIVE,
        fails: Fails::Status(&[status::INVALID_HANDLE]),
        run: |call| answer(call, destroy(call)),
        inputs: inputs::INJECTION_HANDLE_DESTROY,
    },
];

fn create(call: &Call<'_>) -> Status {
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
