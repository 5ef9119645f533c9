//! Acts out the lines of a script between a start and a stop (tests/hosts/README.md says what they mean).
use core::net::SocketAddr;

use super::{PLATFORM, bfe, classify, contexts, flow::Flow};
use crate::{complain, list::List, nt::UnicodeString, processes, text::Text, utf16};

/// The lines to act out.
const FILE: UnicodeString = utf16!("\\??\\C:\\flowtag\\script");
/// `FWP_CONDITION_FLAG_IS_REAUTHORIZE`.
const REAUTHORIZE: u32 = 4;

/// Acts out what is in the file. A line of one word comes first: how Associate answers for a context that is there.
pub fn act() {
    let Some(text) = Text::<8192>::of_file(&FILE) else {
        complain!("there is no file with lines to act out");
        return;
    };
    for line in text.as_str().lines() {
        if act_line(line).is_none() {
            complain!("a line that cannot be acted out: {line}");
        }
    }
}

fn act_line(line: &str) -> Option<()> {
    let mut words = line.splitn(7, ' ');
    let verb = words.next()?;
    match verb {
        "exists" | "folded" => PLATFORM.with(|platform| platform.folds = verb == "folded"),
        "connect" => authorize_new(new_flow(true, words)?),
        "accept" => authorize_new(new_flow(false, words)?),
        "reauthorize" => classify::authorize(&known(words.next()?)?, REAUTHORIZE),
        "again" => classify::authorize(&known(words.next()?)?, 0),
        "send" => classify::packet(&known(words.next()?)?, true, words.next()?.parse().ok()?),
        "receive" => classify::packet(&known(words.next()?)?, false, words.next()?.parse().ok()?),
        "bfe" => match words.next()? {
            "stop" => bfe::stop()?,
            "start" => bfe::start()?,
            _ => return None,
        },
        "begin" => {
            let (pid, parent) = (words.next()?.parse().ok()?, words.next()?.parse().ok()?);
            // A path may have blanks in it, and these came apart.
            let path = line.splitn(4, ' ').nth(3)?;
            processes::begin(pid, parent, path)?;
        }
        "exit" => processes::exit(words.next()?.parse().ok()?)?,
        "end" => {
            let name = words.next()?;
            let mut flow = PLATFORM.with(|platform| platform.flows.take(|flow| flow.name.as_str() == name))?;
            contexts::end(&mut flow);
        }
        _ => return None,
    }
    Some(())
}

/// A flow that is open.
fn known(name: &str) -> Option<Flow> {
    PLATFORM.with(|platform| platform.flows.iter().find(|flow| flow.name.as_str() == name).copied())
}

fn new_flow<'a>(outbound: bool, mut words: impl Iterator<Item = &'a str>) -> Option<Flow> {
    let name = Text::of(words.next()?);
    let protocol = match words.next()? {
        "icmp" => 1,
        "tcp" => 6,
        "udp" => 17,
        "icmpv6" => 58,
        _ => return None,
    };
    let local: SocketAddr = words.next()?.parse().ok()?;
    let remote = words.next()?.parse().ok()?;
    let pid = words.next()?.parse().ok()?;
    let path = Text::of(words.next()?);
    Some(Flow { name, handle: 0, outbound, protocol, local, remote, pid, path, contexts: List::EMPTY })
}

fn authorize_new(mut flow: Flow) {
    PLATFORM.with(|platform| {
        flow.handle = platform.number().into();
        platform.flows.push(flow);
    });
    classify::authorize(&flow, 0);
}
