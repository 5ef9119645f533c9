//! The layers that the engine has, and what each of them tells a callout.
//!
//! Five points of the stack, each for IPv4 and IPv6: enough to follow a flow from authorization to its packets. Adding
//! a point is adding a row here. Sources: sections 6 and 7 of the WFP facts.

use super::abi::{Guid, metadata};

/// A point in the stack where the engine calls callouts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Point {
    /// A packet on its way out, at its transport header.
    OutboundTransport,
    /// A packet on its way in, behind its transport header.
    InboundTransport,
    /// An outgoing connection is authorized.
    AuthConnect,
    /// An incoming connection is authorized.
    AuthRecvAccept,
    /// An authorized flow is established.
    FlowEstablished,
}

/// The address family of a layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Family {
    /// IPv4.
    V4,
    /// IPv6.
    V6,
}

/// A layer: a point of the stack for one address family.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Layer {
    /// Where in the stack.
    pub point: Point,
    /// For which addresses.
    pub family: Family,
}

/// A field of a layer, by what it means rather than by its index: the indices differ from layer to layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Field {
    /// `ALE_APP_ID`.
    AppId,
    /// `IP_LOCAL_ADDRESS`.
    LocalAddress,
    /// `IP_LOCAL_ADDRESS_TYPE`.
    LocalAddressType,
    /// `IP_LOCAL_PORT`; for ICMP the type.
    LocalPort,
    /// `IP_PROTOCOL`.
    Protocol,
    /// `IP_REMOTE_ADDRESS`.
    RemoteAddress,
    /// `IP_REMOTE_PORT`; for ICMP the code.
    RemotePort,
    /// `IP_DESTINATION_ADDRESS_TYPE`.
    DestinationAddressType,
    /// `IP_LOCAL_INTERFACE`.
    LocalInterface,
    /// `INTERFACE_INDEX`.
    InterfaceIndex,
    /// `SUB_INTERFACE_INDEX`.
    SubInterfaceIndex,
    /// `FLAGS`.
    Flags,
    /// `DIRECTION`.
    Direction,
    /// `REAUTHORIZE_REASON`.
    ReauthorizeReason,
    /// `ALE_PACKAGE_ID`.
    PackageId,
    /// A field that the engine leaves `FWP_EMPTY`.
    Unfilled,
}

use Field::{
    AppId, DestinationAddressType, Direction, Flags, InterfaceIndex, LocalAddress, LocalAddressType, LocalInterface,
    LocalPort, PackageId, Protocol, ReauthorizeReason, RemoteAddress, RemotePort, SubInterfaceIndex, Unfilled,
};

impl Layer {
    /// All layers.
    pub const ALL: [Self; 10] = {
        const fn both(point: Point) -> [Layer; 2] {
            [Layer { point, family: Family::V4 }, Layer { point, family: Family::V6 }]
        }
        let [a, b] = both(Point::OutboundTransport);
        let [c, d] = both(Point::InboundTransport);
        let [e, f] = both(Point::AuthConnect);
        let [g, h] = both(Point::AuthRecvAccept);
        let [i, j] = both(Point::FlowEstablished);
        [a, b, c, d, e, f, g, h, i, j]
    };

    /// The run-time id, `FWPS_LAYER_*`.
    #[must_use]
    pub const fn id(self) -> u16 {
        let v4 = match self.point {
            Point::InboundTransport => 12,
            Point::OutboundTransport => 16,
            Point::AuthRecvAccept => 44,
            Point::AuthConnect => 48,
            Point::FlowEstablished => 52,
        };
        match self.family {
            Family::V4 => v4,
            Family::V6 => v4 + 2,
        }
    }

    /// The management key, `FWPM_LAYER_*`.
    #[must_use]
    pub const fn key(self) -> Guid {
        use Family::{V4, V6};
        match (self.point, self.family) {
            (Point::InboundTransport, V4) => {
                Guid::new(0x5926_dfc8, 0xe3cf, 0x4426, [0xa2, 0x83, 0xdc, 0x39, 0x3f, 0x5d, 0x0f, 0x9d])
            }
            (Point::InboundTransport, V6) => {
                Guid::new(0x634a_869f, 0xfc23, 0x4b90, [0xb0, 0xc1, 0xbf, 0x62, 0x0a, 0x36, 0xae, 0x6f])
            }
            (Point::OutboundTransport, V4) => {
                Guid::new(0x09e6_1aea, 0xd214, 0x46e2, [0x9b, 0x21, 0xb2, 0x6b, 0x0b, 0x2f, 0x28, 0xc8])
            }
            (Point::OutboundTransport, V6) => {
                Guid::new(0xe173_5bde, 0x013f, 0x4655, [0xb3, 0x51, 0xa4, 0x9e, 0x15, 0x76, 0x2d, 0xf0])
            }
            (Point::AuthConnect, V4) => {
                Guid::new(0xc38d_57d1, 0x05a7, 0x4c33, [0x90, 0x4f, 0x7f, 0xbc, 0xee, 0xe6, 0x0e, 0x82])
            }
            (Point::AuthConnect, V6) => {
                Guid::new(0x4a72_393b, 0x319f, 0x44bc, [0x84, 0xc3, 0xba, 0x54, 0xdc, 0xb3, 0xb6, 0xb4])
            }
            (Point::AuthRecvAccept, V4) => {
                Guid::new(0xe1cd_9fe7, 0xf4b5, 0x4273, [0x96, 0xc0, 0x59, 0x2e, 0x48, 0x7b, 0x86, 0x50])
            }
            (Point::AuthRecvAccept, V6) => {
                Guid::new(0xa3b4_2c97, 0x9f04, 0x4672, [0xb8, 0x7e, 0xce, 0xe9, 0xc4, 0x83, 0x25, 0x7f])
            }
            (Point::FlowEstablished, V4) => {
                Guid::new(0xaf80_470a, 0x5596, 0x4c13, [0x99, 0x92, 0x53, 0x9e, 0x6f, 0xe5, 0x79, 0x67])
            }
            (Point::FlowEstablished, V6) => {
                Guid::new(0x7021_d2b3, 0xdfa4, 0x406e, [0xaf, 0xeb, 0x6a, 0xfa, 0xf7, 0xe7, 0x0e, 0xfd])
            }
        }
    }

