//! The table, rule by rule.
use std::num::NonZeroU64;

use super::{Identity, Inserted, Process, SYSTEM, Slot, Table};

pub(super) type Known = Process<&'static [u8]>;
pub(super) type Processes = Table<'static, &'static [u8]>;

pub(super) const CURL: &[u8] = br"\device\harddiskvolume3\windows\curl.exe";
pub(super) const PING: &[u8] = br"\device\harddiskvolume3\windows\ping.exe";

/// A table with room for so many.
pub(super) fn room_for(capacity: usize) -> Processes {
    let slots = (0..capacity).map(|_| Slot::FREE).collect::<Vec<_>>().leak();
    Table::new(slots, vec![0; capacity].leak())
}

pub(super) fn key(number: u64) -> NonZeroU64 {
    NonZeroU64::new(number).unwrap()
}

/// A process of pid 4242 whose image is curl; it was created when its key says.
pub(super) fn process(number: u64) -> Known {
    Process { pid: 4242, key: key(number), created: number.cast_signed(), parent: None, path: Some(CURL) }
}

fn born(table: &mut Processes, process: Known) {
    assert_eq!(table.insert(process, false), Inserted::New(None));
}

fn key_of(table: &Processes, pid: u64, path: &[u8]) -> Option<u64> {
    table.identify(pid, path).map(|identity| identity.start_key)
}

#[test]
fn a_process_is_known_by_its_id_and_its_path() {
    let mut table = room_for(4);
    born(&mut table, process(7));
    let identity = Identity { start_key: 7, created: 7, parent: 0 };
    assert_eq!(table.identify(4242, CURL), Some(identity));
}

#[test]
fn the_id_of_its_parent_is_told() {
    let mut table = room_for(4);
    born(&mut table, Process { parent: Some(key(812)), ..process(7) });
    assert_eq!(table.identify(4242, CURL).unwrap().parent, 812);
}

#[test]
fn what_stands_behind_a_nul_is_not_of_the_path() {
    let mut table = room_for(4);
    born(&mut table, process(7));
    for (behind, fits) in [(&b"\0\0"[..], true), (b"\0\0x\0", true), (b"x\0", false), (b"\0x", false), (b"\0", false)] {
        assert_eq!(key_of(&table, 4242, &[CURL, behind].concat()), fits.then_some(7), "{behind:?}");
    }
    assert_eq!(key_of(&table, 4242, &CURL[..CURL.len() - 2]), None);
}

#[test]
fn another_id_is_another_process() {
    let mut table = room_for(4);
    born(&mut table, process(7));
    assert_eq!(key_of(&table, 4243, CURL), None);
}

#[test]
fn another_path_is_another_process() {
    let mut table = room_for(4);
    born(&mut table, process(7));
    assert_eq!(key_of(&table, 4242, PING), None);
}

#[test]
fn what_has_no_path_is_of_no_process() {
    let mut table = room_for(4);
    born(&mut table, Process { path: None, ..process(7) });
    born(&mut table, Process { path: Some(b""), ..process(8) });
    assert_eq!(key_of(&table, 4242, b""), None);
    assert_eq!(key_of(&table, 4242, CURL), None);
}

#[test]
fn the_system_process_is_known_by_its_id_alone() {
    let mut table = room_for(4);
    born(&mut table, Process { pid: SYSTEM, path: None, ..process(1) });
    assert_eq!(key_of(&table, SYSTEM, b"System"), Some(1));
    assert_eq!(key_of(&table, SYSTEM, b""), Some(1));
    let mut table = room_for(4);
    born(&mut table, Process { pid: SYSTEM, path: Some(b"another name"), ..process(1) });
    assert_eq!(key_of(&table, SYSTEM, b"System"), Some(1));
}

#[test]
fn a_table_without_room_knows_nobody() {
    let mut table = Processes::empty();
    assert_eq!(table.insert(process(7), false), Inserted::Full(process(7)));
    assert_eq!(key_of(&table, 4242, CURL), None);
    assert!(!table.exit(4242, key(7)));
}

#[test]
fn of_two_programs_that_had_one_id_the_path_tells_which() {
    let mut table = room_for(4);
    born(&mut table, process(7));
    table.exit(4242, key(7));
    born(&mut table, Process { path: Some(PING), ..process(8) });
    assert_eq!(key_of(&table, 4242, CURL), Some(7));
    assert_eq!(key_of(&table, 4242, PING), Some(8));
}

#[test]
fn of_two_processes_that_fit_none_is_named() {
    let mut table = room_for(4);
    born(&mut table, process(7));
    table.exit(4242, key(7));
    born(&mut table, process(8));
    assert_eq!(key_of(&table, 4242, CURL), None);
}

#[test]
fn one_whose_path_is_not_known_may_be_the_owner_as_well() {
    let mut table = room_for(4);
    born(&mut table, Process { path: None, ..process(7) });
    table.exit(4242, key(7));
    born(&mut table, process(8));
    assert_eq!(key_of(&table, 4242, CURL), None);
}

