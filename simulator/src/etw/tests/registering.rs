use super::*;
use crate::{etw::switches::Refused, image::sample};

#[test]
fn a_registered_provider_has_a_handle() {
    let driver = Driver::new();
    driver.register();
    assert_ne!(driver.handle(), 0);
    assert_eq!(driver.machine.etw().registrations(), 1);
}

#[test]
fn each_registration_has_a_handle_of_its_own() {
    let driver = Driver::new();
    driver.register();
    let first = driver.handle();
    driver.register();
    assert_ne!(driver.handle(), first);
    assert_eq!(driver.machine.etw().registrations(), 2);
}

#[test]
fn a_context_without_a_callback_is_refused_and_leaves_no_handle() {
    let driver = Driver::new();
    driver.handle.store(77, Ordering::Relaxed);
    assert_eq!(driver.register_as(ID, 0, 0x1000).unwrap(), 0xC000_000D);
    assert_eq!((driver.handle(), driver.machine.etw().registrations()), (0, 0));
    assert_eq!(driver.register_as(ID, 0, 0).unwrap(), 0);
}

#[test]
fn an_id_that_cannot_be_read_is_reported() {
    let driver = Driver::new();
    let outcome = driver.call("EtwRegister", &[0, 0, 0, driver.handle.as_ptr() as u64]);
    assert_eq!(outcome.unwrap_err().code(), 0x50);
}

#[test]
fn registering_is_for_passive_level_and_so_is_the_rest_but_writing() {
    for import in ["EtwRegister", "EtwSetInformation", "EtwUnregister"] {
        let driver = Driver::new();
        let at_apc_level = driver
            .machine
            .run(|cpu| cpu.at_irql(Irql::APC, || cpu.call(driver.address(import), import, &[0, 2, 0, 0])));
        assert_eq!(at_apc_level.unwrap_err().code(), 0xA, "{import}");
    }
}

#[test]
fn registering_and_unregistering_are_for_threads_of_the_system() {
    for import in ["EtwRegister", "EtwUnregister"] {
        let driver = Driver::registered();
        let of_a_program = driver
            .machine
            .run(|cpu| cpu.in_process(99, || cpu.call(driver.address(import), import, &[driver.handle()])));
        assert_violation(of_a_program, "by a thread of process 99");
    }
}

#[test]
fn traits_belong_to_a_registration() {
    let driver = Driver::new();
    assert_eq!(driver.set_traits(TRAITS).unwrap(), 0xC000_0008);
    driver.register();
    assert_eq!(driver.set_traits(TRAITS).unwrap(), 0);
    driver.unregister().unwrap();
    assert_violation(driver.set_traits(TRAITS), "between no EtwRegister and its EtwUnregister");
}

#[test]
fn traits_are_set_once() {
    let driver = Driver::registered();
    assert_eq!(driver.set_traits(TRAITS).unwrap(), 0xC000_0001);
}

#[test]
fn traits_have_from_3_to_32767_bytes() {
    let driver = Driver::new();
    driver.register();
    for length in [0u64, 2, 0x8000, u64::from(u32::MAX)] {
        let outcome = driver.call("EtwSetInformation", &[driver.handle(), 2, TRAITS.as_ptr() as u64, length]);
        assert_eq!(outcome.unwrap(), 0xC000_000D, "{length}");
    }
    let nowhere = driver.call("EtwSetInformation", &[driver.handle(), 2, 0, 7]);
    assert_eq!(nowhere.unwrap(), 0xC000_000D);
    // What is above the ULONG in its register means nothing.
    let seven = 0xFFFF_FFFF_0000_0007;
    assert_eq!(driver.call("EtwSetInformation", &[driver.handle(), 2, TRAITS.as_ptr() as u64, seven]).unwrap(), 0);
}

#[test]
fn traits_that_are_malformed_are_reported() {
    let driver = Driver::new();
    driver.register();
    assert_violation(driver.set_traits(b"\x08\0test\0"), "says that it has 8 bytes, and has 7");
}

