//! Queues of requests: which one is presented next, and what becomes of the others.
//!
//! KMDF's fxioqueue.cpp. Whoever brings a request to a queue, or ends one of it, looks whether the next can be presented, and
//! goes on until none can; who ends a request inside a handler leaves that to the loop that called the handler.

use std::collections::VecDeque;

use super::{
    STATUS_SUCCESS, WDF_VIOLATION, inputs, life,
    objects::{self, Object, State},
    request::{self, Owner},
    required, row, verifier,
};
use crate::computer::{Call, Cpu, Export, Fails, Irql};

const STATUS_NO_MORE_ENTRIES: u32 = 0x8000_001A;
const STATUS_INVALID_DEVICE_REQUEST: u32 = 0xC000_0010;
const STATUS_INVALID_DEVICE_STATE: u32 = 0xC000_0184;
const STATUS_CANCELLED: u32 = 0xC000_0120;
/// wdfstatus.h.
const STATUS_WDF_BUSY: u32 = 0xC020_0204;

/// Parameter 1 of [`WDF_VIOLATION`]: a queue cannot go on.
const QUEUE_FATAL_ERROR: u64 = 0xA;

/// How a queue presents its requests: `WDF_IO_QUEUE_DISPATCH_TYPE`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// One at a time.
    Sequential,
    /// So many at a time.
    Parallel(u32),
    /// None: the driver fetches them.
    Manual,
}

/// A queue's callbacks, or 0.
#[derive(Clone, Copy, Debug)]
pub(super) struct Handlers {
    pub(super) control: u64,
    pub(super) default: u64,
    pub(super) canceled_on_queue: u64,
}

/// A `WDFQUEUE`.
#[derive(Debug)]
pub(super) struct Queue {
    kind: Kind,
    handlers: Handlers,
    device: u64,
    /// Its callbacks run at `PASSIVE_LEVEL`.
    passive: bool,
    /// It is where its device's requests go.
    pub(super) is_default: bool,
    /// Requests that nobody has taken out.
    waiting: VecDeque<u64>,
    /// Requests that the driver had before, and that were cancelled while they waited here.
    cancelled: VecDeque<u64>,
    /// How many of its requests the driver has.
    owned: u32,
    /// How many threads are in its loop.
    dispatching: u32,
    /// It takes more requests.
    accepts: bool,
    /// Who hears that it is empty after a purge, with its context.
    purged: Option<[u64; 2]>,
}

/// What a queue does next.
enum Step {
    TellCancelled(u64),
    TellPurged([u64; 2]),
    Present(u64),
}

impl Queue {
    pub(super) fn new(kind: Kind, handlers: Handlers, device: u64, passive: bool) -> Self {
        Self {
            kind,
            handlers,
            device,
            passive,
            is_default: false,
            waiting: VecDeque::new(),
            cancelled: VecDeque::new(),
            owned: 0,
            dispatching: 0,
            accepts: true,
            purged: None,
        }
    }

    fn is_at_rest(&self) -> bool {
        self.waiting.is_empty() && self.owned == 0
    }

    /// KMDF's fxioqueue.cpp, the loop of `DispatchEvents`.
    fn next_step(&mut self) -> Option<Step> {
        if let Some(request) = self.cancelled.pop_front() {
            return Some(Step::TellCancelled(request));
        }
        if self.is_at_rest()
            && self.dispatching == 1
            && let Some(purged) = self.purged.take()
        {
            return Some(Step::TellPurged(purged));
        }
        let may_present = match self.kind {
            Kind::Manual => false,
            Kind::Sequential => self.owned == 0,
            Kind::Parallel(most) => self.owned < most,
        };
        let request = if may_present { self.waiting.pop_front() } else { None };
        self.owned += u32::from(request.is_some());
        request.map(Step::Present)
    }
}

