//! The engine with a driver: a small native one, made of win64 functions, and calls of the imports themselves.

mod bfe_state;
mod classifying;
mod contexts;
mod for_other_drivers;
mod inputs;
mod managing;
mod one_build;
mod stress;

use std::{
    cell::{Cell, RefCell},
    ptr,
};

use super::{
    BusyUntil, DyingFlow, ExistingContext, FlowEnd, HandleReuse, IrqlChoice, PathMemory, PendingAnswer, Removal,
    SecondContext, Switches, UnknownFlow, WriteRight, WrongAnswer,
    abi::{
        FwpValue, FwpmCallout, FwpmFilter, FwpmSession, FwpmSubLayer, FwpsCallout, FwpsClassifyOut, FwpsFilter,
        FwpsIncomingMetadataValues, FwpsIncomingValues, Guid, SESSION_FLAG_DYNAMIC, action,
    },
    layer::{Family, Layer, Point},
    status::{self, Status},
    traffic::{Direction, FlowSpec, Owner, Packet},
};
use crate::{
    Machine, Options,
    computer::{Cpu, Irql},
    kernel::device_object::DeviceObject,
    windows,
};

const CONNECT: Layer = Layer { point: Point::AuthConnect, family: Family::V4 };
const OUT: Layer = Layer { point: Point::OutboundTransport, family: Family::V4 };
const CONDITIONAL: u32 = super::abi::callout_flag::CONDITIONAL_ON_FLOW;

/// What a classifyFn was told.
#[derive(Clone, Copy, Debug)]
struct Told {
    layer: u16,
    handle: u64,
    flow_context: u64,
    filter_context: u64,
    /// Addresses of the arguments.
    values: u64,
    metadata: u64,
    classify_out: u64,
}

/// What the driver does in its classifyFn, besides noting the call.
type OnClassify = Box<dyn Fn(Told)>;

/// What it does in its flowDeleteFn, with the context.
type OnDelete = Box<dyn Fn(u64)>;

thread_local! {
    static TOLD: RefCell<Vec<Told>> = const { RefCell::new(Vec::new()) };
    /// Layer, callout and context of each flowDeleteFn.
    static DELETED: RefCell<Vec<(u64, u64, u64)>> = const { RefCell::new(Vec::new()) };
    /// Kind and key address of each notifyFn.
    static NOTIFIED: RefCell<Vec<(u64, u64)>> = const { RefCell::new(Vec::new()) };
    /// What notifyFn makes the filter's context.
    static FILTER_CONTEXT: Cell<Option<u64>> = const { Cell::new(None) };
    static NOTIFY_ANSWER: Cell<Status> = const { Cell::new(status::SUCCESS) };
    static ON_CLASSIFY: RefCell<Option<OnClassify>> = const { RefCell::new(None) };
    static ON_DELETE: RefCell<Option<OnDelete>> = const { RefCell::new(None) };
}

extern "win64" fn classify_fn(
    values: *const FwpsIncomingValues,
    metadata: *const FwpsIncomingMetadataValues,
    _layer_data: u64,
    _classify_context: u64,
    filter: *const FwpsFilter,
    flow_context: u64,
    classify_out: *mut FwpsClassifyOut,
) {
    // SAFETY: the engine's arguments, valid during this call.
    let layer = unsafe { (*values).layer_id };
    // SAFETY: as above.
    let handle = unsafe { (*metadata).flow_handle };
    // SAFETY: as above.
    let filter_context = unsafe { (*filter).context };
    let (values, metadata, classify_out) = (values as u64, metadata as u64, classify_out as u64);
    let told = Told { layer, handle, flow_context, filter_context, values, metadata, classify_out };
    TOLD.with_borrow_mut(|all| all.push(told));
    ON_CLASSIFY.with_borrow(|act| {
        if let Some(act) = act {
            act(told);
        }
    });
}

extern "win64" fn notify_fn(kind: u64, key: u64, filter: *mut FwpsFilter) -> Status {
    NOTIFIED.with_borrow_mut(|all| all.push((kind, key)));
    if let Some(context) = FILTER_CONTEXT.get() {
        // SAFETY: the engine's argument, valid during this call.
        unsafe { (*filter).context = context };
    }
    NOTIFY_ANSWER.get()
}

