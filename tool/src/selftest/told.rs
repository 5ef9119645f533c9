//! The flows that events tell of, and which of them is which of those that there were.

use std::collections::HashMap;

use super::evidence::{Life, TrueFlow};
use crate::event::{Event, Flow, Packet, Told, Traffic, Why};

/// A flow, as events tell of it.
#[derive(Debug)]
pub struct ToldFlow<'a> {
    /// As it was told of first.
    pub first: &'a Flow,
    /// Whether that was by `FlowOpen`.
    pub opened: bool,
    /// Of how many `FlowClose` after it no other flow was told; the last one.
    pub closes: Vec<(&'a Flow, &'a Traffic, Why)>,
    /// Its first packets.
    pub first_packets: Vec<&'a Packet>,
}

/// The flows in the order in which they were first told of. A handle may be used again once its flow is closed.
#[must_use]
pub fn read(told: &[Told]) -> Vec<ToldFlow<'_>> {
    let mut flows: Vec<ToldFlow<'_>> = Vec::new();
    let mut by_handle: HashMap<u64, usize> = HashMap::new();
    for Told { event, .. } in told {
        match event {
            Event::FlowOpen(flow) | Event::FlowRundown(flow, _) => {
                let known = by_handle.get(&flow.handle).is_some_and(|&index| flows[index].closes.is_empty());
                let opened = matches!(event, Event::FlowOpen(_));
                if opened || !known {
                    by_handle.insert(flow.handle, flows.len());
                    flows.push(ToldFlow { first: flow, opened, closes: Vec::new(), first_packets: Vec::new() });
                }
            }
            Event::FlowClose(flow, traffic, why) => {
                let index = *by_handle.entry(flow.handle).or_insert_with(|| {
                    flows.push(ToldFlow { first: flow, opened: false, closes: Vec::new(), first_packets: Vec::new() });
                    flows.len() - 1
                });
                flows[index].closes.push((flow, traffic, *why));
            }
            Event::FirstPacket(packet) => {
                if let Some(&index) = by_handle.get(&packet.handle) {
                    flows[index].first_packets.push(packet);
                }
            }
            _ => {}
        }
    }
    flows
}

/// A flow that there was, and what was told of it.
#[derive(Debug)]
pub struct Joined<'l, 'a> {
    /// The flow.
    pub flow: &'l TrueFlow,
    /// What was told.
    pub told: Option<&'a ToldFlow<'a>>,
}

/// For each flow of the test's own programs the one that was told of: with its protocol and ends, and its owner's if several have them.
#[must_use]
pub fn join<'l, 'a>(life: &'l Life, told: &'a [ToldFlow<'a>]) -> Vec<Joined<'l, 'a>> {
    join_these(&life.flows, life, told)
}

/// The same for their echoes.
#[must_use]
pub fn join_echoes<'l, 'a>(life: &'l Life, told: &'a [ToldFlow<'a>]) -> Vec<Joined<'l, 'a>> {
    join_these(&life.echoes, life, told)
}

fn join_these<'l, 'a>(flows: &'l [TrueFlow], life: &'l Life, told: &'a [ToldFlow<'a>]) -> Vec<Joined<'l, 'a>> {
    let mut free: Vec<Option<&ToldFlow<'_>>> = told.iter().map(Some).collect();
    let found = |flow: &'l TrueFlow| {
        let talk = &flow.talk;
        let pid = life.owner(flow).hello.pid;
        let fits = |told: &ToldFlow<'_>| {
            (told.first.protocol, told.first.local, told.first.remote) == (talk.protocol, talk.local, talk.remote)
        };
        let of_owner = free.iter().position(|told| told.is_some_and(|told| fits(told) && told.first.process.id == pid));
        let index = of_owner.or_else(|| free.iter().position(|told| told.is_some_and(fits)));
        Joined { flow, told: index.and_then(|index| free[index].take()) }
    };
    flows.iter().map(found).collect()
}
