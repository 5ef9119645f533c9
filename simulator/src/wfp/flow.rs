//! Flows, and the contexts that callouts hang on them.
//!
//! A context belongs to a (flow, layer, callout). It is *associated* until somebody removes it or the flow ends;
//! whoever takes it off owes the callout one flowDeleteFn. While a classify of that (flow, layer, callout) runs, the
//! debt waits for its end: no classify sees a context whose flowDeleteFn has begun. What was taken off is in the way of
//! another context for as long as [`Emptied`] says. Nothing here calls the driver: what is owed is returned as
//! [`Deletion`]s, for the caller to deliver when it holds no lock.
//!
//! DDI `FwpsFlowAssociateContext0`, `FwpsFlowRemoveContext0`, `FWPS_CALLOUT_FLOW_DELETE_NOTIFY_FN0`.
//! Whether the end of a flow waits for a classify just as a removal does: see [`FlowEnd`].

use std::{
    collections::{BTreeSet, HashMap},
    sync::Arc,
};

use super::{
    layer::{Family, Layer, Point},
    switches::{DyingFlow, Emptied, FlowEnd, HandleReuse},
    traffic::{Direction, FlowSpec},
};

/// A flow's identity inside the engine: unlike its handle it is never used again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct FlowId {
    number: u64,
    /// Its handle, which is known for longer than the flow is.
    pub(super) handle: u64,
}

/// What a context is looked up by, within its flow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Target {
    pub(super) layer: u16,
    pub(super) callout: u32,
}

/// A flowDeleteFn that is owed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Deletion {
    pub(super) flow: FlowId,
    pub(super) target: Target,
    pub(super) context: u64,
}

/// How an association went.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Associated {
    Done,
    /// Done, and at once undone: the flow was dying.
    DoneAndDeleted(Deletion),
    /// The callout has a context there, and keeps it.
    NameExists,
    /// There is no such flow.
    NoFlow,
    /// The flow has ended.
    Dying,
}

/// How a removal went.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Removed {
    Now(Deletion),
    /// When the classify that is active ends.
    Later,
    NoContext,
    NoFlow,
}

#[derive(Debug)]
pub(super) struct Flow {
    pub(super) handle: u64,
    pub(super) spec: Arc<FlowSpec>,
    /// The policy has changed since the flow was authorized.
    pub(super) reauthorize: bool,
    ended: bool,
    slots: Vec<Slot>,
}

#[derive(Debug)]
struct Slot {
    target: Target,
    context: Option<u64>,
    /// Classifies running now.
    active: u32,
    /// Contexts taken off during those.
    owed: Vec<u64>,
    /// Contexts taken off whose flowDeleteFn has not been called, those owed among them.
    leaving: u32,
    /// Contexts whose flowDeleteFn runs.
    deleting: u32,
}

impl Flow {
    /// The layer that authorizes it.
    pub(super) fn authorized_at(&self) -> Layer {
        let point = match self.spec.direction {
            Direction::Outbound => Point::AuthConnect,
            Direction::Inbound => Point::AuthRecvAccept,
        };
        Layer { point, family: self.family() }
    }

    pub(super) fn family(&self) -> Family {
        if self.spec.local.is_ipv4() { Family::V4 } else { Family::V6 }
    }

    fn slot(&mut self, target: Target) -> &mut Slot {
        let index = self.slots.iter().position(|slot| slot.target == target).unwrap_or_else(|| {
            self.slots.push(Slot { target, context: None, active: 0, owed: Vec::new(), leaving: 0, deleting: 0 });
            self.slots.len() - 1
        });
        &mut self.slots[index]
    }

    /// Takes all contexts off; returns what is owed at once.
    fn take_all_off(&mut self, id: FlowId, waits: FlowEnd) -> Vec<Deletion> {
        let mut owed = Vec::new();
        for slot in &mut self.slots {
            let taken_off = slot.take_off();
            slot.owed.extend(taken_off);
            if slot.active == 0 || waits == FlowEnd::DoesNotWait {
                owed.extend(slot.deletions(id));
            }
        }
        owed
    }