extern "win64" fn flow_delete_fn(layer: u64, callout: u64, context: u64) {
    DELETED.with_borrow_mut(|all| all.push((layer, callout, context)));
    ON_DELETE.with_borrow(|act| {
        if let Some(act) = act {
            act(context);
        }
    });
}

/// Sets the action that a classify answers.
fn answer(told: Told, action: u32) {
    let out = ptr::with_exposed_provenance_mut::<FwpsClassifyOut>(told.classify_out as usize);
    // SAFETY: the engine's argument, valid during the classify that `told` is of.
    unsafe { (*out).action_type = action };
}

/// Calls the import `name` from driver code, inside a callback.
fn from_driver(name: &str, arguments: [u64; 4]) -> Status {
    let address = windows::address("fwpkclnt.sys", name).expect("the simulator has it");
    // SAFETY: an import stub is a win64 function; it ignores arguments that its export does not have.
    let import: extern "win64" fn(u64, u64, u64, u64) -> Status = unsafe { std::mem::transmute(address) };
    let [a, b, c, d] = arguments;
    import(a, b, c, d)
}

fn told() -> Vec<Told> {
    TOLD.with_borrow(Clone::clone)
}

fn told_layers() -> Vec<u16> {
    told().iter().map(|told| told.layer).collect()
}

fn deleted() -> Vec<u64> {
    DELETED.with_borrow(|all| all.iter().map(|(_, _, context)| *context).collect())
}

fn on_classify(act: impl Fn(Told) + 'static) {
    ON_CLASSIFY.set(Some(Box::new(act)));
}

fn on_delete(act: impl Fn(u64) + 'static) {
    ON_DELETE.set(Some(Box::new(act)));
}

/// The IRQL at which the driver runs now.
fn irql() -> Irql {
    Cpu::with_current(|cpu| cpu.expect("driver code runs on a CPU").irql())
}

fn key(number: u32) -> Guid {
    Guid::new(number, 0, 0, [0; 8])
}

fn spec() -> FlowSpec {
    FlowSpec {
        pid: Some(4242),
        path: Some(b"p\0\0\0".to_vec()),
        owner: Owner::default(),
        direction: Direction::Outbound,
        protocol: 6,
        local: "10.0.0.5:50123".parse().unwrap(),
        remote: "93.184.216.34:443".parse().unwrap(),
    }
}

fn packet() -> Packet {
    Packet::new(6, 100)
}

/// What the driver registers.
fn callout(number: u32, flags: u32, flow_delete_fn: u64) -> FwpsCallout {
    FwpsCallout {
        callout_key: key(number),
        flags,
        classify_fn: classify_fn as *const () as u64,
        notify_fn: notify_fn as *const () as u64,
        flow_delete_fn,
        ..FwpsCallout::default()
    }
}

/// How large a `DEVICE_OBJECT` is.
const DEVICE_OBJECT: usize = 336;

/// A machine with the driver's device object, dynamic session and sub-layer 1. What the driver notes is the thread's.
struct Rig {
    machine: Machine,
    device: DeviceObject,
    session: u64,
}

impl Rig {
    fn new() -> Self {
        TOLD.take();
        DELETED.take();
        NOTIFIED.take();
        NOTIFY_ANSWER.set(status::SUCCESS);
        ON_CLASSIFY.take();
        ON_DELETE.take();
        let machine = Machine::new(Options::default());
        let device = machine.device_objects().create(DEVICE_OBJECT);
        let mut rig = Self { machine, device, session: 0 };
        rig.session = rig.open(SESSION_FLAG_DYNAMIC).expect("BFE runs");
        assert_eq!(rig.add_sublayer(1, true), status::SUCCESS);
        rig
    }

    /// A machine with `callout` 2 registered and a match-all inspection filter for it at `layer`.
    fn inspecting(layer: Layer, flags: u32) -> (Self, u32) {
        let rig = Self::new();
        let id = rig.register(2, flags);
        assert_eq!(rig.add_callout(2, layer), status::SUCCESS);
        assert_eq!(rig.add_filter(2, layer, action::CALLOUT_INSPECTION), status::SUCCESS);
        (rig, id)
    }

