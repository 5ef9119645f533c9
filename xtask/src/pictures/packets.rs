//! A list of packets as Wireshark has it, with a column of their processes, and below it the comment of one packet.

use std::collections::HashSet;

use anyhow::{Context, Result};

use super::{
    capture::Packet,
    window::{Span, Theme, Window},
};

const THEME: Theme = Theme { background: "#ffffff", bar: "#d0d7de", title: "#24292f" };
const TEXT: &str = "#12272e";
const TITLES: &str = "#57606a";
const LINE: &str = "#d0d7de";
/// Behind the row whose comment is shown, and its text.
const SELECTED: (&str, &str) = ("#0969da", "#ffffff");
/// Behind a packet of each protocol: the colors that Wireshark has from the beginning, in its file `colorfilters`.
const BACKGROUNDS: [(&str, &str); 4] =
    [("HTTP", "#e4ffc7"), ("ICMP", "#fce0ff"), ("TCP", "#e7e6ff"), ("UDP", "#daeeff")];

/// The column that others do not have.
const PROCESS: &str = "Process";

/// A column: its title, its width in cells with a gap behind, and what stands in it.
type Column = (&'static str, usize, fn(&Packet) -> String);

const COLUMNS: [Column; 8] = [
    (" No.", 6, |packet| format!("{:>4}", packet.number)),
    ("Time", 10, |packet| packet.time.chars().take(8).collect()),
    (PROCESS, 20, process),
    ("Source", 11, |packet| packet.source.clone()),
    ("Destination", 13, |packet| packet.destination.clone()),
    ("Protocol", 10, |packet| packet.protocol.clone()),
    ("Length", 8, |packet| format!("{:>6}", packet.length)),
    ("Info", 37, |packet| packet.info.clone()),
];

fn process(packet: &Packet) -> String {
    [packet.program(), packet.pid()].into_iter().flatten().collect::<Vec<_>>().join(" ")
}

/// Draws of these packets those that are [`chosen`].
pub fn picture(packets: &[Packet]) -> Result<String> {
    let chosen = chosen(packets);
    // Where others have it, too: the paths of programs that were built here say nothing to them.
    let installed = |packet: &&Packet| packet.path().is_some_and(|path| path.contains("\\usr\\bin\\"));
    let selected = chosen.iter().position(installed).context("no program in /usr/bin sent a packet")?;
    let comment: Vec<_> = chosen[selected].comment.iter().flat_map(|comment| comment.lines()).collect();

    let columns = COLUMNS.iter().map(|(_, width, _)| width).sum::<usize>() + 1;
    let below = chosen.len() + 2;
    let status_row = below + comment.len() + 2;
    let description = "A list of packets with the process of each, and the comment that flowtag annotate has written into one of them";
    let mut window = Window::new(columns, status_row + 1, &THEME, "traffic.pcapng", description);
    let line = |row| Span { column: 0, row, width: columns };

    write(&mut window, 0, |(title, ..)| (*title).to_owned(), TITLES, |_| true);
    for (packet, row) in chosen.iter().zip(1..) {
        let (background, text) = if row == selected + 1 { SELECTED } else { (background(packet), TEXT) };
        window.fill(line(row), background);
        write(&mut window, row, |(.., cell)| cell(packet), text, |title| title == PROCESS);
    }
    let frame = &chosen[selected].number;
    window.write((1, below), &format!("▾ Frame {frame}: packet comments"), TEXT, true);
    for (text, row) in comment.iter().zip(below + 1..) {
        window.write((5, row), text, TEXT, false);
    }
    window.underline(line(status_row - 1), LINE);
    window.write((1, status_row), &status(packets, chosen.len()), TITLES, false);
    Ok(window.finish())
}

/// The first packet that each program has sent in each protocol, over IPv4 and over IPv6; of packets without an owner none.
fn chosen(packets: &[Packet]) -> Vec<&Packet> {
    let mut seen = HashSet::new();
    let mut is_new = |packet: &Packet| match packet.program() {
        Some(program) => seen.insert((program.to_owned(), packet.protocol.clone(), packet.source.contains(':'))),
        None => false,
    };
    packets.iter().filter(|packet| is_new(packet)).collect()
}

fn background(packet: &Packet) -> &'static str {
    BACKGROUNDS.iter().find(|(protocol, _)| packet.protocol.starts_with(protocol)).map_or("#ffffff", |(_, color)| color)
}

