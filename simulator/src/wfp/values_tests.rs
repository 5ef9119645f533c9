//! What callouts are told, read back as a driver would read it.

use super::super::{Owner, frame::Frames, layer::Family};
use super::*;
use crate::computer::memory;

const OUT: Layer = Layer { point: Point::OutboundTransport, family: Family::V4 };
const IN: Layer = Layer { point: Point::InboundTransport, family: Family::V4 };
const CONNECT: Layer = Layer { point: Point::AuthConnect, family: Family::V4 };
const CONNECT_V6: Layer = Layer { point: Point::AuthConnect, family: Family::V6 };

fn spec() -> FlowSpec {
    FlowSpec {
        pid: Some(4242),
        path: Some(b"a\0b\0\0\0".to_vec()),
        owner: Owner::default(),
        direction: Direction::Outbound,
        protocol: 17,
        local: "10.0.0.5:50123".parse().unwrap(),
        remote: "93.184.216.34:443".parse().unwrap(),
    }
}

fn situation(layer: Layer, spec: &FlowSpec) -> Situation<'_> {
    Situation { layer, spec, flow_handle: Some(0x2a1), reauthorized_by: None, before_redirection: false, packet: None }
}

/// Builds `situation` and hands its addresses to `check` while they are valid.
fn built<T>(situation: &Situation<'_>, switches: &Switches, check: impl FnOnce(Arguments) -> T) -> T {
    let frames = Frames::new(crate::referee::Watch::Closely);
    let mut frame = frames.take();
    let arguments = situation.build(&mut frame, switches);
    check(arguments)
}

fn value_at(arguments: Arguments, index: u64) -> FwpValue {
    let values: FwpsIncomingValues = memory::read(arguments.values).unwrap();
    memory::read(values.incoming_value + index * 16).unwrap()
}

fn metadata_at(arguments: Arguments) -> FwpsIncomingMetadataValues {
    memory::read(arguments.metadata).unwrap()
}

fn built_metadata(situation: &Situation<'_>, switches: &Switches) -> FwpsIncomingMetadataValues {
    built(situation, switches, metadata_at)
}

#[test]
fn ipv4_addresses_are_in_host_order() {
    let spec = spec();
    let value = built(&situation(CONNECT, &spec), &Switches::default(), |arguments| value_at(arguments, 2));
    assert_eq!((value.value_type, value.value), (data_type::UINT32, 0x0A00_0005));
}

#[test]
fn ipv6_addresses_are_behind_a_pointer() {
    let spec = FlowSpec { local: "[2001:db8::1]:1".parse().unwrap(), remote: "[::1]:2".parse().unwrap(), ..spec() };
    built(&situation(CONNECT_V6, &spec), &Switches::default(), |arguments| {
        let value = value_at(arguments, 2);
        let bytes = memory::read_bytes(value.value, 16).unwrap();
        assert_eq!((value.value_type, &bytes[..4]), (data_type::BYTE_ARRAY16, &[0x20, 0x01, 0x0d, 0xb8][..]));
    });
}

#[test]
fn ports_are_in_host_order() {
    let spec = spec();
    let value = built(&situation(CONNECT, &spec), &Switches::default(), |arguments| value_at(arguments, 4));
    assert_eq!((value.value_type, value.value), (data_type::UINT16, 50123));
}

#[test]
fn an_authorization_names_process_and_flow() {
    let spec = spec();
    let metadata = built_metadata(&situation(CONNECT, &spec), &Switches::default());
    assert_eq!((metadata.process_id, metadata.flow_handle), (4242, 0x2a1));
}

#[test]
fn the_path_is_the_blob_that_the_flow_was_opened_with() {
    let spec = spec();
    let path = built(&situation(CONNECT, &spec), &Switches::default(), |arguments| {
        let blob: FwpByteBlob = memory::read(metadata_at(arguments).process_path).unwrap();
        memory::read_bytes(blob.data, blob.size as usize).unwrap()
    });
    assert_eq!(Some(path), spec.path);
}

#[test]
fn a_transport_layer_names_the_flow_but_no_process() {
    let spec = spec();
    let metadata = built_metadata(&situation(OUT, &spec), &Switches::default());
    let process = metadata::PROCESS_ID | metadata::PROCESS_PATH;
    assert_eq!(metadata.current_metadata_values & (process | metadata::FLOW_HANDLE), metadata::FLOW_HANDLE);
}

#[test]
fn a_process_that_is_unknown_has_no_metadata_bit() {
    let spec = FlowSpec { pid: None, path: None, ..spec() };
    let metadata = built_metadata(&situation(CONNECT, &spec), &Switches::default());
    assert_eq!(metadata.current_metadata_values & (metadata::PROCESS_ID | metadata::PROCESS_PATH), 0);
}

#[test]
fn a_flow_handle_that_is_absent_leaves_garbage_behind_a_clear_bit() {
    let (spec, switches) = (spec(), Switches { flow_handle: FlowHandleField::Absent, ..Switches::default() });
    let metadata = built_metadata(&situation(CONNECT, &spec), &switches);
    assert_eq!((metadata.current_metadata_values & metadata::FLOW_HANDLE, metadata.flow_handle), (0, GARBAGE));
}

#[test]
fn the_packet_direction_is_known_only_when_a_flow_is_authorized_again() {
    let spec = spec();
    let first = situation(CONNECT, &spec);
    let again = Situation { reauthorized_by: Some(Direction::Inbound), ..first };
    let direction = |situation| {
        let metadata = built_metadata(situation, &Switches::default());
        (metadata.current_metadata_values & metadata::PACKET_DIRECTION != 0).then_some(metadata.packet_direction)
    };
    assert_eq!((direction(&first), direction(&again)), (None, Some(1)));
}

