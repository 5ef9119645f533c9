//! What every object has: contexts, references, deletion.

use super::{
    OBJECT_ERROR, STATUS_INSUFFICIENT_RESOURCES, STATUS_SUCCESS, WDF_VIOLATION,
    attributes::{Allows, Attributes},
    device, inputs, invalid_handle, life,
    objects::{self, Object, Phase, State},
    required, row, verifier,
};
use crate::computer::{Call, Export, Fails, Irql};

const STATUS_OBJECT_NAME_EXISTS: u64 = 0x4000_0000;
const STATUS_OBJECT_NAME_INVALID: u64 = 0xC000_0033;
const STATUS_DELETE_PENDING: u64 = 0xC000_0056;

/// What every object has.
pub const EXPORTS: &[Export] = &[
    row("WdfObjectAllocateContext", Irql::DISPATCH, Fails::Status(&[STATUS_INSUFFICIENT_RESOURCES]), allocate)
        .with(inputs::ALLOCATE_CONTEXT),
    row("WdfObjectDelete", Irql::DISPATCH, Fails::Never, delete).with(inputs::OBJECT_DELETE),
    row("WdfObjectDereferenceActual", Irql::DISPATCH, Fails::Never, dereference).with(inputs::REFERENCE),
    row("WdfObjectGetTypedContextWorker", Irql::DISPATCH, Fails::Never, typed_context).with(inputs::TYPED_CONTEXT),
    row("WdfObjectReferenceActual", Irql::DISPATCH, Fails::Never, reference).with(inputs::REFERENCE),
];

/// Where the object's context of the type that is described there is, and how far the object has come.
fn context(call: &Call<'_>, described_at: u64) -> (Option<u64>, Phase) {
    let handle = call.arg(1);
    let found = call.machine.kmdf().with(|state| {
        let entry = state.objects.get(&handle)?;
        let context = entry.contexts.iter().find(|context| context.described_at == described_at);
        Some((context.map(|context| context.at), entry.phase))
    });
    found.unwrap_or_else(|| invalid_handle(call, handle, "object"))
}

/// An object without such a context has NULL: KMDF's handleapi.cpp, `FxObjectGetTypedContext`, which compares addresses.
fn typed_context(call: &Call<'_>) -> u64 {
    objects::check_globals(call);
    required(call, 1);
    let described_at = required(call, 2);
    context(call, described_at).0.unwrap_or(0)
}

/// KMDF's handleapi.cpp, `FxObjectAllocateContext`: the attributes are required, must have a type, and name no parent (drivers
/// of KMDF 1.11 and later); their callbacks are those of the context. fxobject.cpp, `AddContext`: an object that is being
/// deleted gets none.
fn allocate(call: &Call<'_>) -> u64 {
    objects::check_globals(call);
    required(call, 1);
    let context_at = call.arg(3);
    let forbids_parent =
        call.machine.kmdf().with(|state| state.client.as_ref().is_some_and(|client| client.is_at_least(11)));
    let allows = Allows { no_attributes: false, parent: !forbids_parent, level_and_scope: false };
    let attributes = match Attributes::read(call, call.arg(2), allows) {
        Ok(attributes) => attributes,
        Err(status) => return status,
    };
    let Some(kind) = attributes.context else { return STATUS_OBJECT_NAME_INVALID };
    let (address, status) = match context(call, kind.described_at) {
        (_, Phase::Disposed | Phase::Deleted) => return STATUS_DELETE_PENDING,
        (Some(address), _) => (address, STATUS_OBJECT_NAME_EXISTS),
        (None, _) => match life::add_context(call.machine, call.arg(1), attributes, call.caller()) {
            Some(address) => (address, STATUS_SUCCESS),
            None => return STATUS_INSUFFICIENT_RESOURCES.into(),
        },
    };
    if context_at != 0 {
        call.write(context_at, address);
    }
    status
}

/// KMDF's fxobjectapi.cpp: NULL is a missing parameter, not a bad handle.
fn reference(call: &Call<'_>) -> u64 {
    objects::check_globals(call);
    let handle = required(call, 1);
    if !life::reference(call.cpu, handle) {
        invalid_handle(call, handle, "object");
    }
    0
}

/// A reference that the driver does not hold is the framework's own: bug check 0x10D, 7 (its page).
fn dereference(call: &Call<'_>) -> u64 {
    objects::check_globals(call);
    let handle = required(call, 1);
    let held = call.machine.kmdf().with(|state| {
        let entry = state.objects.get(&handle)?;
        Some(entry.references > u64::from(entry.phase != Phase::Deleted))
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

/// KMDF's fxobjectapi.cpp, `WdfObjectDelete`: what the framework deletes itself it only complains of, the driver (fxdriver.cpp,
/// `Initialize`), default queues (fxpkgio.cpp, `InitializeDefaultQueue`) and files (fxfileobject.cpp). Stricter than Windows,
/// where the second deletion of an object that is still referenced is let pass.
fn delete(call: &Call<'_>) -> u64 {
    let handle = call.arg(1);
    objects::with_object(call, "object", |_| Some(()));
    let phase = |state: &mut State| state.objects.get(&handle).map(|entry| entry.phase);
    if call.machine.kmdf().with(phase) == Some(Phase::Deleted) {
        call.bug_check(
            WDF_VIOLATION,
            [OBJECT_ERROR, handle, 0, 0],
            format!("WdfObjectDelete was given {handle:#x}, which has been deleted and only waits for its references"),
        );
    }
    let kept = call.machine.kmdf().with(|state| match state.object(handle) {
        Some(Object::Driver { .. }) => Some("the WDFDRIVER"),
        Some(Object::File(_)) => Some("a WDFFILEOBJECT"),
        Some(Object::Queue(queue)) if queue.is_default => Some("a default WDFQUEUE"),
        _ => None,
    });
    match kept {
        Some(what) => {
            verifier::complain(
                call.cpu,
                format!("WdfObjectDelete was given {what}, which only the framework may delete"),
            );
        }
        None if device::outlives_deletion(call.cpu, handle) => {}
        None => life::delete(call.cpu, handle),
    }
    0
}
