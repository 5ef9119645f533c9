//! `WdfDriverCreate`: what it checks and in which order, and what it leaves in the globals and the driver object.

use super::rig::{DRIVER_UNLOAD, NON_PNP, Rig, attributes, evt_unload};
use crate::computer::{lent_memory::LentMemory, memory};

const NO_DISPATCH_OVERRIDE: u32 = 2;
const COMPANION: u32 = 0x10;
/// `WdfVerifyOn` and `WdfVerifierOn`, which the framework sets for a driver that it verifies.
const VERIFIED: u32 = 0xC;
const INVALID_PARAMETER: u32 = 0xC000_000D;

/// Where the tag, the flags and the name are in the globals.
const FLAGS: u64 = 8;
const TAG: u64 = 12;
const NAME: u64 = 16;

fn config(flags: u32) -> LentMemory {
    let config = LentMemory::zeroed(32);
    config.set(0, 32u32);
    config.set(24, flags);
    config
}

fn global<T: bytemuck::AnyBitPattern + bytemuck::NoUninit>(rig: &Rig, offset: u64) -> T {
    memory::read(rig.globals + offset).expect("the globals")
}

fn tag(service: &str, pool_tag: [u8; 4]) -> [u8; 4] {
    let rig = Rig::bound_as(service);
    let config = config(NON_PNP);
    config.set(28, pool_tag);
    assert_eq!(rig.create_driver_of(&config, 0).0, 0);
    global(&rig, TAG)
}

#[test]
fn flags_are_known_ones() {
    let create = |flags| Rig::bound().create_driver(32, flags, 0).0;
    assert_eq!(create(NON_PNP | COMPANION), 0);
    for unknown in [0x4, 0x8, 0x20, 0x80] {
        assert_eq!(create(NON_PNP | unknown), INVALID_PARAMETER, "{unknown:#x}");
    }
}

#[test]
fn the_drivers_tag_is_its_own_or_the_beginning_of_its_services_name() {
    assert_eq!(tag("flowtag", *b"Mine"), *b"Mine");
    assert_eq!(tag("flowtag", [0; 4]), *b"flow");
    assert_eq!(tag("flowtag", *b"Ddk "), *b"flow", "the tag that old kits give everything");
    assert_eq!(tag("WdfThing", [0; 4]), *b"Thin");
    assert_eq!(tag("abc", [0; 4]), *b"abc\0");
    assert_eq!(tag("wdfab", [0; 4]), [0; 4], "too short: the framework takes one of its own");
}

#[test]
fn the_globals_say_what_the_driver_is_and_that_it_is_verified() {
    let rig = Rig::bound();
    rig.driver();
    assert_eq!(global::<u32>(&rig, FLAGS), NON_PNP | VERIFIED);
    assert_eq!(&global::<[u8; 32]>(&rig, NAME)[..8], b"flowtag\0");
}

#[test]
fn the_driver_object_has_a_dispatch_routine_for_all_requests() {
    let rig = Rig::bound();
    let extension = LentMemory::zeroed(80);
    extension.set(8, 1u64);
    rig.driver_object.set(48, extension.address());
    rig.driver();
    assert!(rig.driver_object.get::<[u64; 28]>(112).iter().all(|&routine| routine != 0));
    assert_eq!(extension.get::<u64>(8), 0, "a non-PnP driver has no AddDevice");
}

#[test]
fn without_dispatch_override_the_driver_object_is_the_drivers() {
    let rig = Rig::bound();
    rig.driver_object.set(DRIVER_UNLOAD, 42u64);
    assert_eq!(rig.create_driver(32, NO_DISPATCH_OVERRIDE, evt_unload as *const () as u64).0, 0);
    assert_eq!((rig.driver_object.get::<u64>(DRIVER_UNLOAD), rig.driver_object.get::<u64>(112)), (42, 0));
}

#[test]
fn a_non_pnp_driver_has_no_add_device_callback_but_without_dispatch_override() {
    let create = |flags| {
        let config = config(flags);
        config.set(8, evt_unload as *const () as u64);
        Rig::bound().create_driver_of(&config, 0).0
    };
    assert_eq!((create(NON_PNP), create(NON_PNP | NO_DISPATCH_OVERRIDE)), (INVALID_PARAMETER, 0));
}

#[test]
fn a_second_driver_is_refused_before_its_attributes_are_looked_at() {
    let rig = Rig::bound();
    rig.driver();
    let (wrong, config) = (attributes(), config(NON_PNP));
    wrong.set(0, 1u32);
    config.set(8, evt_unload as *const () as u64);
    assert_eq!(rig.create_driver_of(&config, wrong.address()).0, 0xC000_0183);
    config.set(24, 0x80u32);
    assert_eq!(rig.create_driver_of(&config, wrong.address()).0, INVALID_PARAMETER, "flags come first");
}

#[test]
fn a_registry_path_that_is_not_well_formed_is_refused() {
    for (place, value) in [(0u64, 3u16), (2, 5), (2, 0)] {
        let rig = Rig::bound();
        rig.registry_path.set(place, value);
        assert_eq!(rig.create_driver(32, NON_PNP, 0).0, INVALID_PARAMETER, "{value} at {place}");
    }
}