#[test]
fn authorizing_again_sets_the_flag() {
    let spec = spec();
    let again = Situation { reauthorized_by: Some(Direction::Outbound), ..situation(CONNECT, &spec) };
    let flags = built(&again, &Switches::default(), |arguments| value_at(arguments, 12));
    assert_eq!(flags.value, u64::from(condition_flag::IS_REAUTHORIZE));
}

#[test]
fn the_first_classify_of_a_redirected_connect_is_no_reauthorization() {
    let spec = spec();
    let first = Situation { before_redirection: true, ..situation(CONNECT, &spec) };
    let flags = built(&first, &Switches::default(), |arguments| value_at(arguments, 12));
    assert_eq!(flags.value, u64::from(condition_flag::IS_HONORING_POLICY_AUTHORIZE));
}

#[test]
fn fields_can_be_empty_when_a_flow_is_authorized_again() {
    let spec = spec();
    let switches = Switches { empty_on_reauthorization: vec![Field::RemoteAddress], ..Switches::default() };
    let again = Situation { reauthorized_by: Some(Direction::Inbound), ..situation(CONNECT, &spec) };
    let remote = built(&again, &switches, |arguments| value_at(arguments, 6));
    assert_eq!(remote, FwpValue::default());
}

/// The `DataLength` of each `NET_BUFFER`.
fn data_lengths(layer: Layer, packet: &Packet) -> Vec<u32> {
    let spec = spec();
    lengths_in(&Situation { packet: Some(packet), ..situation(layer, &spec) })
}

fn lengths_in(situation: &Situation<'_>) -> Vec<u32> {
    built(situation, &Switches::default(), |arguments| {
        let list: NetBufferList = memory::read(arguments.layer_data).unwrap();
        let mut lengths = Vec::new();
        let mut next = list.first_net_buffer;
        while next != 0 {
            let buffer: NetBuffer = memory::read(next).unwrap();
            lengths.push(buffer.data_length);
            next = buffer.next;
        }
        lengths
    })
}

#[test]
fn outbound_buffers_start_at_the_transport_header() {
    let packet = Packet { payloads: vec![100, 50], transport_header: 8 };
    assert_eq!(data_lengths(OUT, &packet), [108, 58]);
}

#[test]
fn inbound_buffers_start_at_the_payload() {
    let packet = Packet { payloads: vec![100, 50], transport_header: 8 };
    assert_eq!(data_lengths(IN, &packet), [100, 50]);
}

#[test]
fn buffers_of_an_authorization_start_where_those_of_its_packet_do() {
    let (spec, packet) = (spec(), Packet { payloads: vec![100], transport_header: 8 });
    let connect = Situation { packet: Some(&packet), ..situation(CONNECT, &spec) };
    let again = |direction| Situation { reauthorized_by: Some(direction), ..connect };
    let lengths =
        [connect, again(Direction::Outbound), again(Direction::Inbound)].map(|situation| lengths_in(&situation));
    assert_eq!(lengths, [[108], [108], [100]]);
}

#[test]
fn a_packet_without_a_flow_has_no_flow_handle() {
    let spec = spec();
    let lost = Situation { flow_handle: None, ..situation(OUT, &spec) };
    let metadata = built_metadata(&lost, &Switches::default());
    assert_eq!(metadata.current_metadata_values & metadata::FLOW_HANDLE, 0);
}

#[test]
fn a_buffer_is_no_longer_than_its_length_can_say() {
    let packet = Packet { payloads: vec![u32::MAX], transport_header: 20 };
    assert_eq!(data_lengths(OUT, &packet), [u32::MAX]);
}

#[test]
fn a_service_tag_is_told_or_leaves_garbage_behind_a_clear_bit() {
    let service = FlowSpec { owner: Owner { service_tag: Some(0x55), ..Owner::default() }, ..spec() };
    let tag = |spec: &FlowSpec| {
        let metadata = built_metadata(&situation(CONNECT, spec), &Switches::default());
        (metadata.current_metadata_values & metadata::SUB_PROCESS_TAG, metadata.sub_process_tag)
    };
    assert_eq!(tag(&service), (metadata::SUB_PROCESS_TAG, 0x55));
    assert_eq!(tag(&spec()), (0, GARBAGE));
}

#[test]
fn a_transport_layer_tells_no_service_tag() {
    let spec = FlowSpec { owner: Owner { service_tag: Some(0x55), ..Owner::default() }, ..spec() };
    let metadata = built_metadata(&situation(OUT, &spec), &Switches::default());
    assert_eq!(metadata.current_metadata_values & metadata::SUB_PROCESS_TAG, 0);
}

#[test]
fn a_package_is_behind_a_pointer_and_nobody_is_s_1_0_0() {
    let sid = [1, 1, 0, 0, 0, 0, 0, 15, 2, 0, 0, 0];
    let package = |package: Option<&[u8]>| {
        let owner = Owner { package: package.map(<[u8]>::to_vec), ..Owner::default() };
        let spec = FlowSpec { owner, ..spec() };
        built(&situation(CONNECT, &spec), &Switches::default(), |arguments| {
            let value = value_at(arguments, 33);
            assert_eq!(value.value_type, data_type::SID);
            memory::read_bytes(value.value, 12).unwrap()
        })
    };
    assert_eq!(package(Some(&sid)), sid);
    assert_eq!(package(None), [1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
}
