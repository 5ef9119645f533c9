//! Load and unload, in order.
use wdk_sys::{
    NTSTATUS, PCUNICODE_STRING, PDRIVER_OBJECT, STATUS_INSUFFICIENT_RESOURCES, STATUS_OBJECT_NAME_NOT_FOUND,
    STATUS_SUCCESS, WDFDRIVER,
};

use crate::{
    bfe::{self, CHANGES},
    callouts::{self, authorize::AUTHORIZING},
    consumers::{self, CAPTURES},
    demand, engine,
    etw::{self, Id, fields},
    failure::Failure,
    flow,
    kmdf::{ControlDevice, Driver, Parameters},
    life, print, processes,
    settings::{MAX_FLOWS, Setting, Stored, TRACE_LEVEL},
    sync::DispatchMutex,
    totals::TOTALS,
    unload,
};

/// The device, from its creation until unload.
static DEVICE: DispatchMutex<Option<ControlDevice>> = DispatchMutex::new(None);

/// Loads the driver, or undoes what was done of it: KMDF does not call `EvtDriverUnload` for a `DriverEntry` that fails
/// (fxlibrarycommon.cpp, `FxLibraryCommonUnregisterClient`).
///
/// # Safety
/// The arguments are those of `DriverEntry`.
pub unsafe fn load(object: PDRIVER_OBJECT, registry_path: PCUNICODE_STRING) -> NTSTATUS {
    // SAFETY: the caller's promise.
    match unsafe { start(object, registry_path) } {
        Ok(()) => STATUS_SUCCESS,
        Err(Failure { step, status }) => {
            print::life(|line| life::failed(line, step, status));
            etw::write(Id::LoadFailed, |payload| fields::step(payload, step, status));
            tear_down();
            status
        }
    }
}

/// `EvtDriverUnload`.
///
/// IRQL: `PASSIVE_LEVEL`
///
/// # Safety
/// Called by KMDF only.
unsafe extern "C" fn unload(_driver: WDFDRIVER) {
    print::life(|line| life::stopping(line, flow::live()));
    etw::write(Id::Stopping, |payload| fields::stopping(payload, flow::live()));
    tear_down();
}

/// Everything that a classify reads is there before the filters are committed, and nothing after that can fail. Where the filter
/// engine does not run yet, that comes later.
///
/// # Safety
/// As for [`load`].
unsafe fn start(object: PDRIVER_OBJECT, registry_path: PCUNICODE_STRING) -> Result<(), Failure> {
    // SAFETY: nothing calls the driver yet.
    unsafe { AUTHORIZING.initialize() };
    // SAFETY: as above.
    unsafe { CHANGES.initialize() };
    // SAFETY: as above.
    unsafe { CAPTURES.initialize() };
    print::life(life::loading);
    // Before anything that can fail, so that there is an event for it.
    let status = consumers::welcome();
    if status < 0 {
        print::life(|line| life::no_events(line, status));
    }
    // SAFETY: the caller's promise.
    let driver = unsafe { Driver::create(object, registry_path, unload) }?;
    let parameters = driver.parameters();
    let trace_level = setting(&parameters, &TRACE_LEVEL);
    let max_flows = setting(&parameters, &MAX_FLOWS);
    drop(parameters);
    print::set_level(trace_level);
    demand::update();
    let device = driver.create_control_device()?;
    let device_object = device.wdm();
    *DEVICE.lock() = Some(device);
    flow::allocate_ring(max_flows).ok_or(Failure { step: "ExAllocatePool2", status: STATUS_INSUFFICIENT_RESOURCES })?;
    processes::watch();
    callouts::register(device_object.cast())?;
    bfe::follow(device_object.cast())?;
    print::life(|line| life::loaded(line, trace_level, max_flows));
    etw::write(Id::Loaded, |payload| fields::loaded(payload, trace_level, max_flows));
    Ok(())
}

/// Undoes a load, or as much of one as was reached, from the end.
fn tear_down() {
    let in_engine = bfe::unsubscribe();
    AUTHORIZING.wait();
    // Nobody asks whose a flow is any more.
    processes::stop_watching();
    unload::drain();
    if in_engine {
        engine::leave();
    }
    unload::unregister_callouts();
    print::life(|line| life::totals(line, &TOTALS));
    etw::write(Id::Totals, |payload| fields::totals(payload, &TOTALS));
    consumers::dismiss();
    processes::free();
    flow::free_ring();
    let device = DEVICE.lock().take();
    drop(device);
}

/// The value of a setting. One that cannot be used is worth a line, not a failure.
fn setting(parameters: &Result<Parameters, NTSTATUS>, setting: &Setting) -> u32 {
    let stored = match parameters {
        Ok(parameters) => parameters.number(setting.name),
        // WdfDriverCreate writes `Parameters\Wdf` (KMDF's globalskm.cpp, RegisterClientVersion), so this takes a write that
        // KMDF has not managed and does not report.
        Err(STATUS_OBJECT_NAME_NOT_FOUND) => Stored::Absent,
        Err(_) => Stored::Unreadable,
    };
    let choice = setting.choose(stored);
    if choice.refused {
        print::life(|line| life::refused(line, setting, stored, choice.used));
    }
    choice.used
}
