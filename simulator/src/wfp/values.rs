//! What a classify tells a callout: the values of the layer's fields, the metadata, and the layer data.
//!
//! Where each value comes from is in `handed.rs`. Guesses: address types are unicast, there is one interface, the compartment
//! is the default one, `ALE_APP_ID` is the process path byte for byte, and who is in no app container has S-1-0-0 for a
//! package. Tokens, user ids and completion handles do not exist. Packets have lengths but no contents: a network buffer's MDL is not mapped.

use std::net::IpAddr;

use super::{
    abi::{
        FwpByteBlob, FwpValue, FwpsIncomingMetadataValues, FwpsIncomingValues, Mdl, NetBuffer, NetBufferList,
        REAUTHORIZE_REASON_POLICY_CHANGE, condition_flag, data_type, metadata,
    },
    frame::Frame,
    layer::{Field, Layer, Point},
    switches::{FlowHandleField, Switches},
    traffic::{Direction, FlowSpec, Packet},
};

/// `NlatUnicast`.
const UNICAST: u64 = 1;
const INTERFACE_LUID: u64 = 0x6_0080_0000_0000;
const INTERFACE_INDEX: u64 = 12;
const COMPARTMENT: u32 = 1;
const MDL_SIZE: i16 = 48;
/// S-1-0-0.
const NULL_SID: [u8; 12] = [1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
/// Behind a clear metadata bit lies garbage, not a convenient 0.
const GARBAGE: u64 = 0xFEED_FACE_FEED_FACE;

/// What is being classified.
#[derive(Clone, Copy, Debug)]
pub(super) struct Situation<'a> {
    pub(super) layer: Layer,
    pub(super) spec: &'a FlowSpec,
    /// `None` for a packet that belongs to no flow.
    pub(super) flow_handle: Option<u64>,
    /// When the flow is authorized again: the direction of the packet that caused it.
    pub(super) reauthorized_by: Option<Direction>,
    /// It is the first of two authorizations of a redirected connect.
    pub(super) before_redirection: bool,
    pub(super) packet: Option<&'a Packet>,
}

/// Addresses of what was built in a frame.
#[derive(Clone, Copy, Debug)]
pub(super) struct Arguments {
    pub(super) values: u64,
    pub(super) metadata: u64,
    /// 0 when the layer indicates no data.
    pub(super) layer_data: u64,
}