/// What is done with queues.
pub const EXPORTS: &[Export] = &[
    row("WdfDeviceEnqueueRequest", Irql::DISPATCH, Fails::Status(&[STATUS_INVALID_DEVICE_REQUEST]), enqueue)
        .with(inputs::ENQUEUE),
    row("WdfIoQueuePurge", Irql::DISPATCH, Fails::Never, purge).with(inputs::QUEUE_PURGE),
    row("WdfIoQueueRetrieveNextRequest", Irql::DISPATCH, Fails::Status(&[STATUS_NO_MORE_ENTRIES]), next_request)
        .with(inputs::NEXT_REQUEST),
    row("WdfRequestForwardToIoQueue", Irql::DISPATCH, Fails::Status(&[STATUS_WDF_BUSY]), forward).with(inputs::FORWARD),
];

impl State {
    fn queue(&mut self, handle: u64) -> Option<&mut Queue> {
        match self.object_mut(handle)? {
            Object::Queue(queue) => Some(queue),
            _ => None,
        }
    }

    /// Puts a request at the end of a queue; false when that takes none.
    fn append(&mut self, queue: u64, request: u64) -> bool {
        let Some(taker) = self.queue(queue).filter(|queue| queue.accepts) else { return false };
        taker.waiting.push_back(request);
        if let Some(request) = self.request(request) {
            request.owner = Owner::Queue(queue);
        }
        true
    }
}

/// Sends a request of a program's to a queue. One that takes none ends it: KMDF's fxioqueue.cpp, `QueueRequest`.
pub(super) fn send(cpu: &Cpu, queue: u64, request: u64) {
    if cpu.machine().kmdf().with(|state| state.append(queue, request)) {
        dispatch(cpu, queue);
    } else {
        request::complete(cpu, request, STATUS_INVALID_DEVICE_STATE, 0);
    }
}

/// Sends a request that the driver has to a queue: KMDF's fxioqueue.cpp, `QueueRequestFromForward`.
fn pass_on(cpu: &Cpu, queue: u64, request: u64) -> Result<(), u32> {
    if !cpu.machine().kmdf().with(|state| state.append(queue, request)) {
        return Err(STATUS_WDF_BUSY);
    }
    dispatch(cpu, queue);
    Ok(())
}

/// What `f` takes from the queue with this handle.
fn with_queue<T>(call: &Call<'_>, handle: u64, f: impl FnOnce(&Queue) -> T) -> T {
    objects::with_object_of(call, handle, "WDFQUEUE", |object| match object {
        Object::Queue(queue) => Some(f(queue)),
        _ => None,
    })
}

/// `WdfDeviceEnqueueRequest`: to the device's default queue. KMDF's fxpkgio.cpp, `EnqueueRequest`.
fn enqueue(call: &Call<'_>) -> u64 {
    let request = call.arg(2);
    let queue = objects::with_object(call, "WDFDEVICE", |object| match object {
        Object::Device(device) => Some(device.default_queue),
        _ => None,
    });
    let owner = objects::with_object_of(call, request, "WDFREQUEST", |object| match object {
        Object::Request(request) => Some(request.owner),
        _ => None,
    });
    if owner != Owner::Caller && verifier::is_on(call) {
        verifier::complain(call.cpu, "WdfDeviceEnqueueRequest is for requests that EvtIoInCallerContext has");
        return STATUS_INVALID_DEVICE_REQUEST.into();
    }
    let Some(queue) = queue else {
        verifier::complain(call.cpu, "WdfDeviceEnqueueRequest was called for a device without a default queue");
        return STATUS_INVALID_DEVICE_REQUEST.into();
    };
    pass_on(call.cpu, queue, request).map_or_else(u64::from, |()| STATUS_SUCCESS)
}

