//! The demo's events up to its busiest moment.

use std::collections::HashSet;

use anyhow::{Context, Result};
use serde_json::Value;

/// A part of a recording.
pub struct Busiest<'a> {
    /// From the first line to the one behind which most flows live.
    pub events: &'a str,
    /// How many these are.
    pub flows: usize,
}

/// Takes of a recording, in JSON Lines, what was told by the moment when most flows lived.
pub fn busiest(events: &str) -> Result<Busiest<'_>> {
    let mut living = HashSet::new();
    let mut busiest = Busiest { events: "", flows: 0 };
    let mut end = 0;
    for line in events.split_inclusive('\n') {
        end += line.len();
        let told: Value = serde_json::from_str(line).with_context(|| format!("no event: {line}"))?;
        let flow = told["fields"]["FlowHandle"].as_str().map(str::to_owned);
        match (told["event"].as_str(), flow) {
            (Some("FlowOpen" | "FlowRundown"), Some(flow)) => _ = living.insert(flow),
            (Some("FlowClose"), Some(flow)) => _ = living.remove(&flow),
            _ => {}
        }
        if living.len() > busiest.flows {
            busiest = Busiest { events: &events[..end], flows: living.len() };
        }
    }
    Ok(busiest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_recording_is_cut_behind_the_event_after_which_most_flows_live() {
        let event =
            |name: &str, flow: &str| format!("{{\"event\":\"{name}\",\"fields\":{{\"FlowHandle\":\"{flow}\"}}}}\n");
        let before = event("FlowOpen", "0x1") + &event("FlowClose", "0x1") + &event("FlowRundown", "0x2");
        let most = before + &event("Packet", "0x2") + &event("FlowOpen", "0x3");
        let all = most.clone() + &event("FlowClose", "0x2") + &event("FlowOpen", "0x4");

        let busiest = busiest(&all).expect("events");

        assert_eq!((busiest.events, busiest.flows), (&*most, 2));
    }
}