impl Situation<'_> {
    /// Builds everything in `frame`.
    pub(super) fn build(&self, frame: &mut Frame, switches: &Switches) -> Arguments {
        let path = self.spec.path.as_deref().map(|path| blob(frame, path));
        Arguments {
            values: self.values(frame, switches, path),
            metadata: self.metadata(frame, switches, path),
            layer_data: self.packet.map_or(0, |packet| self.net_buffer_list(frame, packet)),
        }
    }

    fn values(&self, frame: &mut Frame, switches: &Switches, path: Option<u64>) -> u64 {
        let mut values = vec![FwpValue::default(); self.layer.field_count()];
        for (value, &field) in values.iter_mut().zip(self.layer.fields()) {
            let empty = switches.empty_fields.contains(&field)
                || (self.reauthorized_by.is_some() && switches.empty_on_reauthorization.contains(&field));
            if !empty {
                *value = self.value(frame, field, path);
            }
        }
        let incoming_value = frame.place_all(&values);
        frame.place(&FwpsIncomingValues {
            layer_id: self.layer.id(),
            value_count: values.len() as u32,
            incoming_value,
            ..FwpsIncomingValues::default()
        })
    }

    fn value(&self, frame: &mut Frame, field: Field, path: Option<u64>) -> FwpValue {
        let of = |value_type, value| FwpValue { value_type, value, ..FwpValue::default() };
        let spec = self.spec;
        match field {
            Field::AppId => path.map_or_else(FwpValue::default, |blob| of(data_type::BYTE_BLOB, blob)),
            Field::LocalAddress => address(frame, spec.local.ip()),
            Field::RemoteAddress => address(frame, spec.remote.ip()),
            Field::LocalAddressType | Field::DestinationAddressType => of(data_type::UINT8, UNICAST),
            Field::LocalPort => of(data_type::UINT16, spec.local.port().into()),
            Field::RemotePort => of(data_type::UINT16, spec.remote.port().into()),
            Field::Protocol => of(data_type::UINT8, spec.protocol.into()),
            Field::LocalInterface => of(data_type::UINT64, frame.place(&INTERFACE_LUID)),
            Field::InterfaceIndex => of(data_type::UINT32, INTERFACE_INDEX),
            Field::SubInterfaceIndex => of(data_type::UINT32, 0),
            Field::Flags => of(data_type::UINT32, self.flags().into()),
            Field::Direction => of(data_type::UINT32, spec.direction.number().into()),
            Field::ReauthorizeReason if self.reauthorized_by.is_some() => {
                of(data_type::UINT32, REAUTHORIZE_REASON_POLICY_CHANGE.into())
            }
            Field::PackageId => {
                let sid = spec.owner.package.as_deref().unwrap_or(&NULL_SID);
                // One thing ends at the guard page: the path, if there is one.
                of(data_type::SID, if path.is_some() { frame.place_all(sid) } else { frame.place_at_guard(sid) })
            }
            Field::ReauthorizeReason | Field::Unfilled => FwpValue::default(),
        }
    }

    fn flags(&self) -> u32 {
        let loopback = if self.spec.remote.ip().is_loopback() { condition_flag::IS_LOOPBACK } else { 0 };
        let again = if self.reauthorized_by.is_some() { condition_flag::IS_REAUTHORIZE } else { 0 };
        let first = if self.before_redirection { condition_flag::IS_HONORING_POLICY_AUTHORIZE } else { 0 };
        loopback | again | first
    }

    fn metadata(&self, frame: &mut Frame, switches: &Switches, path: Option<u64>) -> u64 {
        let mut values = FwpsIncomingMetadataValues {
            flow_handle: GARBAGE,
            process_id: GARBAGE,
            process_path: GARBAGE,
            sub_process_tag: GARBAGE,
            ..FwpsIncomingMetadataValues::default()
        };
        let mut present = 0;
        if let Some(handle) = self.flow_handle {
            present |= metadata::TRANSPORT_ENDPOINT_HANDLE | metadata::COMPARTMENT_ID;
            values.transport_endpoint_handle = handle | 1 << 32;
            values.compartment_id = COMPARTMENT;
            if switches.flow_handle != FlowHandleField::Absent {
                present |= metadata::FLOW_HANDLE;
                values.flow_handle = if switches.flow_handle == FlowHandleField::Zero { 0 } else { handle };
            }
        }
        if let Some(pid) = self.spec.pid {
            present |= metadata::PROCESS_ID;
            values.process_id = pid;
        }
        if let Some(path) = path {
            present |= metadata::PROCESS_PATH;
            values.process_path = path;
        }
        if let Some(tag) = self.spec.owner.service_tag {
            present |= metadata::SUB_PROCESS_TAG;
            values.sub_process_tag = tag;
        }
        if let Some(direction) = self.reauthorized_by {
            present |= metadata::PACKET_DIRECTION;
            values.packet_direction = direction.number();
        }
        if let Some(packet) = self.packet {
            present |= metadata::TRANSPORT_HEADER_SIZE | metadata::IP_HEADER_SIZE;
            values.transport_header_size = packet.transport_header;
            values.ip_header_size = if self.spec.local.is_ipv4() { 20 } else { 40 };
        }
        values.current_metadata_values = present & self.layer.metadata();
        if self.layer.metadata() & metadata::PROCESS_ID == 0 {
            values.process_id = 0; // so it is at the network layers (basil00/WinDivert issue 71); here a guess
            values.process_path = 0;
        }
        frame.place(&values)
    }

    /// One `NET_BUFFER_LIST`, with a `NET_BUFFER` for each part of the packet.
    fn net_buffer_list(&self, frame: &mut Frame, packet: &Packet) -> u64 {
        let header = if self.starts_at_header() { packet.transport_header } else { 0 };
        let mut next = 0;
        // From the last to the first, so that each knows where its successor lies.
        for payload in packet.payloads.iter().rev() {
            let data_length = payload.saturating_add(header);
            let mdl = frame.place(&Mdl { size: MDL_SIZE, byte_count: data_length, ..Mdl::default() });
            let buffer = NetBuffer { next, current_mdl: mdl, mdl_chain: mdl, data_length, ..NetBuffer::default() };
            next = frame.place(&buffer);
        }
        frame.place(&NetBufferList { first_net_buffer: next, ..NetBufferList::default() })
    }

    /// Whether the layer's data starts at the transport header; otherwise it starts behind it.
    fn starts_at_header(&self) -> bool {
        match self.layer.point {
            Point::OutboundTransport => true,
            Point::InboundTransport => false,
            Point::AuthConnect | Point::AuthRecvAccept | Point::FlowEstablished => {
                self.reauthorized_by.unwrap_or(self.spec.direction) == Direction::Outbound
            }
        }
    }
}

/// IPv4 addresses are numbers in host order, IPv6 addresses bytes in network order.
fn address(frame: &mut Frame, address: IpAddr) -> FwpValue {
    let (value_type, value) = match address {
        IpAddr::V4(address) => (data_type::UINT32, u32::from(address).into()),
        IpAddr::V6(address) => (data_type::BYTE_ARRAY16, frame.place(&address.octets())),
    };
    FwpValue { value_type, value, ..FwpValue::default() }
}

fn blob(frame: &mut Frame, bytes: &[u8]) -> u64 {
    let data = frame.place_at_guard(bytes);
    frame.place(&FwpByteBlob { size: bytes.len() as u32, data, ..FwpByteBlob::default() })
}

#[cfg(test)]
#[path = "values_tests.rs"]
mod tests;