    /// The layer with run-time id `id`.
    #[must_use]
    pub fn from_id(id: u16) -> Option<Self> {
        Self::ALL.into_iter().find(|layer| layer.id() == id)
    }

    /// The layer with management key `key`.
    #[must_use]
    pub fn from_key(key: Guid) -> Option<Self> {
        Self::ALL.into_iter().find(|layer| layer.key() == key)
    }

    /// Whether flows are authorized here: a change of its filters makes them be authorized again.
    #[must_use]
    pub fn authorizes(self) -> bool {
        matches!(self.point, Point::AuthConnect | Point::AuthRecvAccept)
    }

    /// The fields by index, up to the last that the engine fills.
    pub(super) fn fields(self) -> &'static [Field] {
        match self.point {
            Point::AuthConnect => AUTH_CONNECT,
            Point::AuthRecvAccept => AUTH_RECV_ACCEPT,
            Point::FlowEstablished => FLOW_ESTABLISHED,
            Point::OutboundTransport => OUTBOUND_TRANSPORT,
            Point::InboundTransport => INBOUND_TRANSPORT,
        }
    }

    /// How many fields the layer has (`FWPS_FIELDS_*_MAX`, Windows 10 2004).
    pub(super) fn field_count(self) -> usize {
        match self.point {
            Point::AuthConnect => 41,
            Point::AuthRecvAccept => 39,
            Point::FlowEstablished => 24,
            Point::OutboundTransport => 16,
            Point::InboundTransport => 15,
        }
    }

    /// The metadata that may be present, of what the engine has.
    pub(super) fn metadata(self) -> u32 {
        use metadata::{
            COMPARTMENT_ID, FLOW_HANDLE, IP_HEADER_SIZE, PACKET_DIRECTION, PROCESS_ID, PROCESS_PATH, SUB_PROCESS_TAG,
            TRANSPORT_ENDPOINT_HANDLE, TRANSPORT_HEADER_SIZE,
        };
        let process = PROCESS_ID | PROCESS_PATH | SUB_PROCESS_TAG;
        let always = FLOW_HANDLE | TRANSPORT_ENDPOINT_HANDLE;
        match self.point {
            Point::AuthConnect => always | process | COMPARTMENT_ID | TRANSPORT_HEADER_SIZE | PACKET_DIRECTION,
            Point::AuthRecvAccept => {
                always | process | COMPARTMENT_ID | IP_HEADER_SIZE | TRANSPORT_HEADER_SIZE | PACKET_DIRECTION
            }
            Point::FlowEstablished => always | process,
            Point::OutboundTransport => always | COMPARTMENT_ID | TRANSPORT_HEADER_SIZE,
            Point::InboundTransport => always | COMPARTMENT_ID | IP_HEADER_SIZE | TRANSPORT_HEADER_SIZE,
        }
    }
}

