//! What the programs of others make of an annotated capture: `tshark`, `capinfos` and `editcap` of Debian's package tshark.
//!
//! ```sh
//! cargo xtask demo
//! cargo test -p flowtag-tool --test wireshark -- --ignored
//! ```
//!
//! Release 4.0 shows a custom block as a frame of its own, without time and addresses.

#[expect(dead_code, reason = "each test program needs a part of it")]
mod made;
mod pcapng;

use std::{fs, path::Path, process::Command};

use made::{Capture, ETHERNET, LOCAL, ORDERS, REMOTE, ethernet, flow, jsonl, open, udp};

/// What a program prints. It must not complain.
fn said(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).output().expect("apt-get install tshark");
    let complaints = String::from_utf8_lossy(&output.stderr);
    let complaints: Vec<_> = complaints.lines().filter(|line| !line.starts_with("Running as user")).collect();
    assert!(output.status.success() && complaints.is_empty(), "{program} {arguments:?}: {complaints:?}");
    String::from_utf8(output.stdout).expect("text")
}

/// A capture of three packets, two of which are of a flow, and what becomes of it.
fn annotated(folder: &Path, order: made::Order, options: &[&str]) -> [String; 2] {
    let path = |name: &str| folder.join(name).display().to_string();
    let mut capture = Capture::new(order, ETHERNET);
    for (after, packet) in [(10, udp(LOCAL, REMOTE)), (20, udp("10.9.9.9:1", REMOTE)), (30, udp(REMOTE, LOCAL))] {
        capture.packet(after, &ethernet(&packet));
    }
    fs::write(path("in.pcapng"), capture.bytes).expect("it is written");
    let flows = jsonl(&[open(0, flow(1, 7, LOCAL, REMOTE))]);
    let status = Command::new(env!("CARGO_BIN_EXE_flowtag"))
        .args(["annotate", "--quiet", &path("in.pcapng"), &path("out.pcapng"), "--flows"])
        .arg(flows.path())
        .args(options)
        .status();
    assert!(status.expect("it starts").success());
    ["in.pcapng", "out.pcapng"].map(path)
}

/// The fields of each IP packet that `tshark` shows.
fn shown(file: &str, fields: &[&str]) -> String {
    let fields = fields.iter().flat_map(|field| ["-e", field]);
    let arguments: Vec<_> = ["-n", "-r", file, "-Y", "ip", "-T", "fields"].into_iter().chain(fields).collect();
    said("tshark", &arguments)
}

#[test]
#[ignore = "it needs Debian's package tshark"]
fn tshark_shows_the_same_packets_and_the_comments() {
    const SAME: [&str; 5] = ["frame.time_epoch", "frame.len", "frame.cap_len", "ip.src", "udp.payload"];
    for order in ORDERS {
        let folder = tempfile::tempdir().expect("a folder");
        let [before, after] = annotated(folder.path(), order, &[]);
        assert_eq!(shown(&before, &SAME), shown(&after, &SAME));
        let comments = shown(&after, &["frame.comment"]);
        let comments: Vec<_> = comments.lines().filter(|line| line.contains("PID: 7")).collect();
        assert_eq!(comments.len(), 2, "{comments:?}");
    }
}

#[test]
#[ignore = "it needs Debian's package tshark"]
fn capinfos_and_editcap_take_it_without_complaint() {
    for order in ORDERS {
        let folder = tempfile::tempdir().expect("a folder");
        let [_, after] = annotated(folder.path(), order, &[]);
        assert!(said("capinfos", &["-c", "-M", &after]).contains("Number of packets:   3"));
        let copy = folder.path().join("copy.pcapng").display().to_string();
        said("editcap", &[&after, &copy]);
        let blocks = pcapng::blocks(&fs::read(&copy).expect("it is there"));
        let kept: Vec<_> = blocks.iter().filter(|block| matches!(block, pcapng::Block::Process(_))).collect();
        assert_eq!(kept.len(), 1, "process information may be copied");
    }
}

#[test]
#[ignore = "it needs Debian's package tshark, and what `cargo xtask demo` has captured as root"]
fn the_demos_capture_is_read_without_complaint_and_has_the_same_packets() {
    const SAME: [&str; 3] = ["frame.time_epoch", "frame.len", "ip.src"];
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/demo");
    let [before, after] = ["traffic.pcap", "traffic.pcapng"].map(|name| folder.join(name).display().to_string());
    assert_eq!(shown(&before, &SAME), shown(&after, &SAME));
    assert!(shown(&after, &["frame.comment"]).contains("curl"));
    said("capinfos", &[&after]);
    let copies = tempfile::tempdir().expect("a folder");
    let copy = copies.path().join("copy.pcapng").display().to_string();
    said("editcap", &[&after, &copy]);
    assert_eq!(shown(&after, &SAME), shown(&copy, &SAME));
}

#[test]
#[ignore = "it needs Debian's package tshark"]
fn without_process_blocks_frames_keep_their_numbers() {
    let folder = tempfile::tempdir().expect("a folder");
    let [before, after] = annotated(folder.path(), made::Order::Little, &["--no-process-blocks"]);
    assert_eq!(
        shown(&before, &["frame.number", "frame.time_epoch"]),
        shown(&after, &["frame.number", "frame.time_epoch"])
    );
    assert!(shown(&after, &["frame.comment"]).contains("PID: 7"));
}
