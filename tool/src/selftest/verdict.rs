//! How the verdict is told: a table for people, a line of JSON for programs, a report for maintainers.

use std::fmt::Write;

use serde::Serialize;

use super::{
    claims::{Claim, Finding, Word, judge},
    evidence::Evidence,
    told::{join, join_echoes, read},
};
use crate::{event::Event, output::shown, source::json};

/// The verdict on all claims.
#[derive(Debug, Serialize)]
pub struct Verdict {
    /// Of this command.
    flowtag: &'static str,
    /// What was tested.
    machine: String,
    /// The driver's version; `None` if it did not say.
    driver: Option<String>,
    /// Why the test came to its end early, or nobody could listen; nothing if it went as it should.
    given_up: Option<String>,
    /// Why no program's traffic reached the machine, if none did: nothing about flows can be judged then.
    no_traffic: Option<String>,
    /// Counts, of claims and guesses.
    pass: usize,
    fail: usize,
    unknown: usize,
    /// Each of them.
    claims: Vec<Judged>,
}

/// A claim that was judged.
#[derive(Debug, Serialize)]
struct Judged {
    id: &'static str,
    claim: &'static str,
    guess: bool,
    verdict: Word,
    seen: String,
}

impl Judged {
    fn new((claim, finding): (&Claim, Finding)) -> Self {
        Self { id: claim.id, claim: claim.text, guess: claim.is_guess, verdict: finding.word, seen: finding.seen }
    }

    fn in_words(&self) -> String {
        [if self.guess { "guess: " } else { "" }, self.claim].concat()
    }
}

impl Verdict {
    /// Judges what was seen on a machine of this name.
    #[must_use]
    pub fn of(machine: String, evidence: &Evidence) -> Self {
        let claims: Vec<_> = judge(evidence).into_iter().map(Judged::new).collect();
        let count = |word| claims.iter().filter(|judged| judged.verdict == word).count();
        let events = evidence.lives.iter().flat_map(|life| &life.told);
        let driver = events.into_iter().find_map(|told| match &told.event {
            Event::Loaded(loaded) => Some(loaded.version.clone()),
            _ => None,
        });
        Self {
            flowtag: env!("CARGO_PKG_VERSION"),
            machine,
            driver,
            given_up: evidence.given_up.clone().or_else(|| evidence.no_events.clone()),
            no_traffic: evidence.no_traffic.clone(),
            pass: count(Word::Pass),
            fail: count(Word::Fail),
            unknown: count(Word::Unknown),
            claims,
        }
    }

    /// Whether the test came to its end, and no claim fails. A guess about Windows that does is none of the driver's faults.
    #[must_use]
    pub fn is_good(&self) -> bool {
        self.given_up.is_none() && !self.claims.iter().any(|judged| judged.verdict == Word::Fail && !judged.guess)
    }

    /// As a table, each line with its end.
    #[must_use]
    pub fn table(&self) -> String {
        let driver = self.driver.as_deref().unwrap_or("of an unknown version");
        let mut text = format!("flowtag {}, driver {driver}, on {}\n\n", self.flowtag, self.machine);
        let width = self.claims.iter().map(|judged| judged.in_words().chars().count()).max().unwrap_or(0);
        for judged in &self.claims {
            let word = match judged.verdict {
                Word::Pass => "PASS",
                Word::Fail => "FAIL",
                Word::Unknown => "UNKNOWN",
            };
            let (id, claim, seen) = (judged.id, judged.in_words(), shown(&judged.seen));
            let _ = writeln!(text, "{word:7}  {id:13}  {claim:width$}  {seen}");
        }
        if let Some(why) = &self.given_up {
            let _ = writeln!(text, "\nnot all was tested: {}", shown(why));
        }
        let _ = writeln!(text, "\n{} PASS, {} FAIL, {} UNKNOWN", self.pass, self.fail, self.unknown);
        text
    }

    /// As one line of JSON, with its end.
    #[must_use]
    pub fn json(&self) -> String {
        // Text and numbers: there is nothing in it that JSON has not.
        serde_json::to_string(self).unwrap_or_default() + "\n"
    }