#[rustfmt::skip]
const AUTH_CONNECT: &[Field] = &[
    AppId, Unfilled, LocalAddress, LocalAddressType, LocalPort, Protocol, RemoteAddress, RemotePort,
    Unfilled, Unfilled, DestinationAddressType, LocalInterface, Flags, Unfilled, Unfilled, InterfaceIndex,
    SubInterfaceIndex, Unfilled, Unfilled, Unfilled, Unfilled, Unfilled, Unfilled, Unfilled,
    Unfilled, Unfilled, Unfilled, Unfilled, ReauthorizeReason, Unfilled, Unfilled, Unfilled,
    Unfilled, PackageId,
];
#[rustfmt::skip]
const AUTH_RECV_ACCEPT: &[Field] = &[
    AppId, Unfilled, LocalAddress, LocalAddressType, LocalPort, Protocol, RemoteAddress, RemotePort,
    Unfilled, Unfilled, LocalInterface, Flags, Unfilled, Unfilled, Unfilled, Unfilled,
    InterfaceIndex, SubInterfaceIndex, Unfilled, Unfilled, Unfilled, Unfilled, Unfilled, Unfilled,
    Unfilled, Unfilled, Unfilled, Unfilled, Unfilled, ReauthorizeReason, Unfilled, Unfilled,
    PackageId,
];
#[rustfmt::skip]
const FLOW_ESTABLISHED: &[Field] = &[
    AppId, Unfilled, LocalAddress, LocalAddressType, LocalPort, Protocol, RemoteAddress, RemotePort,
    Unfilled, Unfilled, DestinationAddressType, LocalInterface, Direction, Unfilled, Unfilled, Flags,
];
#[rustfmt::skip]
const OUTBOUND_TRANSPORT: &[Field] = &[
    Protocol, LocalAddress, LocalAddressType, RemoteAddress, LocalPort, RemotePort, LocalInterface, InterfaceIndex,
    SubInterfaceIndex, DestinationAddressType, Flags,
];
#[rustfmt::skip]
const INBOUND_TRANSPORT: &[Field] = &[
    Protocol, LocalAddress, RemoteAddress, LocalAddressType, LocalPort, RemotePort, LocalInterface, InterfaceIndex,
    SubInterfaceIndex, Flags,
];

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    fn facts() -> Value {
        serde_json::from_str(include_str!("../../../tests/data/wdk-facts.json")).expect("the facts are JSON")
    }

    /// The layer's name as the headers spell it, without prefix.
    fn header_name(layer: Layer) -> String {
        let point = match layer.point {
            Point::OutboundTransport => "OUTBOUND_TRANSPORT",
            Point::InboundTransport => "INBOUND_TRANSPORT",
            Point::AuthConnect => "ALE_AUTH_CONNECT",
            Point::AuthRecvAccept => "ALE_AUTH_RECV_ACCEPT",
            Point::FlowEstablished => "ALE_FLOW_ESTABLISHED",
        };
        format!("{point}_{:?}", layer.family)
    }

    fn suffix(field: Field) -> &'static str {
        match field {
            AppId => "ALE_APP_ID",
            LocalAddress => "IP_LOCAL_ADDRESS",
            LocalAddressType => "IP_LOCAL_ADDRESS_TYPE",
            LocalPort => "IP_LOCAL_PORT",
            Protocol => "IP_PROTOCOL",
            RemoteAddress => "IP_REMOTE_ADDRESS",
            RemotePort => "IP_REMOTE_PORT",
            DestinationAddressType => "IP_DESTINATION_ADDRESS_TYPE",
            LocalInterface => "IP_LOCAL_INTERFACE",
            InterfaceIndex => "INTERFACE_INDEX",
            SubInterfaceIndex => "SUB_INTERFACE_INDEX",
            Flags => "FLAGS",
            Direction => "DIRECTION",
            ReauthorizeReason => "REAUTHORIZE_REASON",
            PackageId => "ALE_PACKAGE_ID",
            Unfilled => unreachable!("has no name"),
        }
    }

    #[test]
    fn layer_ids_are_those_of_the_headers() {
        let facts = facts();
        for layer in Layer::ALL {
            let name = format!("FWPS_LAYER_{}", header_name(layer));
            assert_eq!(facts["enums"]["FWPS_BUILTIN_LAYERS"]["enumerators"][&name], layer.id(), "{name}");
        }
    }

    #[test]
    fn layer_keys_are_those_of_the_headers() {
        let facts = facts();
        for layer in Layer::ALL {
            let name = format!("FWPM_LAYER_{}", header_name(layer));
            let Guid { data1, data2, data3, data4 } = layer.key();
            let data4 = u64::from_be_bytes(data4);
            let ours = format!("{data1:08x}-{data2:04x}-{data3:04x}-{:04x}-{:012x}", data4 >> 48, data4 << 16 >> 16);
            assert_eq!(facts["guids"][&name], ours, "{name}");
        }
    }

    #[test]
    fn fields_have_the_indices_of_the_headers() {
        let facts = facts();
        for layer in Layer::ALL {
            let layer_name = header_name(layer);
            let enumerators = &facts["enums"][format!("FWPS_FIELDS_{layer_name}")]["enumerators"];
            for (index, &field) in layer.fields().iter().enumerate().filter(|(_, field)| **field != Unfilled) {
                let name = format!("FWPS_FIELD_{layer_name}_{}", suffix(field));
                assert_eq!(enumerators[&name], index, "{name}");
            }
        }
    }

    #[test]
    fn field_counts_are_those_of_the_headers() {
        let facts = facts();
        for layer in Layer::ALL {
            let layer_name = header_name(layer);
            let enumerators = &facts["enums"][format!("FWPS_FIELDS_{layer_name}")]["enumerators"];
            assert_eq!(enumerators[format!("FWPS_FIELD_{layer_name}_MAX")], layer.field_count(), "{layer_name}");
        }
    }

    #[test]
    fn transport_layers_do_not_name_the_process() {
        for layer in Layer::ALL {
            let names_process = layer.metadata() & metadata::PROCESS_ID != 0;
            let transport = matches!(layer.point, Point::OutboundTransport | Point::InboundTransport);
            assert_eq!(names_process, !transport, "{layer:?}");
        }
    }
}
