use super::*;
use crate::{
    event::Direction::Out,
    top::samples::{Heard, flow, process},
};

/// Nine processes of a flow each: the first has the most traffic.
fn snapshot(milliseconds: u64) -> Snapshot {
    let mut heard = Heard::default();
    for number in 1..10 {
        let flow = flow(number.into(), process(number, &format!("{number}.exe")), "10.0.0.1:443");
        heard.open(0, &flow).packet(0, &flow, Out, 100 - number);
    }
    heard.snapshot(milliseconds)
}

/// A screen of three rows after these actions, of which each is seen.
fn after(actions: &[Action]) -> Screen {
    let (mut screen, snapshot) = (Screen::default(), snapshot(0));
    seen(&mut screen, &snapshot);
    for action in actions {
        screen.act(*action, &snapshot);
        seen(&mut screen, &snapshot);
    }
    screen
}

/// What is seen: the id of a process, `-` for a flow, and `*` at what is selected.
fn seen(screen: &mut Screen, snapshot: &Snapshot) -> Vec<String> {
    let rows = screen.choice.rows(snapshot);
    let seen = screen.seen(&rows, 3);
    let text = |row: &Row| {
        let name = match row {
            Row::Process(line) => line.row.process.id.to_string(),
            Row::Flow(_) => "-".to_owned(),
        };
        if screen.is_selected(row) { name + "*" } else { name }
    };
    rows[seen].iter().map(text).collect()
}

#[test]
fn nothing_is_selected_until_a_key_asks_for_it() {
    assert_eq!(seen(&mut after(&[]), &snapshot(0)), ["1", "2", "3"]);
    assert_eq!(seen(&mut after(&[Action::Down]), &snapshot(0)), ["1*", "2", "3"]);
}

#[test]
fn what_is_selected_is_seen() {
    use Action::{Down, First, Last, PageDown, PageUp, Up};
    for (actions, expected) in [
        (vec![Down; 4], ["2", "3", "4*"]),
        (vec![Down, Down, Down, Down, Up, Up, Up], ["1*", "2", "3"]),
        (vec![Down, PageDown], ["2", "3", "4*"]),
        (vec![Last], ["7", "8", "9*"]),
        (vec![Last, Down], ["7", "8", "9*"]),
        (vec![Last, PageUp], ["6*", "7", "8"]),
        (vec![Last, First, Up], ["1*", "2", "3"]),
    ] {
        assert_eq!(seen(&mut after(&actions), &snapshot(0)), expected, "{actions:?}");
    }
}

#[test]
fn the_selected_row_stays_selected_wherever_it_moves() {
    let mut screen = after(&[Action::Down, Action::Reverse]);
    assert_eq!(seen(&mut screen, &snapshot(0)), ["3", "2", "1*"]);
}

#[test]
fn a_process_is_opened_and_closed() {
    use Action::{Close, Down, Open, Toggle};
    for (actions, expected) in [
        (vec![Down, Toggle], ["1*", "-", "2"]),
        (vec![Down, Open, Open], ["1*", "-", "2"]),
        (vec![Down, Toggle, Toggle], ["1*", "2", "3"]),
        (vec![Down, Close], ["1*", "2", "3"]),
        (vec![Toggle], ["1", "2", "3"]),
    ] {
        assert_eq!(seen(&mut after(&actions), &snapshot(0)), expected, "{actions:?}");
    }
}

#[test]
fn a_flow_is_closed_with_its_process_which_is_selected_then() {
    use Action::{Close, Down, Open, Toggle};
    for close in [Close, Toggle] {
        assert_eq!(seen(&mut after(&[Down, Open, Down, close]), &snapshot(0)), ["1*", "2", "3"]);
    }
}

#[test]
fn all_are_opened_and_closed_whatever_was_done_to_one() {
    use Action::{All, Down, Toggle};
    assert_eq!(seen(&mut after(&[Down, Toggle, All]), &snapshot(0)), ["1*", "-", "2"]);
    assert_eq!(seen(&mut after(&[Down, Toggle, All, All]), &snapshot(0)), ["1*", "2", "3"]);
}

#[test]
fn when_the_selected_row_is_gone_the_one_in_its_place_is_selected() {
    let mut screen = after(&[Action::Down, Action::Down]);
    screen.choice.filter = "9.exe".into();
    assert_eq!(seen(&mut screen, &snapshot(0)), ["9*"]);
    screen.choice.filter = "nowhere".into();
    assert_eq!(seen(&mut screen, &snapshot(0)), [""; 0]);
}

#[test]
fn sorting_goes_round() {
    let sort = |actions: &[Action]| after(actions).choice.sort;
    assert_eq!(sort(&[Action::NextSort]), Sort::Pid);
    assert_eq!(sort(&[Action::PreviousSort]), Sort::Name);
    assert_eq!(sort(&[Action::PreviousSort, Action::NextSort]), Sort::Traffic);
}

#[test]
fn a_filter_is_typed_kept_and_cleared() {
    use Action::{Clear, Erase, Filter, Keep, Type};
    let typed = [Filter, Type('4'), Type('x'), Erase, Type('.')];
    let screen = after(&typed);
    assert_eq!((screen.choice.filter.as_str(), screen.is_typing), ("4.", true));
    let screen = after(&[&typed[..], &[Keep]].concat());
    assert_eq!((screen.choice.filter.as_str(), screen.is_typing), ("4.", false));
    let screen = after(&[&typed[..], &[Clear]].concat());
    assert_eq!((screen.choice.filter.as_str(), screen.is_typing), ("", false));
}

#[test]
fn pausing_goes_on_and_off() {
    assert!(after(&[Action::Pause]).is_paused);
    assert!(!after(&[Action::Pause, Action::Pause]).is_paused);
}