/// `WdfRequestForwardToIoQueue`: KMDF's fxioqueue.cpp, `VerifyForwardRequest` and `ForwardRequestWorker`; fxrequestapi.cpp,
/// `VerifyWdfRequestForwardToIoQueue`, for a request that was in no queue.
fn forward(call: &Call<'_>) -> u64 {
    objects::check_globals(call);
    let (request, to) = (call.arg(1), call.arg(2));
    let to_device = with_queue(call, to, |queue| queue.device);
    let owner = request::with_request(call, |request| request.owner);
    let Owner::Driver(from) = owner else {
        verifier::complain(call.cpu, "WdfRequestForwardToIoQueue is for requests that a queue has presented");
        return STATUS_INVALID_DEVICE_REQUEST.into();
    };
    let device = call.machine.kmdf().with(|state| state.queue(from).map(|queue| queue.device));
    if verifier::is_on(call) && (from == to || device != Some(to_device)) {
        verifier::complain(call.cpu, "WdfRequestForwardToIoQueue was given the same queue, or one of another device");
        return STATUS_INVALID_DEVICE_REQUEST.into();
    }
    match pass_on(call.cpu, to, request) {
        Ok(()) => {
            has_left(call.cpu, from);
            STATUS_SUCCESS
        }
        Err(status) => status.into(),
    }
}

/// `WdfIoQueueRetrieveNextRequest`: KMDF's fxioqueue.cpp, `VerifyGetRequestUpdateFlags` and `GetRequest`.
fn next_request(call: &Call<'_>) -> u64 {
    let queue = call.arg(1);
    objects::check_globals(call);
    let (kind, owned) = with_queue(call, queue, |queue| (queue.kind, queue.owned));
    let request_at = required(call, 2);
    if kind == Kind::Sequential && owned == 0 && verifier::is_on(call) {
        verifier::complain(
            call.cpu,
            "WdfIoQueueRetrieveNextRequest races with a sequential queue that presents by itself",
        );
    }
    call.write(request_at, 0u64);
    if matches!(kind, Kind::Parallel(_)) {
        return STATUS_INVALID_DEVICE_STATE.into();
    }
    let next = call.machine.kmdf().with(|state| {
        let next = state.queue(queue)?.waiting.pop_front()?;
        state.hand_over(queue, next);
        if let Some(queue) = state.queue(queue) {
            queue.owned += 1;
        }
        Some(next)
    });
    call.write(request_at, next.unwrap_or(0));
    if next.is_some() { STATUS_SUCCESS } else { STATUS_NO_MORE_ENTRIES.into() }
}

impl State {
    /// The driver gets a request of a queue.
    fn hand_over(&mut self, queue: u64, request: u64) {
        if let Some(request) = self.request(request) {
            request.owner = Owner::Driver(queue);
            request.presented = true;
        }
    }
}

/// Presents what can be presented, and tells the driver what it is to hear.
fn dispatch(cpu: &Cpu, queue: u64) {
    let machine = cpu.machine();
    let waits_for_passive = |state: &mut State| state.queue(queue).is_some_and(|queue| queue.passive);
    if cpu.irql() > Irql::PASSIVE && machine.kmdf().with(waits_for_passive) {
        life::put_off(cpu, move |cpu| dispatch(cpu, queue));
        return;
    }
    let enter = |state: &mut State| state.queue(queue).map(|queue| queue.dispatching += 1);
    if machine.kmdf().with(enter).is_none() {
        return;
    }
    let next = |state: &mut State| {
        let dispatched = state.queue(queue)?;
        let step = dispatched.next_step();
        dispatched.dispatching -= u32::from(step.is_none());
        let handlers = dispatched.handlers;
        if let Some(Step::Present(request)) = step {
            state.hand_over(queue, request);
        }
        Some((step?, handlers))
    };
    while let Some((step, handlers)) = machine.kmdf().with(next) {
        match step {
            Step::TellCancelled(request) => {
                cpu.call(handlers.canceled_on_queue, "EvtIoCanceledOnQueue", &[queue, request]);
            }
            Step::TellPurged([callback, context]) => {
                cpu.call(callback, "PurgeComplete", &[queue, context]);
            }
            Step::Present(request) => present(cpu, queue, request, handlers),
        }
    }
}

/// KMDF's fxioqueue.cpp, `DispatchRequestToDriver`.
fn present(cpu: &Cpu, queue: u64, request: u64, handlers: Handlers) {
    if handlers.control != 0 {
        let [output, input, code] = request::control_parameters(cpu, request).unwrap_or_default();
        cpu.call(handlers.control, "EvtIoDeviceControl", &[queue, request, output, input, code]);
    } else if handlers.default != 0 {
        cpu.call(handlers.default, "EvtIoDefault", &[queue, request]);
    } else {
        request::complete(cpu, request, STATUS_INVALID_DEVICE_REQUEST, 0);
    }
}