#[test]
fn another_class_of_information_is_not_modelled() {
    let driver = Driver::new();
    driver.register();
    let stopped = driver.call("EtwSetInformation", &[driver.handle(), 3, TRAITS.as_ptr() as u64, 1]).unwrap_err();
    assert!(stopped.is_not_modelled(), "{stopped}");
}

#[test]
fn a_provider_is_unregistered_once() {
    let driver = Driver::registered();
    assert_eq!(driver.unregister().unwrap(), 0);
    assert_eq!(driver.machine.etw().registrations(), 0);
    let again = driver.unregister().unwrap_err();
    assert_eq!((again.code(), again.parameters()[0]), (0xC4, 0xDC), "{again}");
}

#[test]
fn a_handle_of_0_cannot_be_unregistered() {
    let driver = Driver::new();
    let outcome = driver.unregister().unwrap_err();
    assert_eq!((outcome.code(), outcome.parameters()[0]), (0xC4, 0xDC), "{outcome}");
}

#[test]
fn a_provider_that_is_left_registered_stops_the_machine() {
    let driver = Driver::registered();
    let left = driver.machine.run(|cpu| cpu.check_left(driver.machine.left())).unwrap_err();
    assert_eq!((left.code(), left.parameters()[0], left.parameters()[3]), (0xC4, 0xDD, driver.handle()));
    assert!(left.reason().contains("left a provider registered"), "{left}");
}

#[test]
fn one_that_is_unregistered_is_not_left() {
    let driver = Driver::registered();
    driver.unregister().unwrap();
    assert!(driver.machine.left().is_empty());
}

/// Has an image unregister the provider, by a call or by a jump as its last deed.
fn unregistered_by_an_image(by_a_jump: bool) -> Arc<Driver> {
    let driver = Driver::registered();
    let path = std::env::temp_dir().join(format!("flowtag-etw-{}-{by_a_jump}.sys", std::process::id()));
    std::fs::write(&path, sample::forwarding(("ntoskrnl.exe", "EtwUnregister"), by_a_jump)).unwrap();
    let image = driver.machine.map_image(&path).unwrap();
    std::fs::remove_file(&path).unwrap();
    let status = driver.machine.run(|cpu| cpu.call(image.entry(), "unload", &[driver.handle()])).unwrap();
    assert_eq!((status, driver.machine.etw().registrations()), (0, 0));
    driver
}

#[test]
fn driver_verifier_sees_an_unregistration_by_a_call_of_the_drivers() {
    assert!(unregistered_by_an_image(false).machine.left().is_empty());
}

#[test]
fn driver_verifier_does_not_see_one_by_a_tail_call() {
    let driver = unregistered_by_an_image(true);
    let left = driver.machine.run(|cpu| cpu.check_left(driver.machine.left())).unwrap_err();
    assert_eq!((left.code(), left.parameters()[0], left.parameters()[3]), (0xC4, 0xDD, driver.handle()));
    assert!(left.reason().contains("as the last thing of all"), "{left}");
}

#[test]
fn a_refused_registration_may_leave_a_handle_that_is_none() {
    let driver = Driver::new();
    driver.machine.etw().set(|switches| switches.refused = Refused::Number);
    driver.machine.faults().fail("EtwRegister", 1, None);

    assert_eq!(driver.register_as(ID, 0, 0).unwrap(), 0xC000_0017);

    assert_ne!(driver.handle(), 0);
    assert_violation(driver.set_traits(TRAITS), "between no EtwRegister and its EtwUnregister");
}

#[test]
fn registering_fails_when_a_test_wants_it_to() {
    let driver = Driver::new();
    driver.machine.faults().fail("EtwRegister", 1, None);
    assert_eq!(driver.register_as(ID, 0, 0).unwrap(), 0xC000_0017);
    assert_eq!((driver.handle(), driver.machine.etw().registrations()), (0, 0));
}