/// Writes a cell of each column; which are bold, their titles tell.
fn write(
    window: &mut Window,
    row: usize,
    cell: impl Fn(&Column) -> String,
    color: &str,
    is_bold: impl Fn(&str) -> bool,
) {
    let mut from = 1;
    for column @ (title, width, _) in &COLUMNS {
        window.write((from, row), &cut(&cell(column), width - 1), color, is_bold(title));
        from += width;
    }
}

/// What there is room for, with a mark where there is more.
fn cut(text: &str, room: usize) -> String {
    if text.chars().count() <= room {
        return text.to_owned();
    }
    text.chars().take(room - 1).chain(['…']).collect()
}

fn status(packets: &[Packet], shown: usize) -> String {
    let owned = packets.iter().filter(|packet| packet.pid().is_some()).count();
    format!(
        "{} packets, {owned} with their process; shown: {shown}, the first of each program in each protocol, over IPv4 and IPv6",
        packets.len()
    )
}

#[cfg(test)]
mod tests {
    use super::{super::window::texts, *};

    fn packet(number: &str, protocol: &str, source: &str, path: Option<&str>) -> Packet {
        Packet {
            number: number.to_owned(),
            time: "0.123456789".to_owned(),
            source: source.to_owned(),
            destination: "10.0.0.9".to_owned(),
            protocol: protocol.to_owned(),
            length: "74".to_owned(),
            info: "<SYN> & more".to_owned(),
            comment: path.map(|path| format!("PID: 42\nCmd: {path}\nParentPID: 1")),
        }
    }

    const CURL: Option<&str> = Some(r"\device\harddiskvolume1\usr\bin\curl");

    #[test]
    fn the_picture_keeps_the_text_of_each_packet_and_of_the_comment() {
        let picture = picture(&[packet("7", "TCP", "10.0.0.5", CURL), packet("8", "TCP", "10.0.0.5", None)]);
        let expected = [
            "traffic.pcapng",
            "No.",
            "Time",
            "Process",
            "Source",
            "Destination",
            "Protocol",
            "Length",
            "Info",
            "7",
            "0.123456",
            "curl 42",
            "10.0.0.5",
            "10.0.0.9",
            "TCP",
            "74",
            "<SYN> & more",
            "▾ Frame 7: packet comments",
            "PID: 42",
            r"Cmd: \device\harddiskvolume1\usr\bin\curl",
            "ParentPID: 1",
            "2 packets, 1 with their process; shown: 1, the first of each program in each protocol, over IPv4 and IPv6",
        ];
        assert_eq!(texts(&picture.expect("a picture")), expected);
    }

    #[test]
    fn what_stands_in_a_column_begins_below_its_title() {
        let picture = picture(&[packet("7", "TCP", "10.0.0.5", CURL)]).expect("a picture");
        let x = |text: &str| {
            let line = picture.lines().find(|line| line.ends_with(&format!(">{text}</text>"))).expect(text);
            line.split(" x=").nth(1).expect("its place").split(' ').next()
        };
        for (title, cell) in
            [("Time", "0.123456"), ("Process", "curl 42"), ("Destination", "10.0.0.9"), ("Protocol", "TCP")]
        {
            assert_eq!(x(title), x(cell), "{title}");
        }
    }

    #[test]
    fn of_each_program_the_first_packet_of_each_protocol_and_version_of_ip_is_chosen() {
        let other = Some(r"\device\harddiskvolume1\work\other");
        let packets = [
            packet("1", "TCP", "10.0.0.5", None),
            packet("2", "TCP", "10.0.0.5", CURL),
            packet("3", "TCP", "10.0.0.5", CURL),
            packet("4", "TCP", "10.0.0.5", other),
            packet("5", "UDP", "10.0.0.5", CURL),
            packet("6", "TCP", "::1", CURL),
        ];
        let numbers: Vec<_> = chosen(&packets).iter().map(|packet| &*packet.number).collect();
        assert_eq!(numbers, ["2", "4", "5", "6"]);
    }

    #[test]
    fn the_comment_that_is_shown_is_that_of_an_installed_program() {
        let other = Some(r"\device\harddiskvolume1\home\me\other");
        let both = [packet("1", "TCP", "10.0.0.5", other), packet("2", "TCP", "10.0.0.5", CURL)];
        let shown = texts(&picture(&both).expect("a picture"));
        assert!(!shown.iter().any(|text| text.contains("home")), "{shown:?}");
        let error = picture(&both[..1]).expect_err("no picture");
        assert_eq!(error.to_string(), "no program in /usr/bin sent a packet");
    }

    #[test]
    fn text_that_has_no_room_is_cut_where_its_reader_sees_it() {
        assert_eq!([cut("abcdé", 5), cut("abcdéf", 5)], ["abcdé", "abcd…"]);
    }
}
