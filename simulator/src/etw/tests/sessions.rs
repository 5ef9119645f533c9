use super::*;

#[test]
fn a_session_hears_only_the_provider_that_it_has_enabled() {
    let driver = Driver::registered();
    let (its, others) = (driver.start(Session::of(ID, 5, 1)), driver.start(Session::of(OTHER, 5, 1)));
    driver.hello(INFORMATION, 1, 7);
    assert_eq!((driver.numbers(its), driver.numbers(others)), (vec![7], vec![]));
}

#[test]
fn one_that_names_no_provider_hears_all() {
    let driver = Driver::registered();
    let session = driver.start(Session::default());
    driver.hello(INFORMATION, 1, 7);
    assert_eq!(driver.numbers(session), [7]);
}

#[test]
fn a_session_gets_what_its_level_and_keywords_let_pass() {
    let driver = Driver::registered();
    let session = driver.start(Session { all: 0b100, ..Session::of(ID, 3, 0b011) });
    for (number, (level, keyword)) in [
        (3, 0b101), // passes
        (4, 0b101), // above the level
        (0, 0b101), // level 0 always passes
        (3, 0b001), // not all
        (3, 0b100), // not any
        (3, 0),     // no keyword always passes
    ]
    .into_iter()
    .enumerate()
    {
        assert_eq!(driver.hello(level, keyword, number as u32), 0);
    }
    assert_eq!(driver.numbers(session), [0, 2, 5]);
    assert_eq!(driver.lost(session), 0);
}

#[test]
fn a_session_of_level_0_and_keyword_0_gets_everything() {
    let driver = Driver::registered();
    let session = driver.start(Session::of(ID, 0, 0));
    driver.hello(255, 1 << 63, 7);
    assert_eq!(driver.numbers(session), [7]);
}

#[test]
fn a_session_that_has_changed_gets_what_it_wants_now() {
    let driver = Driver::registered();
    let session = driver.start(Session::of(ID, 4, 1));
    driver.machine.change_session(session, |session| session.any = 2).unwrap();
    driver.hello(4, 1, 1);
    driver.hello(4, 2, 2);
    assert_eq!(driver.numbers(session), [2]);
}

#[test]
fn a_session_that_has_stopped_keeps_what_it_has_got_and_gets_nothing_more() {
    let driver = Driver::registered();
    let session = driver.start(Session::of(ID, 4, 1));
    driver.hello(4, 1, 1);
    driver.machine.stop_session(session).unwrap();
    driver.hello(4, 1, 2);
    assert_eq!(driver.numbers(session), [1]);
}

/// A `Hello` has 80 bytes of header, 32 and 16 of metadata with 8 and 8 before each, rounded up, and 4 of payload.
const SIZE: u32 = 80 + 32 + 16 + 4;

#[test]
fn events_are_lost_when_the_buffers_are_full_and_counted() {
    let driver = Driver::registered();
    // Two fit into each buffer, since each begins at a multiple of 8.
    let session = driver.start(Session { buffer_size: 2 * SIZE + 4, buffers: 2, ..Session::of(ID, 4, 1) });
    let outcomes: Vec<u64> = (0..6).map(|number| driver.hello(4, 1, number)).collect();
    assert_eq!(outcomes, [0, 0, 0, 0, 0xC000_0017, 0xC000_0017]);
    assert_eq!(driver.lost(session), 2);
    assert_eq!(driver.numbers(session), [0, 1, 2, 3]);
    // What was read has made room.
    assert_eq!(driver.hello(4, 1, 6), 0);
    assert_eq!((driver.numbers(session), driver.lost(session)), (vec![6], 2));
}

#[test]
fn an_event_lies_in_one_buffer() {
    let driver = Driver::registered();
    let exact = driver.start(Session { buffer_size: SIZE, ..Session::of(ID, 4, 1) });
    assert_eq!(driver.hello(4, 1, 1), 0);
    let small = driver.start(Session { buffer_size: SIZE - 1, ..Session::of(ID, 4, 1) });
    assert_eq!(driver.hello(4, 1, 2), 0x8000_0005);
    assert_eq!((driver.lost(exact), driver.lost(small)), (0, 1));
    assert_eq!(driver.numbers(exact), [1, 2]);
}

#[test]
fn a_session_that_wants_nothing_of_an_event_does_not_lose_it() {
    let driver = Driver::registered();
    let session = driver.start(Session { buffers: 0, ..Session::of(ID, 3, 1) });
    assert_eq!(driver.hello(4, 1, 1), 0);
    assert_eq!(driver.lost(session), 0);
}

#[test]
fn a_restarted_machine_has_no_sessions() {
    let driver = Driver::registered();
    driver.start(Session::default());
    let restarted = driver.machine.restarted();
    assert_eq!(restarted.etw().registrations(), 0);
    assert!(restarted.etw().state().sessions.is_empty());
}
