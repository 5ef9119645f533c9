//! What the driver registers with Windows: every field of every callout, object and filter, written down a second time.

use std::sync::{Arc, LazyLock, Mutex, PoisonError};

use flowtag_simulator::computer::Call;
use serde_json::Value;

use flowtag_tests::rig::Rig;

/// What the headers say of structures, layers and types of devices.
static FACTS: LazyLock<Value> =
    LazyLock::new(|| serde_json::from_str(include_str!("../data/wdk-facts.json")).expect("JSON"));

/// Key, layer and name of each callout; the first four authorize, the others are at transport.
const CALLOUTS: [(&str, &str, &str); 8] = [
    ("e1726015-ad43-4667-8aac-7ed60c4f94e5", "FWPM_LAYER_ALE_AUTH_CONNECT_V4", "flowtag connect IPv4"),
    ("c251b864-bf1a-4347-8d3b-677d501f1744", "FWPM_LAYER_ALE_AUTH_CONNECT_V6", "flowtag connect IPv6"),
    ("654690a0-9bc4-42c5-8874-fa901b8dfe83", "FWPM_LAYER_ALE_AUTH_RECV_ACCEPT_V4", "flowtag accept IPv4"),
    ("02050392-b641-4649-b383-087dfcd72e2d", "FWPM_LAYER_ALE_AUTH_RECV_ACCEPT_V6", "flowtag accept IPv6"),
    ("c0c059c2-7a50-425c-b768-08eec3e8d49b", "FWPM_LAYER_OUTBOUND_TRANSPORT_V4", "flowtag outbound IPv4"),
    ("5ccf84ef-8777-4a67-b9fa-1e9f4a859b3b", "FWPM_LAYER_OUTBOUND_TRANSPORT_V6", "flowtag outbound IPv6"),
    ("31f7d674-c999-40dc-aec3-d0b9f5dcc7c0", "FWPM_LAYER_INBOUND_TRANSPORT_V4", "flowtag inbound IPv4"),
    ("f35b4976-5d79-4dc1-b0b2-f84812842c20", "FWPM_LAYER_INBOUND_TRANSPORT_V6", "flowtag inbound IPv6"),
];
/// Key of the filter of each, in the same order.
const FILTERS: [&str; 8] = [
    "0f6bb926-074b-42ec-8e37-4c3fdeb36d33",
    "0d0606eb-de14-4830-a84e-bb3e4012f632",
    "245a639e-dcf0-4905-a2b4-5f4ada3cfba5",
    "ade3086b-b070-476f-b65a-70d54ae990c9",
    "e2335fc5-bafe-4854-872b-f18736cb1455",
    "7a306ebd-c204-4b9e-85d4-14ab431f41c8",
    "2bb38670-b27f-4578-90ef-4aca6e14b493",
    "3c902e11-2c82-4211-b9e4-22225e49c15e",
];
const PROVIDER: &str = "cd8196fb-72fc-438c-8271-3803f3a505e8";
const SUBLAYER: &str = "f59152a0-a16a-45b6-ad79-d2b73a6c3d3b";

/// `FWP_CALLOUT_FLAG_ALLOW_OFFLOAD` and `_ALLOW_RSC`.
const OFFLOADS: u64 = 0x42;
/// `FWP_CALLOUT_FLAG_ALLOW_USO` and `_ALLOW_URO`.
const NEW_OFFLOADS: u64 = 0x300;
/// `FWP_CALLOUT_FLAG_CONDITIONAL_ON_FLOW`.
const CONDITIONAL_ON_FLOW: u64 = 1;

/// A call of an import, as a line: its name and what it passes.
type Calls = Arc<Mutex<Vec<String>>>;

/// Where a member lies in a structure, and its size. `member` may lead through inner structures.
fn place(structure: &str, member: &str) -> (u64, u64) {
    let mut place = (0, 0);
    let mut within = structure.to_owned();
    for name in member.split('.') {
        let fields = FACTS["structs"][&within]["fields"].as_array().expect("a structure");
        let field = fields.iter().find(|field| field["name"] == name).expect("a member");
        place = (place.0 + field["offset"].as_u64().expect("a number"), field["size"].as_u64().expect("a number"));
        within = field["type"].as_str().expect("a type").to_owned();
    }
    place
}

/// A structure that a call points at.
struct Passed<'a>(&'a Call<'a>, u64, &'static str);