    /// The same with a terminating filter.
    fn terminating(layer: Layer) -> Self {
        let rig = Self::new();
        rig.register(2, 0);
        assert_eq!(rig.add_callout(2, layer), status::SUCCESS);
        assert_eq!(rig.add_filter(2, layer, action::CALLOUT_TERMINATING), status::SUCCESS);
        rig
    }

    fn set(&self, change: impl FnOnce(&mut Switches)) {
        self.machine.wfp().set(change);
    }

    /// Calls an import as the driver does at `PASSIVE_LEVEL`.
    fn import(&self, name: &'static str, arguments: &[u64]) -> Status {
        let address = windows::address("fwpkclnt.sys", name).expect("the simulator has it");
        self.machine.run(|cpu| cpu.call(address, name, arguments) as Status).expect("no bug check")
    }

    fn open(&self, flags: u32) -> Result<u64, Status> {
        let session = FwpmSession { flags, ..FwpmSession::default() };
        let mut handle = 0u64;
        let arguments = [0, 10, 0, &raw const session as u64, &raw mut handle as u64];
        match self.import("FwpmEngineOpen0", &arguments) {
            status::SUCCESS => Ok(handle),
            failure => Err(failure),
        }
    }

    fn close(&self) -> Status {
        self.import("FwpmEngineClose0", &[self.session])
    }

    fn register(&self, number: u32, flags: u32) -> u32 {
        let (status, id) = self.try_register(number, flags, flow_delete_fn as *const () as u64);
        assert_eq!(status, status::SUCCESS);
        id
    }

    fn try_register(&self, number: u32, flags: u32, flow_delete_fn: u64) -> (Status, u32) {
        let callout = callout(number, flags, flow_delete_fn);
        let mut id = 0u32;
        let arguments = [self.device.address(), &raw const callout as u64, &raw mut id as u64];
        (self.import("FwpsCalloutRegister2", &arguments), id)
    }

    fn unregister(&self, id: u32) -> Status {
        self.import("FwpsCalloutUnregisterById0", &[id.into()])
    }

    fn add_sublayer(&self, number: u32, named: bool) -> Status {
        let name = [u16::from(b'n'), 0];
        let sublayer = FwpmSubLayer {
            sub_layer_key: key(number),
            name: if named { name.as_ptr() as u64 } else { 0 },
            ..FwpmSubLayer::default()
        };
        self.import("FwpmSubLayerAdd0", &[self.session, &raw const sublayer as u64, 0])
    }

    fn add_callout(&self, number: u32, layer: Layer) -> Status {
        let name = [u16::from(b'n'), 0];
        let callout = FwpmCallout {
            callout_key: key(number),
            name: name.as_ptr() as u64,
            applicable_layer: layer.key(),
            ..FwpmCallout::default()
        };
        self.import("FwpmCalloutAdd0", &[self.session, &raw const callout as u64, 0, 0])
    }

    /// A match-all filter for callout `number`, in sub-layer 1.
    fn add_filter(&self, number: u32, layer: Layer, action_type: u32) -> Status {
        let name = [u16::from(b'n'), 0];
        let filter = FwpmFilter {
            name: name.as_ptr() as u64,
            layer_key: layer.key(),
            sub_layer_key: key(1),
            weight: FwpValue::default(),
            action_type,
            action_callout_key: key(number),
            ..FwpmFilter::default()
        };
        self.import("FwpmFilterAdd0", &[self.session, &raw const filter as u64, 0, 0])
    }

    fn associate(&self, flow: u64, layer: Layer, callout: u32, context: u64) -> Status {
        self.import("FwpsFlowAssociateContext0", &[flow, layer.id().into(), callout.into(), context])
    }

    fn remove(&self, flow: u64, layer: Layer, callout: u32) -> Status {
        self.import("FwpsFlowRemoveContext0", &[flow, layer.id().into(), callout.into()])
    }

    fn open_flow(&self) -> super::FlowHandle {
        self.machine.open_flow(&spec()).expect("no bug check")
    }

    fn send(&self, flow: super::FlowHandle) -> super::Verdict {
        self.machine.transport(flow, Direction::Outbound, &packet()).expect("no bug check")
    }
}