    /// What a maintainer needs, as JSON Lines: the verdict, then the events about the driver and about flows of the test's own programs,
    /// on loopback addresses. Nothing of anybody else's is in it; of paths, which may have a user's name, only the program's.
    #[must_use]
    pub fn report(&self, evidence: &Evidence) -> String {
        let mut text = self.json();
        for life in &evidence.lives {
            let told = read(&life.told);
            let joined = join(life, &told).into_iter().chain(join_echoes(life, &told));
            // The addresses of a flow to another machine are those of the user's network.
            let joined = joined.filter(|joined| joined.flow.talk.local.ip().is_loopback());
            let own: Vec<_> = joined.filter_map(|joined| joined.told).collect();
            for told in &life.told {
                let mut told = told.clone();
                match &mut told.event {
                    Event::FlowOpen(flow) | Event::FlowRundown(flow, _) | Event::FlowClose(flow, ..) => {
                        if !own.iter().any(|own| own.first.handle == flow.handle && own.first.local == flow.local) {
                            continue;
                        }
                        flow.process.path = flow.process.name().to_owned();
                    }
                    Event::FirstPacket(_) | Event::Packet(_) => continue,
                    _ => {}
                }
                text.push_str(&json::line(&told));
                text.push('\n');
            }
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use super::*;
    use crate::{
        event::Told,
        selftest::claims::{
            CLAIMS,
            tests::{change_flow, right},
        },
    };

    fn verdict(evidence: &Evidence) -> Verdict {
        Verdict::of("a machine".to_owned(), evidence)
    }

    /// Changes the first flow that is told of.
    fn first_flow(evidence: &mut Evidence) -> &mut Told {
        let told = &mut evidence.lives[0].told;
        told.iter_mut().find(|told| told.event.flow().is_some()).expect("there is one")
    }

    #[test]
    fn the_table_has_a_row_for_each_claim_and_their_counts() {
        let table = verdict(&right()).table();

        for claim in &CLAIMS {
            assert!(
                table.lines().any(|line| line.starts_with(&format!("PASS     {}", claim.id))),
                "{}: {table}",
                claim.id
            );
        }
        assert!(table.ends_with(&format!("\n{} PASS, 0 FAIL, 0 UNKNOWN\n", CLAIMS.len())), "{table}");
    }

    #[test]
    fn a_claim_that_fails_is_bad_and_a_guess_is_not() {
        assert!(verdict(&right()).is_good());

        let mut evidence = right();
        evidence.crash = Some("bug check 0xD1".to_owned());
        assert!(!verdict(&evidence).is_good());

        let mut evidence = right();
        change_flow(&mut evidence, 6, |flow| flow.interface = 0);
        assert_eq!((verdict(&evidence).fail, verdict(&evidence).is_good()), (1, true));
    }

    #[test]
    fn a_test_that_was_given_up_or_heard_nothing_is_bad_and_says_why() {
        for evidence in [
            Evidence { given_up: Some("a program failed".to_owned()), ..right() },
            Evidence { no_events: Some("a program failed".to_owned()), ..right() },
        ] {
            let verdict = verdict(&evidence);
            assert!(!verdict.is_good() && verdict.table().contains("not all was tested: a program failed"));
        }
    }

    #[test]
    fn the_report_has_nothing_of_others_and_no_users_name() {
        let mut evidence = right();
        let mut others = first_flow(&mut evidence).clone();
        if let Event::FlowOpen(flow) = &mut others.event {
            flow.remote = SocketAddr::from(([93, 184, 216, 34], 443));
            flow.local = SocketAddr::from(([10, 0, 0, 5], 50_123));
        }
        evidence.lives[0].told.push(others);
        if let Event::FlowOpen(flow) = &mut first_flow(&mut evidence).event {
            r"\device\harddiskvolume3\users\zebedee\flowtag.exe".clone_into(&mut flow.process.path);
        }

        let report = verdict(&evidence).report(&evidence);

        assert!(report.contains("127.0.0.1:1") && report.contains("\"Totals\""), "{report}");
        for secret in ["93.184.216.34", "10.0.0.5", "zebedee"] {
            assert!(!report.contains(secret), "{secret} is in {report}");
        }
    }

    #[test]
    fn the_report_has_the_echoes_of_the_test_and_no_address_of_the_users_network() {
        let mut evidence = right();
        let ends = [([10, 0, 0, 5], 1), ([198, 51, 100, 1], 9)].map(SocketAddr::from);
        let talk = &mut evidence.lives[0].flows[0].talk;
        [talk.local, talk.remote] = ends;
        for told in &mut evidence.lives[0].told {
            if let Event::FlowOpen(flow) | Event::FlowClose(flow, ..) = &mut told.event
                && flow.local.port() == 1
            {
                [flow.local, flow.remote] = ends;
                // So that a claim fails, and says of which flow.
                flow.process.id = 4;
            }
        }

        let report = verdict(&evidence).report(&evidence);

        assert!(report.contains("\"Protocol\":1,") && report.contains("198.51.100.1:9 of process"), "{report}");
        assert!(!report.contains("10.0.0.5"), "{report}");
    }

    #[test]
    fn the_line_of_json_is_one_line_with_each_claim() {
        let json = verdict(&right()).json();

        let read: serde_json::Value = serde_json::from_str(&json).expect("it is JSON");
        assert_eq!(json.matches('\n').count(), 1);
        assert_eq!(read["claims"].as_array().map(Vec::len), Some(CLAIMS.len()));
        assert_eq!((&read["pass"], &read["claims"][0]["verdict"]), (&CLAIMS.len().into(), &"PASS".into()));
    }
}
