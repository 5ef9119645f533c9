//! The service's `Parameters` key.

use super::{
    STATUS_INSUFFICIENT_RESOURCES, STATUS_SUCCESS,
    attributes::{Allows, Attributes},
    inputs, life,
    objects::{self, Object},
    required, row, string, verifier,
};
use crate::{
    computer::{Call, Export, Fails, Irql, memory},
    kernel::registry::Value,
};

const STATUS_BUFFER_OVERFLOW: u64 = 0x8000_0005;
const STATUS_ACCESS_DENIED: u32 = 0xC000_0022;
const STATUS_OBJECT_TYPE_MISMATCH: u32 = 0xC000_0024;
const STATUS_OBJECT_NAME_NOT_FOUND: u32 = 0xC000_0034;

/// `STANDARD_RIGHTS_READ` is part of it.
const KEY_READ: u32 = 0x2_0019;
const GENERIC_READ: u32 = 0x8000_0000;

/// Registry keys.
pub const EXPORTS: &[Export] = &[
    row(
        "WdfDriverOpenParametersRegistryKey",
        Irql::PASSIVE,
        Fails::Status(&[STATUS_ACCESS_DENIED, STATUS_OBJECT_NAME_NOT_FOUND, STATUS_INSUFFICIENT_RESOURCES]),
        open_parameters,
    )
    .with(inputs::OPEN_PARAMETERS),
    row(
        "WdfRegistryQueryULong",
        Irql::PASSIVE,
        Fails::Status(&[STATUS_OBJECT_NAME_NOT_FOUND, STATUS_OBJECT_TYPE_MISMATCH, STATUS_INSUFFICIENT_RESOURCES]),
        query_ulong,
    )
    .with(inputs::QUERY_ULONG),
    row("WdfRegistryClose", Irql::PASSIVE, Fails::Never, close).with(inputs::OF_KEY),
];

/// The first framework that opens the key to read it, and does not create it.
const OPENS_TO_READ: u32 = 33;

/// What lies on the framework's stack behind a value that is too short: anything.
const STACK: [u8; 4] = [0xA5; 4];

/// Opens the key. KMDF's core/km/fxdriverapikm.cpp: 1.31 (tag win-10.0.19041.1) creates it if need be, whatever it is opened
/// for; 1.33 (tag win-10.0.20348.1) opens it for reading by `IoOpenDriverRegistryKey`, which creates nothing (DDI), and
/// creates it for anything else.
fn open_parameters(call: &Call<'_>) -> u64 {
    objects::check_globals(call);
    let key_at = required(call, 4);
    call.write(key_at, 0u64);
    let attributes = verifier::check_passive(call).and_then(|()| Attributes::read(call, call.arg(3), Allows::PARENT));
    let attributes = match attributes {
        Ok(attributes) => attributes,
        Err(status) => return status,
    };
    objects::with_object(call, "WDFDRIVER", |object| matches!(object, Object::Driver { .. }).then_some(()));
    let kmdf = call.machine.kmdf();
    let service = kmdf.with(|state| state.client.as_ref().map(|client| client.registry_path.clone()));
    let registry = call.machine.registry();
    let Some(service) = service.filter(|service| registry.has_key(service)) else {
        return STATUS_OBJECT_NAME_NOT_FOUND.into();
    };
    let name = format!(r"{service}\Parameters");
    let only_reads = call.arg_u32(2) & !(KEY_READ | GENERIC_READ) == 0;
    if !only_reads || kmdf.minor() < OPENS_TO_READ {
        registry.create_key(&name);
    } else if !registry.has_key(&name) {
        return STATUS_OBJECT_NAME_NOT_FOUND.into();
    }
    match objects::create(call, Object::Key(name), attributes, Some(call.arg(1))) {
        Ok(key) => {
            call.write(key_at, key);
            STATUS_SUCCESS
        }
        Err(status) => status,
    }
}

/// KMDF's fxregistryapi.cpp, `WdfRegistryQueryULong`, and fxregkeykm.cpp, `_QueryULong`: its buffer has room for four bytes. A
/// longer `REG_DWORD` is answered so, and of a shorter one four bytes are copied all the same.
fn query_ulong(call: &Call<'_>) -> u64 {
    let key = objects::with_object(call, "WDFKEY", |object| match object {
        Object::Key(name) => Some(name.clone()),
        _ => None,
    });
    let (name_at, value_at) = (required(call, 2), required(call, 3));
    let name = match verifier::check_passive(call).and_then(|()| string::text(call, name_at)) {
        Ok(name) => name,
        Err(status) => return status,
    };
    let bytes = match call.machine.registry().get(&key, &name) {
        Some(Value::Dword(value)) => value.to_le_bytes().to_vec(),
        Some(Value::OddDword(bytes)) => bytes,
        Some(_) => return STATUS_OBJECT_TYPE_MISMATCH.into(),
        None => return STATUS_OBJECT_NAME_NOT_FOUND.into(),
    };
    if bytes.len() > STACK.len() {
        return STATUS_BUFFER_OVERFLOW;
    }
    let copied: Vec<u8> = bytes.iter().chain(&STACK).copied().take(STACK.len()).collect();
    call.accessible(memory::write_bytes(value_at, &copied));
    STATUS_SUCCESS
}

/// KMDF's fxregistryapi.cpp, `WdfRegistryClose`.
fn close(call: &Call<'_>) -> u64 {
    objects::with_object(call, "WDFKEY", |object| matches!(object, Object::Key(_)).then_some(()));
    if verifier::check_passive(call).is_ok() {
        life::delete(call.cpu, call.arg(1));
    }
    0
}
