//! Programs that ask for what they should not: the driver refuses, and stays sound.

use std::path::Path;

use anyhow::{Result, ensure};
use flowtag_simulator::{Options, computer::lent_memory::LentMemory, io::OpenError};
use flowtag_tests::windivert::{FlowLayer, Refused, WinDivert};

use super::{Case, ended};

const STATUS_ACCESS_VIOLATION: u32 = 0xC000_0005;
const STATUS_INVALID_PARAMETER: u32 = 0xC000_000D;
const STATUS_INVALID_DEVICE_REQUEST: u32 = 0xC000_0010;
const STATUS_OBJECT_NAME_NOT_FOUND: u32 = 0xC000_0034;
const STATUS_PIPE_EMPTY: u32 = 0xC000_00D9;
const STATUS_INVALID_DEVICE_STATE: u32 = 0xC000_0184;

const RECEIVE: u32 = 0x12_648E;
const FLOW: u32 = 2;
const RECEIVE_ONLY: u64 = 4;

pub const CASES: &[Case] = &[
    Case { name: "a device of another name is not found", run: other_name },
    Case { name: "starting before initializing is refused", run: start_first },
    Case { name: "initializing twice is refused", run: initialize_twice },
    Case { name: "a FLOW layer that does more than look is refused", run: not_sniffing },
    Case { name: "an unknown control code is refused", run: unknown_code },
    Case { name: "receiving before the start is refused", run: receive_first },
    Case { name: "a receive buffer that is not the program's is refused", run: foreign_buffer },
    Case { name: "a receive buffer of a wrong size is refused", run: wrong_size },
    Case { name: "a filter program that does not end is refused", run: endless_filter },
    Case { name: "after a shutdown no event comes, and requests end", run: shut_down },
];

/// On a driver that runs, `misuse` is answered with `status`; afterwards it stops as ever.
fn refused(image: &Path, status: u32, misuse: impl FnOnce(&FlowLayer) -> Result<(), Refused>) -> Result<()> {
    let rig = WinDivert::started(image, Options::default())?;
    let layer = rig.open()?;
    match misuse(&layer) {
        Err(Refused::Status(answer)) => ensure!(answer == status, "it answers {answer:#010x}, not {status:#010x}"),
        Err(other) => return Err(other.into()),
        Ok(()) => anyhow::bail!("it did what it was asked"),
    }
    layer.close()?;
    ended(&rig)
}

fn other_name(image: &Path) -> Result<()> {
    let rig = WinDivert::started(image, Options::default())?;
    let opened = rig.machine.open_file(r"\\.\WinDivert1", 1);
    ensure!(matches!(opened, Err(OpenError::Refused(STATUS_OBJECT_NAME_NOT_FOUND))), "{:?}", opened.map(drop));
    ended(&rig)
}

fn start_first(image: &Path) -> Result<()> {
    refused(image, STATUS_INVALID_DEVICE_STATE, |layer| layer.start(true))
}

fn initialize_twice(image: &Path) -> Result<()> {
    refused(image, STATUS_INVALID_DEVICE_STATE, |layer| {
        layer.initialize()?;
        layer.initialize()
    })
}

fn not_sniffing(image: &Path) -> Result<()> {
    refused(image, STATUS_INVALID_PARAMETER, |layer| layer.initialize_as(FLOW, RECEIVE_ONLY))
}

fn unknown_code(image: &Path) -> Result<()> {
    refused(image, STATUS_INVALID_DEVICE_REQUEST, |layer| layer.control(0x12_E4F1, [0; 2], &[]).map(drop))
}

fn receive_first(image: &Path) -> Result<()> {
    refused(image, STATUS_INVALID_DEVICE_STATE, |layer| {
        layer.initialize()?;
        layer.receive(1)?.events(super::SOON).map(drop)
    })
}

fn foreign_buffer(image: &Path) -> Result<()> {
    refused(image, STATUS_ACCESS_VIOLATION, |layer| {
        layer.initialize()?;
        layer.start(true)?;
        layer.control(RECEIVE, [0x1000, 0], &[]).map(drop)
    })
}

fn wrong_size(image: &Path) -> Result<()> {
    let (addresses, length) = (LentMemory::zeroed(80), LentMemory::zeroed(8));
    length.set(0, 79u32);
    let input = [addresses.address(), length.address()];
    refused(image, STATUS_INVALID_PARAMETER, |layer| {
        layer.initialize()?;
        layer.start(true)?;
        layer.control(RECEIVE, input, &[]).map(drop)
    })
}

fn endless_filter(image: &Path) -> Result<()> {
    refused(image, STATUS_INVALID_PARAMETER, |layer| {
        layer.initialize()?;
        layer.start_with(0xF0, &[0; 24]) // a step that goes on at itself
    })
}

fn shut_down(image: &Path) -> Result<()> {
    let rig = WinDivert::started(image, Options::default())?;
    let layer = rig.open_flow_layer(true)?;
    let flow = rig.machine.open_flow(&flowtag_tests::rig::outbound())?;
    let mut before = layer.receive(1)?;
    ensure!(before.events(super::SOON)?.is_some_and(|events| events.len() == 1), "the event before the shutdown");
    layer.shut_down()?;
    rig.machine.close_flow(flow)?;
    rig.settle();
    let after = layer.receive(1)?.events(super::SOON);
    ensure!(matches!(after, Err(Refused::Status(STATUS_PIPE_EMPTY))), "after the shutdown: {after:?}");
    layer.close()?;
    ended(&rig)
}
