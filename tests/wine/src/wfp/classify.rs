//! Calls of the callouts at a layer.
use core::{
    ffi::c_void,
    net::{IpAddr, SocketAddr},
    ptr,
};

use super::{
    PLATFORM, Platform,
    abi::{Blob, ClassifyFn, ClassifyOut, Metadata, NetBuffer, NetBufferList, Value, Values},
    flow::Flow,
    layer::{Layer, Point, field},
};
use crate::{complain, list::List, nt};

const EMPTY: Value = Value { kind: 0, value: 0 };
/// What is in a member whose bit is not set.
const GARBAGE: u32 = 0xA5A5_A5A5;
/// `FWPS_METADATA_FIELD_…`
const FLOW_HANDLE: u32 = 0x2;
const PROCESS_PATH: u32 = 0x8;
const PROCESS_ID: u32 = 0x20;
const TRANSPORT_HEADER_SIZE: u32 = 0x400;
/// More than any layer has.
const MOST_VALUES: usize = 48;

/// Authorizes a flow: for the first time, or again. `flags` are `FWP_CONDITION_FLAG_…`
pub fn authorize(flow: &Flow, flags: u32) {
    let point = if flow.outbound { Point::Connect } else { Point::Accept };
    let layer = point.layer(flow.local.is_ipv6());
    let addresses = [flow.local, flow.remote].map(octets);
    let mut values = [EMPTY; MOST_VALUES];
    values[field::LOCAL_ADDRESS] = address(flow.local, &addresses[0]);
    values[field::LOCAL_PORT] = Value { kind: 2, value: flow.local.port().into() };
    values[field::PROTOCOL] = Value { kind: 1, value: flow.protocol.into() };
    values[field::REMOTE_ADDRESS] = address(flow.remote, &addresses[1]);
    values[field::REMOTE_PORT] = Value { kind: 2, value: flow.remote.port().into() };
    values[layer.flags] = Value { kind: 3, value: flags.into() };

    // With its NUL.
    let mut path = [0_u16; 200];
    let mut units = 1;
    for (unit, place) in flow.path.as_str().encode_utf16().zip(&mut path) {
        *place = unit;
        units += 1;
    }
    let path = Blob { bytes: 2 * units, data: path.as_ptr().cast() };
    let mut metadata = metadata(flow);
    metadata.present |= PROCESS_PATH | PROCESS_ID;
    metadata.path = &raw const path;
    metadata.pid = flow.pid;
    classify(flow, layer, &values, &metadata, ptr::null_mut());
}

/// Sends or receives a packet. Outbound data begins at the transport header, inbound data behind it. The values of these
/// layers are left empty.
pub fn packet(flow: &Flow, outbound: bool, payload: u32) {
    let point = if outbound { Point::Outbound } else { Point::Inbound };
    let mut metadata = metadata(flow);
    metadata.present |= TRANSPORT_HEADER_SIZE;
    metadata.transport_header = flow.transport_header();
    let length = if outbound { payload + flow.transport_header() } else { payload };
    let buffer = NetBuffer { next: ptr::null(), mdl: ptr::null(), offset: 0, length: length.into() };
    let list = NetBufferList { next: ptr::null(), first: &raw const buffer };
    let data = (&raw const list).cast_mut().cast();
    classify(flow, point.layer(flow.local.is_ipv6()), &[EMPTY; MOST_VALUES], &metadata, data);
}

fn metadata(flow: &Flow) -> Metadata {
    Metadata {
        present: FLOW_HANDLE,
        reserved: [0; 7],
        flow: flow.handle,
        ip_header: GARBAGE,
        transport_header: GARBAGE,
        path: ptr::without_provenance(GARBAGE as usize),
        token: GARBAGE.into(),
        pid: GARBAGE.into(),
        rest: [GARBAGE.into(); 48],
    }
}

fn octets(end: SocketAddr) -> [u8; 16] {
    match end.ip() {
        IpAddr::V4(_) => [0; 16],
        IpAddr::V6(address) => address.octets(),
    }
}

/// IPv4: a number in host order; IPv6: sixteen bytes in network order.
fn address(end: SocketAddr, octets: &[u8; 16]) -> Value {
    match end.ip() {
        IpAddr::V4(address) => Value { kind: 3, value: address.to_bits().into() },
        IpAddr::V6(_) => Value { kind: 11, value: octets.as_ptr().expose_provenance() as u64 },
    }
}

/// Calls every callout that a filter names at the layer, at `DISPATCH_LEVEL`. None may decide: they inspect.
fn classify(flow: &Flow, layer: &Layer, values: &[Value; MOST_VALUES], metadata: &Metadata, data: *mut c_void) {
    const CONTINUE: u32 = 0x2006;
    const ACTION_WRITE: u32 = 1;
    const DISPATCH_LEVEL: u8 = 2;
    let count = u32::try_from(layer.values).unwrap_or_default();
    let values = Values { layer: layer.id, count, list: values.as_ptr() };
    for &(function, context) in PLATFORM.with(|platform| called(platform, flow, layer)).iter() {
        let mut out = ClassifyOut { action: 0, context: 0, filter: 0, rights: ACTION_WRITE, flags: 0, reserved: 0 };
        // SAFETY: any level below will do.
        let irql = unsafe { nt::KfRaiseIrql(DISPATCH_LEVEL) };
        // SAFETY: a registered callout, and structures that outlive the call. There is no filter to show: the driver
        // under test reads none.
        unsafe { function(&raw const values, metadata, data, ptr::null(), ptr::null(), context, &raw mut out) };
        // SAFETY: back to where it was.
        unsafe { nt::KeLowerIrql(irql) };
        if (out.action, out.rights) != (CONTINUE, ACTION_WRITE) {
            complain!("a callout at layer {} answers action {:#x}, rights {:#x}", layer.id, out.action, out.rights);
        }
    }
}

/// The callouts that are called for a flow at a layer, and the context of each.
fn called(platform: &mut Platform, flow: &Flow, layer: &Layer) -> List<(ClassifyFn, u64), 4> {
    let mut called = List::EMPTY;
    for filter in platform.management.filters().filter(|filter| filter.layer == layer.key) {
        // A callout that is not registered is passed over: its filter only inspects.
        let Some(callout) = platform.callouts.iter().find(|callout| callout.key == filter.callout) else { continue };
        let flow = platform.flows.iter().find(|known| known.handle == flow.handle);
        let context = flow.and_then(|flow| {
            flow.contexts.iter().find(|context| (context.layer, context.callout) == (layer.id, callout.id))
        });
        if context.is_some() || !callout.on_flow_only {
            called.push((callout.classify, context.map_or(0, |context| context.value)));
        }
    }
    called
}