    fn classified(&self) -> bool {
        self.slots.iter().any(|slot| slot.active > 0)
    }
}

impl Slot {
    fn deletions(&mut self, flow: FlowId) -> impl Iterator<Item = Deletion> {
        let target = self.target;
        self.owed.drain(..).map(move |context| Deletion { flow, target, context })
    }

    fn take_off(&mut self) -> Option<u64> {
        let context = self.context.take();
        self.leaving += u32::from(context.is_some());
        context
    }

    /// Whether another context finds one there.
    fn is_taken(&self, emptied: Emptied) -> bool {
        let in_the_way = match emptied {
            Emptied::AtOnce => 0,
            Emptied::BeforeDelete => self.leaving,
            Emptied::AfterDelete => self.leaving + self.deleting,
        };
        self.context.is_some() || in_the_way > 0
    }
}

/// The flows that there are.
#[derive(Debug, Default)]
pub(super) struct Flows {
    table: HashMap<FlowId, Flow>,
    by_handle: HashMap<u64, FlowId>,
    opened: u64,
    /// Handles of ended flows, to be used again.
    spare_handles: BTreeSet<u64>,
    last_handle: u64,
}

impl Flows {
    /// Starts a flow. If handles are used again it gets the lowest that may be.
    pub(super) fn open(&mut self, spec: Arc<FlowSpec>, reuse: HandleReuse) -> FlowId {
        let spare = match reuse {
            HandleReuse::Never => None,
            // A flow that is still being classified is in the table.
            HandleReuse::AfterClassifies => {
                self.spare_handles.iter().copied().find(|handle| !self.by_handle.contains_key(handle))
            }
            HandleReuse::AtOnce => self.spare_handles.first().copied(),
        };
        if let Some(spare) = spare {
            self.spare_handles.remove(&spare);
        }
        let handle = spare.unwrap_or_else(|| {
            self.last_handle += 1;
            self.last_handle
        });
        self.opened += 1;
        let id = FlowId { number: self.opened, handle };
        self.table.insert(id, Flow { handle, spec, reauthorize: false, ended: false, slots: Vec::new() });
        self.by_handle.insert(handle, id);
        id
    }

    /// The live flow that `handle` names now.
    pub(super) fn live(&self, handle: u64) -> Option<FlowId> {
        self.by_handle.get(&handle).copied().filter(|id| !self.table[id].ended)
    }

    pub(super) fn get(&self, id: FlowId) -> Option<&Flow> {
        self.table.get(&id)
    }

    pub(super) fn get_mut(&mut self, id: FlowId) -> Option<&mut Flow> {
        self.table.get_mut(&id)
    }

    /// All live flows, the oldest first.
    pub(super) fn all_live(&self) -> Vec<FlowId> {
        let mut live: Vec<_> = self.table.iter().filter(|(_, flow)| !flow.ended).map(|(id, _)| *id).collect();
        live.sort_unstable();
        live
    }

    /// `FwpsFlowAssociateContext0`, once its parameters are known to be good.
    pub(super) fn associate(
        &mut self,
        handle: u64,
        target: Target,
        context: u64,
        dying: DyingFlow,
        emptied: Emptied,
    ) -> Associated {
        let Some((id, flow)) = self.by_handle.get(&handle).and_then(|&id| Some((id, self.table.get_mut(&id)?))) else {
            return Associated::NoFlow;
        };
        let ended = flow.ended;
        let slot = flow.slot(target);
        if ended {
            return match dying {
                DyingFlow::Refuse | DyingFlow::RefuseByChance => Associated::Dying,
                DyingFlow::DeleteInline => {
                    slot.leaving += 1;
                    Associated::DoneAndDeleted(Deletion { flow: id, target, context })
                }
                DyingFlow::DeleteLater => {
                    slot.leaving += 1;
                    slot.owed.push(context);
                    Associated::Done
                }
            };
        }
        if slot.is_taken(emptied) {
            return Associated::NameExists;
        }
        slot.context = Some(context);
        Associated::Done
    }

