//! The data of each event, field by field as [`super::event`] has them.
//!
//! IRQL: any: nothing here calls the kernel
use super::payload::Payload;
use crate::{
    details::Details,
    path::Captured,
    tag::{Direction, Origin, Tag},
    totals::Totals,
    trace::{Traffic, Why},
};

/// What is told of a flow.
#[derive(Clone, Copy)]
pub struct Told<'a> {
    /// What names it.
    pub tag: &'a Tag,
    /// What else its authorization has told.
    pub details: &'a Details,
    /// The identifier of its owner's app container.
    pub package: &'a [u8],
    /// Its owner's path.
    pub path: Captured<'a>,
}

/// What a flow has done so far.
#[derive(Clone, Copy)]
pub struct History {
    /// What has been sent.
    pub out: Traffic,
    /// What has been received.
    pub r#in: Traffic,
    /// Since it was tagged, in units of 100 ns.
    pub duration: u64,
}

/// What `FlowOpen` has before its path.
pub fn flow_open(payload: &mut Payload, told: Told) {
    flow(payload, told);
    path_size(payload, told.path);
}

/// What `FlowRundown` has before its path.
pub fn flow_rundown(payload: &mut Payload, told: Told, history: History) {
    flow(payload, told);
    traffic(payload, history);
    path_size(payload, told.path);
}

/// What `FlowClose` has before its path.
pub fn flow_close(payload: &mut Payload, told: Told, history: History, why: Why) {
    flow(payload, told);
    traffic(payload, history);
    payload.u8(why as u8);
    path_size(payload, told.path);
}

#[inline(never)]
fn flow(payload: &mut Payload, Told { tag, details, package, .. }: Told) {
    payload.u64(tag.flow);
    payload.pid(tag.pid);
    payload.u64(details.identity.start_key);
    payload.u64(details.identity.created);
    payload.pid(details.identity.parent);
    payload.u64(details.service_tag);
    payload.bytes(package);
    payload.u8(direction(tag.direction));
    #[expect(clippy::cast_possible_truncation, reason = "it was made of 8 bits")]
    payload.u8(tag.protocol.get().unwrap_or_default() as u8);
    payload.socket_address(tag.family, tag.local);
    payload.socket_address(tag.family, tag.remote);
    payload.u32(details.interface);
    payload.u32(details.compartment);
    payload.u8(match tag.origin {
        Origin::New => 0,
        Origin::Reauth => 1,
    });
}

fn traffic(payload: &mut Payload, history: History) {
    payload.u64(history.out.packets);
    payload.u64(history.r#in.packets);
    payload.u64(history.out.bytes);
    payload.u64(history.r#in.bytes);
    payload.u64(history.duration);
}

fn path_size(payload: &mut Payload, path: Captured) {
    payload.size(size_of_val(path.units()));
}

/// `FirstPacket` and `Packet`.
pub fn packet(payload: &mut Payload, tag: &Tag, details: &Details, way: Direction, bytes: u32) {
    payload.u64(tag.flow);
    payload.pid(tag.pid);
    payload.u64(details.identity.start_key);
    payload.u8(direction(way));
    payload.u32(bytes);
}

/// `Loaded`.
pub fn loaded(payload: &mut Payload, trace_level: u32, max_flows: u32) {
    payload.text(env!("CARGO_PKG_VERSION"));
    payload.u32(trace_level);
    payload.u32(max_flows);
}

/// `LoadFailed`, `Failed`, `Retrying` and `Lost`: what, and what Windows has answered.
pub fn step(payload: &mut Payload, step: &str, status: i32) {
    payload.text(step);
    payload.u32(status.cast_unsigned());
}

/// `Stopping`.
pub fn stopping(payload: &mut Payload, live: u32) {
    payload.u32(live);
}

/// `Totals`.
pub fn totals(payload: &mut Payload, totals: &Totals) {
    for (_, count) in totals.all() {
        payload.u64(count);
    }
}

/// As `FWP_DIRECTION` of fwptypes.h.
const fn direction(direction: Direction) -> u8 {
    match direction {
        Direction::Out => 0,
        Direction::In => 1,
    }
}