#[test]
fn what_was_told_first_stays() {
    let mut table = room_for(4);
    born(&mut table, process(7));
    let again = Process { path: Some(PING), ..process(7) };
    assert_eq!(table.insert(again, false), Inserted::Known(again));
    assert_eq!(key_of(&table, 4242, CURL), Some(7));
}

#[test]
fn whether_a_process_was_known_is_said_at_its_exit() {
    let mut table = room_for(4);
    born(&mut table, process(7));
    assert!(table.exit(4242, key(7)));
    assert!(!table.exit(4242, key(8)));
}

#[test]
fn a_process_that_has_exited_makes_room_and_is_given_back() {
    let mut table = room_for(2);
    born(&mut table, process(7));
    born(&mut table, Process { pid: 8, ..process(8) });
    table.exit(4242, key(7));
    assert_eq!(table.insert(Process { pid: 12, ..process(9) }, false), Inserted::New(Some(process(7))));
    assert_eq!([4242, 8, 12].map(|pid| key_of(&table, pid, CURL)), [None, Some(8), Some(9)]);
}

#[test]
fn one_that_makes_room_leaves_all_others_of_its_id() {
    // The last of them is the first in the chain.
    for first in 1..=4 {
        let mut table = room_for(4);
        for number in 1..=4 {
            born(&mut table, process(number));
        }
        table.exit(4242, key(first));
        assert_eq!(table.insert(process(5), false), Inserted::New(Some(process(first))));
        let mut found: Vec<_> = table.with_id(4242).take(6).map(|process| process.key.get()).collect();
        found.sort_unstable();
        let others: Vec<_> = (1..=5).filter(|&number| number != first).collect();
        assert_eq!(found, others, "{first} has made room");
    }
}

#[test]
fn nobody_is_forgotten_while_there_are_fresh_slots() {
    let mut table = room_for(2);
    born(&mut table, process(7));
    table.exit(4242, key(7));
    born(&mut table, Process { pid: 8, ..process(8) });
    assert_eq!(key_of(&table, 4242, CURL), Some(7));
}

#[test]
fn those_that_exited_first_go_first() {
    let mut table = room_for(3);
    for number in [7, 8, 9] {
        born(&mut table, Process { pid: number, ..process(number) });
    }
    for number in [8, 9, 7] {
        table.exit(number, key(number));
    }
    let mut gone = Vec::new();
    for number in [20, 21, 22] {
        let Inserted::New(Some(before)) = table.insert(Process { pid: number, ..process(number) }, false) else {
            panic!()
        };
        gone.push(before.pid);
    }
    assert_eq!(gone, [8, 9, 7]);
}

#[test]
fn a_second_exit_changes_nothing() {
    let mut table = room_for(2);
    born(&mut table, process(7));
    born(&mut table, Process { pid: 8, ..process(8) });
    for number in [7, 7] {
        assert!(table.exit(4242, key(number)));
    }
    table.exit(8, key(8));
    assert_eq!(table.insert(process(9), false), Inserted::New(Some(process(7))));
    assert_eq!(table.insert(process(10), false), Inserted::New(Some(Process { pid: 8, ..process(8) })));
    assert_eq!(table.insert(process(11), false), Inserted::Full(process(11)));
}

#[test]
fn processes_that_run_are_never_forgotten() {
    let mut table = room_for(1);
    born(&mut table, process(7));
    assert_eq!(table.insert(process(8), false), Inserted::Full(process(8)));
    assert_eq!(table.insert(process(9), true), Inserted::Full(process(9)));
    assert_eq!(key_of(&table, 4242, CURL), Some(7));
}

#[test]
fn one_that_is_inserted_as_exited_makes_room() {
    let mut table = room_for(1);
    assert_eq!(table.insert(process(7), true), Inserted::New(None));
    assert_eq!(key_of(&table, 4242, CURL), Some(7));
    assert_eq!(table.insert(process(8), false), Inserted::New(Some(process(7))));
}

#[test]
fn one_that_is_known_is_marked_when_it_is_inserted_as_exited() {
    let mut table = room_for(1);
    born(&mut table, process(7));
    assert_eq!(table.insert(process(7), true), Inserted::Known(process(7)));
    assert_eq!(table.insert(process(8), false), Inserted::New(Some(process(7))));
}

#[test]
fn chains_are_hardly_longer_than_chance_would_have_them() {
    // Multiples of four, as ids are: of as many in as many chains chance would put seven or eight into the longest one.
    let table = room_for(4_096);
    let mut lengths = vec![0; 4_096];
    for pid in (4..).step_by(4).take(4_096) {
        lengths[table.chain_of(pid)] += 1;
    }
    assert!(lengths.iter().max().is_some_and(|longest| *longest <= 8), "{:?}", lengths.iter().max());
}