    /// A flowDeleteFn is about to be called.
    pub(super) fn deletion_begins(&mut self, deletion: Deletion) {
        self.change_slot(deletion, |slot| {
            slot.leaving = slot.leaving.saturating_sub(1);
            slot.deleting += 1;
        });
    }

    /// It has returned.
    pub(super) fn deletion_ends(&mut self, deletion: Deletion) {
        self.change_slot(deletion, |slot| slot.deleting = slot.deleting.saturating_sub(1));
    }

    /// Changes what a context was taken off of, if the flow is still known.
    fn change_slot(&mut self, deletion: Deletion, change: impl FnOnce(&mut Slot)) {
        if let Some(flow) = self.table.get_mut(&deletion.flow) {
            change(flow.slot(deletion.target));
        }
    }

    /// `FwpsFlowRemoveContext0`.
    pub(super) fn remove(&mut self, handle: u64, target: Target) -> Removed {
        let Some((id, flow)) = self.by_handle.get(&handle).and_then(|&id| Some((id, self.table.get_mut(&id)?))) else {
            return Removed::NoFlow;
        };
        let slot = flow.slot(target);
        let Some(context) = slot.take_off() else { return Removed::NoContext };
        if slot.active > 0 {
            slot.owed.push(context);
            return Removed::Later;
        }
        Removed::Now(Deletion { flow: id, target, context })
    }

    /// The context that a classify starting now would be given.
    pub(super) fn context(&self, id: FlowId, target: Target) -> Option<u64> {
        let flow = self.table.get(&id)?;
        flow.slots.iter().find(|slot| slot.target == target)?.context
    }

    /// A classify begins: until [`Self::leave`] the context stays valid.
    pub(super) fn enter(&mut self, id: FlowId, target: Target) {
        if let Some(flow) = self.table.get_mut(&id) {
            flow.slot(target).active += 1;
        }
    }

    /// A classify ends; returns what had to wait for it.
    pub(super) fn leave(&mut self, id: FlowId, target: Target) -> Vec<Deletion> {
        let Some(flow) = self.table.get_mut(&id) else { return Vec::new() };
        let slot = flow.slot(target);
        slot.active = slot.active.saturating_sub(1);
        let mut owed = Vec::new();
        if slot.active == 0 {
            owed.extend(slot.deletions(id));
        }
        if flow.ended && !flow.classified() {
            owed.extend(flow.slots.iter_mut().flat_map(|slot| slot.deletions(id)));
            self.forget(id);
        }
        owed
    }

    /// The flow ends; returns what is owed at once. `None` when it had ended before.
    pub(super) fn end(&mut self, id: FlowId, waits: FlowEnd) -> Option<Vec<Deletion>> {
        let flow = self.table.get_mut(&id).filter(|flow| !flow.ended)?;
        flow.ended = true;
        let owed = flow.take_all_off(id, waits);
        self.spare_handles.insert(flow.handle);
        if !flow.classified() {
            self.forget(id);
        }
        Some(owed)
    }

    /// The flow loses its contexts and lives on; returns what is owed at once.
    pub(super) fn lose_contexts(&mut self, id: FlowId, waits: FlowEnd) -> Vec<Deletion> {
        self.table.get_mut(&id).map(|flow| flow.take_all_off(id, waits)).unwrap_or_default()
    }

    fn forget(&mut self, id: FlowId) {
        if let Some(flow) = self.table.remove(&id)
            && self.by_handle.get(&flow.handle) == Some(&id)
        {
            self.by_handle.remove(&flow.handle);
        }
    }

    /// Has the flows that `layer` authorized be authorized again.
    pub(super) fn mark_for_reauthorization(&mut self, layer: Layer) {
        for flow in self.table.values_mut().filter(|flow| flow.authorized_at() == layer) {
            flow.reauthorize = true;
        }
    }
}

#[cfg(test)]
#[path = "flow_tests.rs"]
mod tests;
