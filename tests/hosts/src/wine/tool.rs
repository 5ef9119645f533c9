//! The command `flowtag`: flowtag.exe in Wine, and the same source built for this machine, on the same inputs.

use std::{
    fs, iter,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use anyhow::{Context, Result, bail, ensure};

use super::prefix::{Prefix, copy};

/// Events as `flowtag-sim --events` writes them; the last line is damaged.
const FLOWS: &str = r#"{"timestamp":"2025-11-30T07:45:51.0000000Z","provider":"flowtag","event":"FlowOpen","level":4,"opcode":0,"keyword":"0x1","fields":{"FlowHandle":"0x2a1","ProcessId":4242,"ProcessStartKey":"0x120000000013b6","ProcessCreateTime":"2025-11-29T12:34:56.7890000Z","ParentProcessId":812,"ServiceTag":"0x0","PackageSid":"S-1-0-0","Direction":0,"Protocol":17,"LocalAddress":"10.0.0.5:50123","RemoteAddress":"93.184.216.34:53","InterfaceIndex":12,"CompartmentId":1,"Origin":0,"ProcessPath":"\\device\\harddiskvolume3\\größe\\curl.exe"}}
{"timestamp":"2025-11-30T07:45:51.5000000Z","provider":"flowtag","event":"Stopping","level":4,"opcode":0,"keyword":"0x8","fields":{"LiveFlows":1}}
{"timestamp":"2025-11-30T07:45:
"#;

/// Trace lines as `DbgView` saves them.
const LINES: &str = "1\t0.00000000\tflowtag: open flow=0x1 pid=7 dir=out proto=udp 10.0.0.5:50123 -> 93.184.216.34:53 origin=new start=- \
                     key=- ppid=- svc=- path=a.exe\r\n2\t1.50000000\tflowtag: stopping live=1\r\n";

/// What is typed, the exit code, and the file that comes of it, if one does.
const TYPED: [(&str, i32, Option<&str>); 11] = [
    ("log --from flows.jsonl", 1, None),
    ("log --from flows.jsonl --json --process curl --remote 93.184.0.0/16", 1, None),
    ("log --from flows.jsonl --csv --output flows.csv", 1, Some("flows.csv")),
    ("log --from flows.jsonl --json --output turned.jsonl --max-size 600", 1, Some("turned.jsonl.1")),
    ("log --from lines.log --began 2025-11-30T07:45:51+01:00 --json", 0, None),
    ("export-names --from flows.jsonl", 1, None),
    ("explain udp 93.184.216.34:53 10.0.0.5:50123 --at 2025-11-30T07:45:52Z --from flows.jsonl", 1, None),
    ("annotate traffic.pcap named.pcapng --flows flows.jsonl", 1, Some("named.pcapng")),
    ("annotate traffic.pcap bare.pcapng --flows lines.log --no-comments --quiet", 0, Some("bare.pcapng")),
    ("annotate flows.jsonl none.pcapng --flows lines.log", 2, None),
    ("completions powershell", 0, None),
];

/// What only Windows has, and what is said. Wine starts the session and tells the provider, but reads none: its `OpenTraceW` denies.
const REFUSED: [(&str, &str); 2] = [
    ("log", "flowtag: live: Windows gives the driver's events only to administrators"),
    ("log --from trace.etl", "flowtag: trace.etl: OpenTraceW fails: "),
];

/// Where it is put.
pub const PROGRAM: &str = r"C:\tool\flowtag.exe";

/// Puts flowtag.exe into Wine, and returns its folder.
pub fn install(prefix: &Prefix, stand_ins: &Path, exe: &Path) -> Result<PathBuf> {
    let program = prefix.path("drive_c/tool");
    fs::create_dir_all(&program).with_context(|| format!("create {}", program.display()))?;
    copy(exe, &program.join("flowtag.exe"))?;
    // Where Wine has it, Wine's own one is taken.
    copy(&stand_ins.join("bcryptprimitives.dll"), &program.join("bcryptprimitives.dll"))?;
    Ok(program)
}

/// Types everything into both, and compares what is printed and written byte by byte.
pub fn compare(prefix: &Prefix, stand_ins: &Path, [exe, native]: &[PathBuf; 2]) -> Result<()> {
    let program = install(prefix, stand_ins, exe)?;
    let [in_wine, here] = ["in-wine", "here"].map(|name| program.join(name));
    for folder in [&in_wine, &here] {
        make_inputs(folder)?;
    }
    for (typed, code, file) in TYPED {
        let (code_in_wine, streams) = prefix.run_in(&in_wine, &for_wine(typed))?;
        let output = Command::new(native).args(typed.split(' ')).current_dir(&here).stdin(Stdio::null()).output();
        let output = output.with_context(|| format!("start {}", native.display()))?;
        let native_streams = [output.stdout, output.stderr];
        ensure!(
            (code_in_wine, output.status.code()) == (Some(code), Some(code)),
            "{typed}: exit code {code_in_wine:?} in Wine, {:?} here, instead of {code}:\n{}",
            output.status.code(),
            shown(&streams[1])
        );
        for (stream, (one, other)) in ["output", "errors"].iter().zip(streams.iter().zip(&native_streams)) {
            same(&format!("{typed}: {stream}"), one, other)?;
        }
        let any = streams.iter().any(|stream| !stream.is_empty());
        ensure!(any || file.is_some(), "{typed}: it prints nothing");
        if let Some(file) = file {
            let [one, other] = [&in_wine, &here].map(|folder| fs::read(folder.join(file)));
            same(&format!("{typed}: {file}"), &one.with_context(|| file.to_owned())?, &other?)?;
        }
    }
    for (typed, expected) in REFUSED {
        let (code, [_, errors]) = prefix.run_in(&in_wine, &for_wine(typed))?;
        let errors = shown(&errors);
        ensure!(code == Some(2) && errors.starts_with(expected), "{typed}: exit code {code:?}: {errors}");
    }
    Ok(())
}

/// The command that Wine runs when this is typed.
fn for_wine(typed: &str) -> Vec<&str> {
    iter::once(PROGRAM).chain(typed.split(' ')).collect()
}

/// Files that the commands name.
fn make_inputs(folder: &Path) -> Result<()> {
    fs::create_dir(folder).with_context(|| format!("create {}", folder.display()))?;
    let files = [
        ("flows.jsonl", FLOWS.as_bytes().to_vec()),
        ("lines.log", LINES.as_bytes().to_vec()),
        ("traffic.pcap", capture()),
        ("trace.etl", vec![0; 64]),
    ];
    for (name, contents) in files {
        fs::write(folder.join(name), contents).with_context(|| format!("write {name}"))?;
    }
    Ok(())
}

/// A capture (pcap, raw IP) with a packet of the flow each way, and one of nobody, from 07:45:51 on.
fn capture() -> Vec<u8> {
    let header = [0xa1b2_c3d4_u32, 4 << 16 | 2, 0, 0, 65_535, 101];
    let mut bytes = header.map(u32::to_le_bytes).as_flattened().to_vec();
    let (local, remote) = (([10, 0, 0, 5], 50_123_u16), ([93, 184, 216, 34], 53_u16));
    for (microseconds, from, to) in [(10, local, remote), (20, remote, local), (30, remote, remote)] {
        let mut packet = vec![0x45, 0, 0, 28, 0, 0, 0, 0, 64, 17, 0, 0];
        packet.extend([from.0, to.0].as_flattened());
        packet.extend([from.1, to.1, 8, 0].map(u16::to_be_bytes).as_flattened());
        bytes.extend([1_764_488_751_u32, microseconds, 28, 28].map(u32::to_le_bytes).as_flattened());
        bytes.extend(packet);
    }
    bytes
}

fn same(what: &str, in_wine: &[u8], here: &[u8]) -> Result<()> {
    if in_wine != here {
        bail!("{what} differs. In Wine:\n{}\nHere:\n{}", shown(in_wine), shown(here));
    }
    Ok(())
}

fn shown(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