/// A request that the driver had of a queue has ended or gone elsewhere: KMDF's fxioqueue.hpp, `RequestCompletedCallback` and
/// `DispatchInternalEvents`.
pub(super) fn has_left(cpu: &Cpu, queue: u64) {
    let is_idle = cpu.machine().kmdf().with(|state| {
        let queue = state.queue(queue)?;
        queue.owned = queue.owned.saturating_sub(1);
        Some(queue.dispatching == 0)
    });
    if is_idle == Some(true) {
        dispatch(cpu, queue);
    }
}

/// `WdfIoQueuePurge`: takes no more requests and cancels those that wait; whoever waits hears of it when the driver has ended
/// the others, too. A second one that waits is bug check 0x10D, 0xA. KMDF's fxioqueue.cpp, `QueuePurge`.
fn purge(call: &Call<'_>) -> u64 {
    let queue = call.arg(1);
    objects::check_globals(call);
    let busy = with_queue(call, queue, |queue| queue.purged.is_some());
    let callback = call.callback(call.arg(2), "PurgeComplete");
    let context = call.arg(3);
    if callback != 0 && busy {
        let text = format!("WdfIoQueuePurge was called for {queue:#x}, which is being purged for somebody else");
        call.bug_check(WDF_VIOLATION, [QUEUE_FATAL_ERROR, queue, 0, 0], text);
    }
    cancel_all(call.cpu, queue, (callback != 0).then_some([callback, context]));
    0
}

/// Cancels what waits in a queue, and has it take no more.
fn cancel_all(cpu: &Cpu, queue: u64, purged: Option<[u64; 2]>) {
    let kmdf = cpu.machine().kmdf();
    let begin = |state: &mut State| {
        let queue = state.queue(queue)?;
        queue.accepts = false;
        queue.purged = purged.or(queue.purged);
        Some(())
    };
    if kmdf.with(begin).is_none() {
        return;
    }
    while let Some(request) = kmdf.with(|state| state.queue(queue)?.waiting.front().copied()) {
        cancel(cpu, request);
    }
    dispatch(cpu, queue);
}

/// What a queue does on its way out: it is purged, and waits until the driver has ended its requests. KMDF's fxioqueue.cpp,
/// `Dispose`. Other objects have nothing to do.
pub(super) fn dispose(cpu: &Cpu, queue: u64) {
    cancel_all(cpu, queue, None);
    let machine = cpu.machine();
    let at_rest =
        |state: &mut State| state.queue(queue).is_none_or(|queue| queue.is_at_rest() && queue.dispatching == 0);
    machine.workers().wait(cpu, || machine.kmdf().with(at_rest));
}

/// Cancels a request that waits in a queue; false when the driver has it in hand. One that the driver had before goes to
/// `EvtIoCanceledOnQueue`, if there is one: KMDF's fxioqueue.cpp, `CancelForQueue`.
pub(super) fn cancel(cpu: &Cpu, request: u64) -> bool {
    let taken = cpu.machine().kmdf().with(|state| {
        let Owner::Queue(handle) = state.request(request)?.owner else { return None };
        let presented = state.request(request)?.presented;
        let queue = state.queue(handle)?;
        queue.waiting.retain(|&waiting| waiting != request);
        let is_told = presented && queue.handlers.canceled_on_queue != 0;
        if is_told {
            queue.owned += 1;
            queue.cancelled.push_back(request);
            state.hand_over(handle, request);
        }
        Some((handle, is_told))
    });
    let Some((queue, is_told)) = taken else { return false };
    if !is_told {
        request::complete(cpu, request, STATUS_CANCELLED, 0);
    }
    let is_idle = |state: &mut State| state.queue(queue).is_some_and(|queue| queue.dispatching == 0);
    if cpu.machine().kmdf().with(is_idle) {
        dispatch(cpu, queue);
    }
    true
}