impl Passed<'_> {
    fn number(&self, member: &str) -> u64 {
        let (offset, size) = place(self.2, member);
        let at = self.1 + offset;
        match size {
            2 => self.0.read::<u16>(at).into(),
            4 => self.0.read::<u32>(at).into(),
            8 => self.0.read(at),
            _ => panic!("{member} has {size} bytes"),
        }
    }

    fn guid(&self, member: &str) -> String {
        guid(self.0, self.1 + place(self.2, member).0)
    }

    fn name(&self) -> String {
        let start = self.number("displayData.name");
        let units = (0..).map(|n| self.0.read::<u16>(start + 2 * n)).take_while(|unit| *unit != 0);
        String::from_utf16(&units.collect::<Vec<_>>()).expect("UTF-16")
    }

    /// The key of the provider that it names.
    fn provider(&self) -> String {
        match self.number("providerKey") {
            0 => "-".into(),
            key => guid(self.0, key),
        }
    }
}

/// The GUID at an address, as text.
fn guid(call: &Call<'_>, at: u64) -> String {
    let (a, b, c) = (call.read::<u32>(at), call.read::<u16>(at + 4), call.read::<u16>(at + 6));
    let d = u64::from_be_bytes(call.read(at + 8));
    format!("{a:08x}-{b:04x}-{c:04x}-{:04x}-{:012x}", d >> 48, d & 0xFFFF_FFFF_FFFF)
}

/// What the structures of a call say, in a line.
fn describe(call: &Call<'_>) -> Option<String> {
    let passed = |n, structure| Passed(call, call.arg(n), structure);
    let described = match call.name() {
        "FwpsCalloutRegister2" => {
            let callout = passed(1, "FWPS_CALLOUT2");
            let has = |function| callout.number(function) != 0;
            assert!(call.machine.device_objects().reference(call.arg(0)), "it is registered for a device object");
            call.machine.device_objects().dereference(call.arg(0));
            assert!(has("classifyFn") && has("notifyFn"));
            registered(&callout.guid("calloutKey"), callout.number("flags"), has("flowDeleteFn"))
        }
        "FwpmEngineOpen0" => {
            let [server, identity] = [call.arg(0), call.arg(2)];
            let session = passed(3, "FWPM_SESSION0");
            let [flags, wait] = ["flags", "txnWaitTimeoutInMSec"].map(|member| session.number(member));
            let (authentication, key) = (call.arg_u32(1), session.guid("sessionKey"));
            format!(
                "session {} server={server} authentication={authentication} identity={identity} key={key} flags={flags} \
                 wait={wait}",
                session.name()
            )
        }
        "FwpmTransactionBegin0" => format!("begin flags={}", call.arg_u32(1)),
        "FwpmTransactionCommit0" => "commit".into(),
        "FwpmProviderAdd0" => {
            let provider = passed(1, "FWPM_PROVIDER0");
            let (flags, service) = (provider.number("flags"), provider.number("serviceName"));
            format!("provider {} {} flags={flags} service={service}", provider.name(), provider.guid("providerKey"))
        }
        "FwpmSubLayerAdd0" => {
            let sublayer = passed(1, "FWPM_SUBLAYER0");
            let (key, provider) = (sublayer.guid("subLayerKey"), sublayer.provider());
            let (flags, weight) = (sublayer.number("flags"), sublayer.number("weight"));
            format!("sublayer {} {key} flags={flags} provider={provider} weight={weight}", sublayer.name())
        }
        "FwpmCalloutAdd0" => {
            let callout = passed(1, "FWPM_CALLOUT0");
            let (key, layer) = (callout.guid("calloutKey"), callout.guid("applicableLayer"));
            let (flags, provider) = (callout.number("flags"), callout.provider());
            format!("callout {} {key} flags={flags} provider={provider} layer={layer}", callout.name())
        }
        "FwpmFilterAdd0" => {
            let filter = passed(1, "FWPM_FILTER0");
            let [key, layer, sublayer, callout] =
                ["filterKey", "layerKey", "subLayerKey", "action.calloutKey"].map(|member| filter.guid(member));
            let [flags, weight, conditions, action, context] =
                ["flags", "weight.type", "numFilterConditions", "action.type", "rawContext"]
                    .map(|member| filter.number(member));
            format!(
                "filter {} {key} flags={flags} provider={} layer={layer} sublayer={sublayer} weight={weight} \
                 conditions={conditions} action={action:#x} callout={callout} context={context}",
                filter.name(),
                filter.provider()
            )
        }
        _ => return None,
    };
    Some(described)
}

fn registered(key: &str, flags: u64, flow_delete: bool) -> String {
    format!("registered {key} flags={flags:#x} flow_delete={flow_delete}")
}

