//! A provider comes, says who it is, and goes: `EtwRegister`, `EtwSetInformation`, `EtwUnregister`.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use super::{
    notify,
    state::{Registration, Unseen},
    status,
    switches::{AtRegistration, Refused, Unregister},
    touches,
    tracelogging::Provider,
};
use crate::{
    computer::{Call, Export, Fails, Irql, argument, cpu::SYSTEM, memory},
    interleave,
};

const DRIVER_VERIFIER_DETECTED_VIOLATION: u32 = 0xC4;
/// "An invalid `RegHandle` value" of bug check 0xC4.
const INVALID_REG_HANDLE: u64 = 0xDC;
const MANUALLY_INITIATED_CRASH: u32 = 0xE2;

/// A wait that lasts longer is one that never ends.
const PATIENCE: Duration = Duration::from_secs(30);
/// How often the waiter looks.
const GLANCE: Duration = Duration::from_micros(50);

pub(super) const REGISTER: &str = "EtwRegister";
/// What no registration is known by.
const NO_HANDLE: u64 = 0xFFFF_DEAD_BEEF_0000;

/// The exports of this family. (IRQL: DDI, and `_IRQL_requires_max_(PASSIVE_LEVEL)` in wdm.h.)
pub const EXPORTS: &[Export] = &[
    row(REGISTER, Fails::Status(&[status::NO_MEMORY, status::INVALID_PARAMETER]), register).with(&[
        argument(0, "ProviderId").used("etw::tests::sessions::a_session_hears_only_the_provider_that_it_has_enabled"),
        argument(1, "EnableCallback").used("etw::tests::callbacks::a_provider_hears_that_a_session_wants_it"),
        argument(2, "CallbackContext").used("etw::tests::callbacks::a_provider_hears_that_a_session_wants_it"),
        argument(3, "RegHandle").used("etw::tests::registering::a_registered_provider_has_a_handle"),
    ]),
    row(
        "EtwSetInformation",
        Fails::Status(&[status::INSUFFICIENT_RESOURCES, status::INVALID_PARAMETER, status::INVALID_HANDLE]),
        set_information,
    )
    .with(&[
        argument(0, "RegHandle").used("etw::tests::registering::traits_belong_to_a_registration"),
        argument(1, "InformationClass").values(4, &[2], "evntprov.h: EventProviderSetTraits"),
        argument(2, "EventInformation").used("etw::tests::registering::traits_that_are_malformed_are_reported"),
        argument(3, "InformationLength").used("etw::tests::registering::traits_have_from_3_to_32767_bytes"),
    ]),
    row("EtwUnregister", Fails::Never, unregister)
        .with(&[argument(0, "RegHandle").used("etw::tests::registering::a_provider_is_unregistered_once")]),
];

const fn row(name: &'static str, fails: Fails, run: fn(&Call<'_>) -> u64) -> Export {
    Export { module: "ntoskrnl.exe", name, max_irql: Irql::PASSIVE, fails, run, inputs: &[] }
}

/// The driver breaks a rule of event tracing. What the parameters tell is ours.
pub(super) fn violation(call: &Call<'_>, what: &str) -> ! {
    let text = format!("{} was called {what}", call.name());
    call.bug_check(DRIVER_VERIFIER_DETECTED_VIOLATION, [0, call.arg(0), call.caller(), 0], text)
}

/// DDI: registering is for system threads. Unregistering, too: its page says so, of `EtwRegister`.
fn check_thread(call: &Call<'_>) {
    let process = call.cpu.process();
    if process != SYSTEM {
        violation(call, &format!("by a thread of process {process}; it has to be one of the system's"));
    }
}

/// One build, `EtwpRegisterKMProvider`: the handle is 0 until there is one; a context needs a callback.
fn register(call: &Call<'_>) -> u64 {
    check_thread(call);
    let [provider, callback, context, place] = [0, 1, 2, 3].map(|n| call.arg(n));
    call.callback(callback, "the enable callback");
    let [low, high]: [u64; 2] = call.read(provider);
    call.write(place, 0u64);
    if callback == 0 && context != 0 {
        return status::INVALID_PARAMETER.into();
    }
    let id = u128::from(low) | u128::from(high) << 64;
    let etw = call.machine.etw();
    let handle = etw.state().register(id, callback, context, call.caller());
    match etw.switches().at_registration {
        AtRegistration::HandleFirst => {
            call.write(place, handle);
            notify::tell(call.cpu, handle);
        }
        AtRegistration::CallbackFirst => {
            notify::tell(call.cpu, handle);
            call.write(place, handle);
        }
        AtRegistration::OtherThread => {
            tell_elsewhere(call, handle);
            call.write(place, handle);
        }
        AtRegistration::Later => call.write(place, handle),
    }
    status::SUCCESS.into()
}

