//! Contexts of objects, and references to objects.

use super::{
    OBJECT_ERROR, STATUS_INSUFFICIENT_RESOURCES, STATUS_INVALID_PARAMETER, STATUS_SUCCESS, WDF_VIOLATION,
    invalid_handle,
    life::{self, ContextType},
    objects, required, row,
};
use crate::computer::{Call, Export, Fails, Irql};

const STATUS_OBJECT_NAME_EXISTS: u64 = 0x4000_0000;

/// What every object has.
pub const EXPORTS: &[Export] = &[
    row("WdfObjectAllocateContext", Irql::DISPATCH, Fails::Status(&[STATUS_INSUFFICIENT_RESOURCES]), allocate),
    row("WdfObjectDereferenceActual", Irql::DISPATCH, Fails::Never, dereference),
    row("WdfObjectGetTypedContextWorker", Irql::DISPATCH, Fails::Never, typed_context),
    row("WdfObjectReferenceActual", Irql::DISPATCH, Fails::Never, reference),
];

/// Where the object's context of a type is.
fn context(call: &Call<'_>, context: ContextType) -> Option<u64> {
    let handle = call.arg(1);
    let found = call.machine.kmdf().with(|state| {
        let contexts = &state.objects.get(&handle)?.contexts;
        Some(contexts.iter().find(|(unique, _)| *unique == context.unique).map(|&(_, address)| address))
    });
    found.unwrap_or_else(|| invalid_handle(call, handle, "object"))
}

/// An object without such a context has NULL.
fn typed_context(call: &Call<'_>) -> u64 {
    objects::check_globals(call);
    let kind = ContextType::read(call, required(call, 2), 0);
    kind.and_then(|kind| context(call, kind)).unwrap_or(0)
}

fn allocate(call: &Call<'_>) -> u64 {
    objects::check_globals(call);
    let context_at = call.arg(3);
    let kind = match objects::attributes(call, required(call, 2), true) {
        Ok(attributes) => attributes.context,
        Err(status) => return status,
    };
    let Some(kind) = kind else { return STATUS_INVALID_PARAMETER };
    let (address, status) = match context(call, kind) {
        Some(address) => (address, STATUS_OBJECT_NAME_EXISTS),
        None => match life::add_context(call.machine, call.arg(1), kind, call.caller()) {
            Some(address) => (address, STATUS_SUCCESS),
            None => return STATUS_INSUFFICIENT_RESOURCES.into(),
        },
    };
    if context_at != 0 {
        call.write(context_at, address);
    }
    status
}

fn reference(call: &Call<'_>) -> u64 {
    objects::check_globals(call);
    if !life::reference(call.cpu, call.arg(1)) {
        invalid_handle(call, call.arg(1), "object");
    }
    0
}

fn dereference(call: &Call<'_>) -> u64 {
    objects::check_globals(call);
    let handle = call.arg(1);
    let held = call.machine.kmdf().with(|state| {
        let entry = state.objects.get(&handle)?;
        Some(entry.references > u64::from(!entry.deleted))
    });
    match held {
        None => invalid_handle(call, handle, "object"),
        Some(false) => call.bug_check(
            WDF_VIOLATION,
            [OBJECT_ERROR, handle, 0, 0],
            format!("WdfObjectDereference was called for {handle:#x}, which the driver holds no reference to"),
        ),
        Some(true) => {
            life::release(call.cpu, handle);
        }
    }
    0
}