/// Starts the driver, and tells what it registered on the way.
fn start(rig: &Rig) -> Vec<String> {
    let calls = Calls::default();
    let seen = Arc::clone(&calls);
    rig.machine.on_import(move |call| {
        if let Some(line) = describe(call) {
            seen.lock().unwrap_or_else(PoisonError::into_inner).push(line);
        }
    });
    rig.start().unwrap();
    rig.machine.on_import(|_| {});
    rig.stop();
    let calls = calls.lock().unwrap_or_else(PoisonError::into_inner);
    calls.clone()
}

/// How each callout is registered, the last first, with these flags beside those of its role.
fn registrations(flags: &[u64]) -> Vec<String> {
    let mut lines = Vec::new();
    for (n, (key, ..)) in CALLOUTS.iter().enumerate().rev() {
        let transport = n >= 4;
        let role = if transport { CONDITIONAL_ON_FLOW } else { 0 };
        lines.extend(flags.iter().map(|flags| registered(key, flags | role, transport)));
    }
    lines
}

#[test]
fn each_callout_is_registered_with_its_flags_for_the_driver_s_device() {
    let mut calls = start(&Rig::installed(&[]));
    calls.retain(|call| call.starts_with("registered"));
    assert_eq!(calls, registrations(&[OFFLOADS | NEW_OFFLOADS]));
}

#[test]
fn a_callout_whose_newer_flags_are_refused_is_registered_again_without_them_and_else_the_same() {
    let rig = Rig::installed(&[]);
    rig.set(|switches| switches.known_callout_flags = u32::try_from(OFFLOADS | CONDITIONAL_ON_FLOW).unwrap());
    let mut calls = start(&rig);
    calls.retain(|call| call.starts_with("registered"));
    assert_eq!(calls, registrations(&[OFFLOADS | NEW_OFFLOADS, OFFLOADS]));
    let said = (0..8).rev().map(|n| format!("flowtag: offload flags refused callout={n} status=0xc000000d"));
    assert_eq!(rig.lines_of("offload"), said.collect::<Vec<_>>());
}

#[test]
fn one_transaction_of_one_session_adds_provider_sublayer_callouts_and_filters() {
    let mut calls = start(&Rig::installed(&[]));
    calls.retain(|call| !call.starts_with("registered"));
    let layer = |name: &str| FACTS["guids"][name].as_str().expect("a layer").to_owned();
    let mut expected = vec![
        "session flowtag server=0 authentication=10 identity=0 key=00000000-0000-0000-0000-000000000000 flags=0 wait=0"
            .to_owned(),
        "begin flags=0".to_owned(),
        format!("provider flowtag {PROVIDER} flags=0 service=0"),
        format!("sublayer flowtag {SUBLAYER} flags=0 provider={PROVIDER} weight=0"),
    ];
    expected.extend(CALLOUTS.map(|(key, at, name)| {
        let layer = layer(at);
        format!("callout {name} {key} flags=0 provider={PROVIDER} layer={layer}")
    }));
    expected.extend(CALLOUTS.iter().zip(FILTERS).map(|((key, at, name), filter)| {
        let layer = layer(at);
        format!(
            "filter {name} {filter} flags=0 provider={PROVIDER} layer={layer} sublayer={SUBLAYER} weight=0 conditions=0 \
             action=0x6004 callout={key} context=0"
        )
    }));
    expected.push("commit".to_owned());
    assert_eq!(calls, expected);
}

/// Until its initialization is finished, nothing is sent to a control device (DDI `WdfControlFinishInitializing`).
#[test]
fn the_device_of_the_callouts_is_one_for_networks_and_its_initialization_is_finished_before_they_are_registered() {
    let rig = Rig::installed(&[]);
    let calls = Calls::default();
    let seen = Arc::clone(&calls);
    rig.machine.on_import(move |call| {
        let name = call.name();
        let described = match name {
            "WdfDeviceInitSetDeviceType" => format!("{name} {:#x}", call.arg_u32(2)),
            "WdfDeviceCreate" | "WdfControlFinishInitializing" | "FwpsCalloutRegister2" => name.to_owned(),
            _ => return,
        };
        seen.lock().unwrap_or_else(PoisonError::into_inner).push(described);
    });
    rig.start().unwrap();
    let first: Vec<_> = calls.lock().unwrap().iter().take(4).cloned().collect();
    let network = FACTS["constants"]["file_device"]["FILE_DEVICE_NETWORK"]["hex"].as_str().expect("a type of device");
    let device_type = format!("WdfDeviceInitSetDeviceType {network}");
    assert_eq!(first, [&device_type, "WdfDeviceCreate", "WdfControlFinishInitializing", "FwpsCalloutRegister2"]);
    rig.stop();
}
