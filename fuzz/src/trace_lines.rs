//! The command's reader of the driver's trace lines, as other programs have saved them.

use flowtag_tool::source::Kind;

use crate::{memory, source, told};

/// A flow that opens and is closed.
const SOUND: &str = "flowtag: open flow=0x2a1 pid=4242 dir=out proto=udp 10.0.0.5:1 -> 10.0.0.6:2 origin=new start=- key=- ppid=- svc=- path=x\n\
                     flowtag: close flow=0x2a1 pid=4242 packets=1/0 bytes=5/0 ms=3 why=deleted\n";

/// Reads the bytes. What was read is an event like any other, and sound lines are read whatever was before them.
pub fn run(input: &[u8]) {
    let held = memory::bounded(input, || source::read(input, Some(Kind::Trace)));
    told::hold(&held.events);
    let lines = input.split(|&byte| byte == b'\n').count();
    assert!(source::is_utf16(input) || held.events.len() + held.wrong.len() <= lines, "one event a line");
    if !source::is_utf16(input) {
        let alone = source::last_behind(b"", SOUND, Kind::Trace);
        assert!(alone.event.flow().is_some_and(|flow| flow.protocol == 17), "it is closed as what was opened");
        assert_eq!(source::last_behind(input, SOUND, Kind::Trace).event, alone.event);
    }
}
