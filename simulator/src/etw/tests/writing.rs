use super::*;
use crate::{
    computer::lent_memory::LentMemory,
    etw::{json, tracelogging::Value},
};

#[test]
fn a_consumer_gets_what_was_written() {
    let driver = Driver::registered();
    let session = driver.start(Session::default());
    let number = 258u32.to_le_bytes();
    let event = [11 << 24 | 4 << 32 | 2 << 40, 0x8000_0000_0000_0001u64];
    let parts: [(&[u8], u32); 3] = [(TRAITS, 2), (HELLO, 1), (&number, 0)];
    let data = descriptors(&parts);
    let arguments = [driver.handle(), event.as_ptr() as u64, 0, 0, 3, data.as_ptr() as u64];

    assert_eq!(driver.call("EtwWriteTransfer", &arguments).unwrap(), 0);

    let written = driver.events(session);
    let [event] = written.as_slice() else { panic!("one event: {written:?}") };
    assert_eq!((event.provider.as_str(), event.name()), ("test", "Hello"));
    assert_eq!((event.level, event.opcode, event.keyword), (4, 2, 0x8000_0000_0000_0001));
    assert_eq!(event.field("Number"), &Value::Unsigned(258));
    assert_eq!(event.time, driver.machine.clock().system_time());
    assert_eq!(
        json::line(event),
        r#"{"timestamp":"2026-11-29T07:00:00.0000000Z","provider":"test","event":"Hello","level":4,"opcode":2,"#
            .to_owned()
            + r#""keyword":"0x8000000000000001","fields":{"Number":258}}"#
    );
}

#[test]
fn nobody_has_to_listen() {
    assert_eq!(Driver::registered().hello(INFORMATION, 1, 7), 0);
}

#[test]
fn a_field_may_lie_in_several_pieces_and_several_in_one() {
    let driver = Driver::registered();
    let session = driver.start(Session::default());
    let parts: [(&[u8], u32); 5] = [(TRAITS, 2), (HELLO, 1), (&[1], 0), (&[], 0), (&[2, 0, 0], 0)];
    assert_eq!(driver.write_at(Irql::PASSIVE, (4, 1), &parts).unwrap(), 0);
    assert_eq!(driver.numbers(session), [513]);
}

#[test]
fn an_event_outside_the_registration_is_reported() {
    let driver = Driver::new();
    let hello = |driver: &Driver| driver.write(HELLO, &[0; 4]);
    assert_violation(hello(&driver), "with the handle 0x0, between no EtwRegister and its EtwUnregister");
    let driver = Driver::registered();
    driver.unregister().unwrap();
    assert_violation(hello(&driver), "between no EtwRegister and its EtwUnregister");
}

#[test]
fn an_event_before_the_traits_is_reported() {
    let driver = Driver::new();
    driver.register();
    assert_violation(driver.write(HELLO, &[0; 4]), "before EtwSetInformation");
}

#[test]
fn a_driver_whose_traits_were_refused_goes_on() {
    let driver = Driver::new();
    driver.register();
    driver.machine.faults().fail("EtwSetInformation", 1, None);
    assert_eq!(driver.set_traits(TRAITS).unwrap(), 0xC000_009A);
    let session = driver.start(Session::default());
    assert_eq!(driver.hello(INFORMATION, 1, 7), 0);
    assert_eq!(driver.numbers(session), [7]);
}

#[test]
fn the_metadata_of_the_provider_is_that_of_its_traits() {
    let driver = Driver::registered();
    let parts: [(&[u8], u32); 3] = [(b"\x07\0Test\0", 2), (HELLO, 1), (&[0; 4], 0)];
    assert_violation(driver.write_at(Irql::PASSIVE, (4, 1), &parts), "not what EtwSetInformation was given");
}

#[test]
fn an_event_has_at_most_128_descriptors() {
    let driver = Driver::registered();
    let session = driver.start(Session::default());
    let parts = |empty: usize| {
        let mut parts: Vec<(&[u8], u32)> = vec![(TRAITS, 2), (HELLO, 1), (&[7, 0, 0, 0], 0)];
        parts.resize(empty, (&[], 0));
        parts
    };
    assert_eq!(driver.write_at(Irql::PASSIVE, (4, 1), &parts(129)).unwrap(), 0xC000_000D);
    assert_eq!(driver.write_at(Irql::PASSIVE, (4, 1), &parts(128)).unwrap(), 0);
    assert_eq!(driver.numbers(session), [7]);
}

#[test]
fn descriptors_come_in_their_order() {
    let number = [0; 4];
    let [provider, event, payload]: [(&[u8], u32); 3] = [(TRAITS, 2), (HELLO, 1), (&number, 0)];
    for (parts, what) in [
        (vec![event, provider, payload], "a descriptor 0 of type 1; 2 belongs there"),
        (vec![provider, payload, event], "a descriptor 1 of type 0; 1 belongs there"),
        (vec![provider, event, event], "a descriptor 2 of type 1; 0 belongs there"),
        (vec![provider, event, (&number, 9)], "a descriptor 2 of type 9; 0 belongs there"),
        (vec![provider, event, (&number, 0x100)], "a descriptor 2 whose Reserved is 0x100"),
        (vec![provider, event, (&number, 0x8000_0000)], "a descriptor 2 whose Reserved is 0x80000000"),
        (vec![provider], "with 1 descriptors"),
    ] {
        assert_violation(Driver::registered().write_at(Irql::PASSIVE, (4, 1), &parts), what);
    }
}