/// A registration is refused.
pub(super) fn refuse(call: &Call<'_>) {
    let left = match call.machine.etw().switches().refused {
        Refused::Zero => 0,
        Refused::Number => NO_HANDLE,
    };
    call.write(call.arg(3), left);
}

/// Has another thread call back, and waits for it.
fn tell_elsewhere(call: &Call<'_>, handle: u64) {
    let told = Arc::new(AtomicBool::new(false));
    let done = Arc::clone(&told);
    call.machine.workers().run(call.machine, move |cpu| {
        notify::tell(cpu, handle);
        done.store(true, Ordering::Release);
    });
    call.machine.workers().wait(call.cpu, || told.load(Ordering::Acquire));
}

/// One build, `EtwSetInformation` and `EtwpSetProviderTraitsKm`; that traits are set once is said by Win32 "Provider Traits".
fn set_information(call: &Call<'_>) -> u64 {
    let (handle, information, length) = (call.arg(0), call.arg(2), call.arg_u32(3));
    if handle == 0 {
        return status::INVALID_HANDLE.into();
    }
    if information == 0 || !(3..=0x7FFF).contains(&length) {
        return status::INVALID_PARAMETER.into();
    }
    let bytes = call.accessible(memory::read_bytes(information, length as usize));
    let provider = Provider::read(&bytes).unwrap_or_else(|wrong| violation(call, &format!("with traits: {wrong}")));
    let set = with_registration(call, handle, |registration| {
        let first = registration.traits.is_none();
        if first {
            registration.traits = Some((bytes, provider));
        }
        first
    });
    let status = if set { status::SUCCESS } else { status::UNSUCCESSFUL };
    status.into()
}

/// The registration that a driver names; there has to be one. (DDI has `STATUS_INVALID_HANDLE`. One build answers that to 0
/// and takes any other number for a pointer.)
pub(super) fn with_registration<T>(call: &Call<'_>, handle: u64, f: impl FnOnce(&mut Registration) -> T) -> T {
    let done = call.machine.etw().state().registration(handle).map(f);
    done.unwrap_or_else(|| {
        violation(call, &format!("with the handle {handle:#x}, between no EtwRegister and its EtwUnregister"))
    })
}

/// One build: `EtwUnregister` takes the provider's lock, and frees the registration. Driver Verifier looks for the driver that
/// the return address lies in (one build, `VerifierEtwUnregister`): a tail call is nobody's, and the driver stays registered for
/// it, as microsoft/ebpf-for-windows found (`libs/shared/tracelog.c`).
fn unregister(call: &Call<'_>) -> u64 {
    check_thread(call);
    let handle = call.arg(0);
    let etw = call.machine.etw();
    if etw.state().runs_on(handle) == Some(thread::current().id()) {
        violation(call, "inside the enable callback that it ends: it waits for that");
    }
    let waits = etw.switches().unregister == Unregister::Waits;
    if waits {
        let machine = call.machine.clone();
        let ended = move || machine.etw().state().runs_on(handle).is_none();
        interleave::wait_until("EtwUnregister: no enable callback runs", touches::CHANGED, ended);
    }
    let started = Instant::now();
    let ended = loop {
        {
            let mut state = etw.state();
            if !waits || state.runs_on(handle).is_none() {
                break state.unregister(handle);
            }
        }
        if started.elapsed() > PATIENCE {
            let text = "EtwUnregister never returns: the enable callback does not";
            call.bug_check(MANUALLY_INITIATED_CRASH, [0, handle, 0, 0], text);
        }
        thread::sleep(GLANCE);
        call.cpu.check_alive();
    };
    let Some(ended) = ended else {
        let text = format!(
            "EtwUnregister was given {handle:#x}, which no EtwRegister has handed over, or it is the second time"
        );
        call.bug_check(DRIVER_VERIFIER_DETECTED_VIOLATION, [INVALID_REG_HANDLE, 0, 0, 0], text);
    };
    if ended.writing > 0 {
        violation(call, "while EtwWriteTransfer runs, which would go on with freed memory");
    }
    let image = call.machine.image();
    if image.is_some_and(|image| !image.contains(call.caller())) {
        etw.state().unseen.push(Unseen { handle, caller: ended.caller });
    }
    status::SUCCESS.into()
}