#[test]
fn another_time_than_now_is_not_modelled() {
    let parts: [(&[u8], u32); 3] = [(TRAITS, 2), (HELLO, 1), (&[0; 8], 3)];
    let stopped = Driver::registered().write_at(Irql::PASSIVE, (4, 1), &parts).unwrap_err();
    assert!(stopped.is_not_modelled(), "{stopped}");
}

#[test]
fn metadata_and_payload_that_do_not_fit_each_other_are_reported_by_the_events_name() {
    assert_violation(Driver::registered().write(HELLO, &[0; 3]), "Hello: the payload ends within Number");
    assert_violation(
        Driver::registered().write(HELLO, &[0; 5]),
        "Hello: the payload has 1 bytes behind its last field",
    );
    assert_violation(Driver::registered().write(&HELLO[..16], &[0; 4]), "has 17 bytes, and has 16");
}

#[test]
fn data_that_cannot_be_read_is_reported() {
    let driver = Driver::registered();
    let (event, mut data) = (event_descriptor(4, 1), descriptors(&[(TRAITS, 2), (HELLO, 1), (&[0; 4], 0)]));
    data[2][0] = 0x10;
    let arguments = [driver.handle(), event.as_ptr() as u64, 0, 0, 3, data.as_ptr() as u64];
    assert_eq!(driver.call("EtwWriteTransfer", &arguments).unwrap_err().code(), 0x50);
    let driver = Driver::registered();
    let arguments = [driver.handle(), 0, 0, 0, 3, data.as_ptr() as u64];
    assert_eq!(driver.call("EtwWriteTransfer", &arguments).unwrap_err().code(), 0x50);
}

#[test]
fn an_event_that_is_too_large_is_lost() {
    let driver = Driver::registered();
    // A field of up to 65,535 bytes; header and metadata have 120 of 65,528.
    let metadata = b"\x0F\0\0Large\0Data\0\x0E";
    let session = driver.start(Session { buffer_size: 1 << 20, ..Session::default() });
    for (count, outcome) in [(0xFFF8 - 120 - 2, 0), (0xFFF8 - 120 - 1, 0xC000_0095), (0xFFFF, 0xC000_0095)] {
        let payload = [u16::try_from(count).unwrap().to_le_bytes().as_slice(), &vec![0; count]].concat();
        assert_eq!(driver.write(metadata, &payload).unwrap(), outcome, "{count}");
    }
    assert_eq!((driver.events(session).len(), driver.lost(session)), (1, 2));
}

#[test]
fn an_event_is_written_at_any_irql_but_not_from_paged_pool() {
    const NON_PAGED: u64 = 0x40;
    const PAGED: u64 = 0x100;
    let number = |driver: &Driver, flags| {
        let block = driver.call("ExAllocatePool2", &[flags, 4, u32::from_le_bytes(*b"Test").into()]).unwrap();
        // SAFETY: a live block of four bytes.
        unsafe { std::slice::from_raw_parts(block as *const u8, 4) }
    };
    let written = |flags, irql| {
        let driver = Driver::registered();
        let number = number(&driver, flags);
        driver.write_at(irql, (4, 1), &[(TRAITS, 2), (HELLO, 1), (number, 0)])
    };
    assert_eq!(written(NON_PAGED, Irql::HIGH).unwrap(), 0);
    assert_eq!(written(PAGED, Irql::APC).unwrap(), 0);
    let outcome = written(PAGED, Irql::DISPATCH).unwrap_err();
    assert_eq!(outcome.code(), 0xD1);
    assert!(outcome.reason().contains("paged pool"), "{outcome}");
}

#[test]
fn memory_that_is_paged_out_is_reported() {
    let driver = Driver::registered();
    let pages = LentMemory::zeroed(3 * 4096);
    let page = pages.address().next_multiple_of(4096);
    // SAFETY: within the memory; nobody writes to it.
    let number = unsafe { std::slice::from_raw_parts(page as *const u8, 4) };
    let outcome = driver.machine.run(|cpu| {
        cpu.page_out_at_dispatch(page..page + 4096);
        driver.write_at(Irql::DISPATCH, (4, 1), &[(TRAITS, 2), (HELLO, 1), (number, 0)])
    });
    // The page stays out, since the machine stops.
    mem::forget(pages);
    assert_eq!(outcome.unwrap_err().code(), 0x50);
}

#[test]
fn writing_fails_when_a_test_wants_it_to() {
    let driver = Driver::registered();
    let session = driver.start(Session::default());
    driver.machine.faults().fail("EtwWriteTransfer", 1, None);
    assert_eq!(driver.hello(INFORMATION, 1, 1), 0xC000_0017);
    driver.hello(INFORMATION, 1, 2);
    assert_eq!(driver.numbers(session), [2]);
}
