//! The objects that the base filtering engine manages: sub-layers, callouts and filters.
//!
//! A policy is a value: a transaction works on a copy and puts it in place as a whole. Win32
//! "Object Management", "Filter Weight Assignment".
//!
//! Simplifications: filters have no conditions (a filter without conditions matches everything at its layer); provider contexts
//! do not exist; the automatic weight of a filter is below every weight chosen by hand.

use super::{
    abi::Guid,
    arbitration::{Decision, Verdict},
    layer::Layer,
    status::{self, Status},
};

/// The sub-layer that filters go to when they name none (`FWPM_SUBLAYER_UNIVERSAL`); it is always there.
pub(super) const UNIVERSAL_SUBLAYER: Guid =
    Guid::new(0xeebe_cc03, 0xced4, 0x4380, [0x81, 0x9a, 0x27, 0x34, 0x39, 0x7b, 0x2b, 0x74]);

/// The providers that are built in, always there: those of Win32 "Built-in Provider Identifiers", with their keys of fwpmu.h:
/// `IKEEXT`, `IPSEC_DOSP_CONFIG`, `TCP_CHIMNEY_OFFLOAD`, `TCP_TEMPLATES`. (That header has those of the firewall's service, too.)
pub(super) const BUILT_IN_PROVIDERS: [Guid; 4] = [
    Guid::new(0x10ad_9216, 0xccde, 0x456c, [0x8b, 0x16, 0xe9, 0xf0, 0x4e, 0x60, 0xa9, 0x0b]),
    Guid::new(0x3c6c_05a9, 0xc05c, 0x4bb9, [0x83, 0x38, 0x23, 0x27, 0x81, 0x4c, 0xe8, 0xbf]),
    Guid::new(0x896a_a19e, 0x9a34, 0x4bcb, [0xae, 0x79, 0xbe, 0xb9, 0x12, 0x7c, 0x84, 0xb9]),
    Guid::new(0x76cf_cd30, 0x3394, 0x432d, [0xbe, 0xd3, 0x44, 0x1a, 0xe5, 0x0e, 0x63, 0xc3]),
];

/// The weight of the universal sub-layer: a guess, below it only 0.
const UNIVERSAL_WEIGHT: u16 = 1;

/// A session, as the owner of dynamic objects.
pub(super) type SessionId = u64;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct SubLayer {
    pub(super) key: Guid,
    pub(super) weight: u16,
    pub(super) provider: Option<Guid>,
    /// The dynamic session that it dies with; `None` for a static one.
    pub(super) owner: Option<SessionId>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct ManagedCallout {
    pub(super) key: Guid,
    pub(super) id: u32,
    pub(super) layer: Layer,
    pub(super) provider: Option<Guid>,
    pub(super) owner: Option<SessionId>,
}

/// What a callout filter lets its callout decide.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    /// It must block or permit.
    Terminating,
    /// It may only look.
    Inspection,
    /// It may do either.
    Unknown,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Action {
    /// The filter decides by itself.
    Decide(Verdict),
    /// Another product's callout is asked, of which only the answer is modelled.
    Foreign(Decision),
    Callout {
        key: Guid,
        role: Role,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Filter {
    /// 0 until it is added.
    pub(super) id: u64,
    pub(super) key: Guid,
    pub(super) layer: Layer,
    pub(super) sublayer: Guid,
    pub(super) weight: u64,
    pub(super) action: Action,
    /// `FWPM_FILTER_FLAG_*`.
    pub(super) flags: u32,
    pub(super) context: u64,
    pub(super) provider: Option<Guid>,
    pub(super) owner: Option<SessionId>,
}

impl Filter {
    /// The callout that it calls.
    pub(super) fn callout(&self) -> Option<Guid> {
        match self.action {
            Action::Callout { key, .. } => Some(key),
            Action::Decide(_) | Action::Foreign(_) => None,
        }
    }
}

/// Who added objects.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Provider {
    pub(super) key: Guid,
    pub(super) owner: Option<SessionId>,
}

#[derive(Clone, Debug, Default)]
pub(super) struct Policy {
    providers: Vec<Provider>,
    sublayers: Vec<SubLayer>,
    callouts: Vec<ManagedCallout>,
    filters: Vec<Filter>,
}

impl Policy {
    pub(super) fn add_provider(&mut self, provider: Provider) -> Result<(), Status> {
        if BUILT_IN_PROVIDERS.contains(&provider.key) || self.providers.iter().any(|other| other.key == provider.key) {
            return Err(status::FWP_ALREADY_EXISTS);
        }
        self.providers.push(provider);
        Ok(())
    }

    pub(super) fn add_sublayer(&mut self, sublayer: SubLayer) -> Result<(), Status> {
        if sublayer.key == UNIVERSAL_SUBLAYER || self.sublayers.iter().any(|other| other.key == sublayer.key) {
            return Err(status::FWP_ALREADY_EXISTS);
        }
        self.check_provider(sublayer.provider, sublayer.owner)?;
        self.sublayers.push(sublayer);
        Ok(())
    }

    pub(super) fn add_callout(&mut self, callout: ManagedCallout) -> Result<(), Status> {
        if self.callouts.iter().any(|other| other.key == callout.key) {
            return Err(status::FWP_ALREADY_EXISTS);
        }
        self.check_provider(callout.provider, callout.owner)?;
        self.callouts.push(callout);
        Ok(())
    }

    /// Whether `filter` could be added: everything that it names exists and fits.
    pub(super) fn check_filter(&self, filter: &Filter) -> Result<(), Status> {
        if self.filters.iter().any(|other| other.key == filter.key) {
            return Err(status::FWP_ALREADY_EXISTS);
        }
        self.check_provider(filter.provider, filter.owner)?;
        if filter.sublayer != UNIVERSAL_SUBLAYER {
            let sublayer = self.sublayers.iter().find(|sublayer| sublayer.key == filter.sublayer);
            if dies_before(sublayer.ok_or(status::FWP_SUBLAYER_NOT_FOUND)?.owner, filter.owner) {
                return Err(status::FWP_LIFETIME_MISMATCH);
            }
        }
        if let Some(key) = filter.callout() {
            let callout =
                self.callouts.iter().find(|callout| callout.key == key).ok_or(status::FWP_CALLOUT_NOT_FOUND)?;
            if callout.layer != filter.layer {
                return Err(status::FWP_INCOMPATIBLE_LAYER);
            }
            if dies_before(callout.owner, filter.owner) {
                return Err(status::FWP_LIFETIME_MISMATCH);
            }
        }
        Ok(())
    }

    pub(super) fn add_filter(&mut self, filter: Filter) -> Result<(), Status> {
        self.check_filter(&filter)?;
        self.filters.push(filter);
        Ok(())
    }

    /// Whether an object of `owner`'s may name this provider.
    fn check_provider(&self, provider: Option<Guid>, owner: Option<SessionId>) -> Result<(), Status> {
        let Some(key) = provider.filter(|key| !BUILT_IN_PROVIDERS.contains(key)) else { return Ok(()) };
        let provider = self.providers.iter().find(|provider| provider.key == key);
        if dies_before(provider.ok_or(status::FWP_PROVIDER_NOT_FOUND)?.owner, owner) {
            return Err(status::FWP_LIFETIME_MISMATCH);
        }
        Ok(())
    }

    pub(super) fn remove_provider(&mut self, key: Guid, by: Option<SessionId>) -> Result<(), Status> {
        let named = self.sublayers.iter().map(|sublayer| sublayer.provider);
        let named = named.chain(self.callouts.iter().map(|callout| callout.provider));
        let mut named = named.chain(self.filters.iter().map(|filter| filter.provider));
        if named.any(|provider| provider == Some(key)) {
            return Err(status::FWP_IN_USE);
        }
        take(&mut self.providers, |provider| (provider.key, provider.owner), key, by, status::FWP_PROVIDER_NOT_FOUND)
    }

    pub(super) fn remove_sublayer(&mut self, key: Guid, by: Option<SessionId>) -> Result<(), Status> {
        if self.filters.iter().any(|filter| filter.sublayer == key) {
            return Err(status::FWP_IN_USE);
        }
        take(&mut self.sublayers, |sublayer| (sublayer.key, sublayer.owner), key, by, status::FWP_SUBLAYER_NOT_FOUND)
    }

    pub(super) fn remove_callout(&mut self, key: Guid, by: Option<SessionId>) -> Result<(), Status> {
        if self.filters.iter().any(|filter| filter.callout() == Some(key)) {
            return Err(status::FWP_IN_USE);
        }
        take(&mut self.callouts, |callout| (callout.key, callout.owner), key, by, status::FWP_CALLOUT_NOT_FOUND)
    }

    pub(super) fn remove_filter(&mut self, key: Guid, by: Option<SessionId>) -> Result<(), Status> {
        take(&mut self.filters, |filter| (filter.key, filter.owner), key, by, status::FWP_FILTER_NOT_FOUND)
    }

    /// The policy when a session has ended: what it owned is gone.
    pub(super) fn without_objects_of(&self, session: SessionId) -> Self {
        let mut policy = self.clone();
        policy.filters.retain(|filter| filter.owner != Some(session));
        policy.callouts.retain(|callout| callout.owner != Some(session));
        policy.sublayers.retain(|sublayer| sublayer.owner != Some(session));
        policy.providers.retain(|provider| provider.owner != Some(session));
        policy
    }

    /// The layer at which the callout with run-time id `id` was added.
    pub(super) fn callout_layer(&self, id: u32) -> Option<Layer> {
        self.callouts.iter().find(|callout| callout.id == id).map(|callout| callout.layer)
    }

    pub(super) fn sublayer_weight(&self, key: Guid) -> u16 {
        self.sublayers.iter().find(|sublayer| sublayer.key == key).map_or(UNIVERSAL_WEIGHT, |sublayer| sublayer.weight)
    }

    /// The filters of `layer` in the order they are evaluated: heavy sub-layers first, in each heavy filters first, and
    /// the older of two equal ones (a guess).
    pub(super) fn evaluation_order(&self, layer: Layer) -> Vec<Filter> {
        let mut filters: Vec<_> = self.filters.iter().filter(|filter| filter.layer == layer).copied().collect();
        filters.sort_by_key(|filter| {
            let sublayer = (std::cmp::Reverse(self.sublayer_weight(filter.sublayer)), filter.sublayer);
            (sublayer, std::cmp::Reverse(filter.weight), filter.id)
        });
        filters
    }

    /// The filters that `self` has and `other` has not.
    pub(super) fn filters_not_in(&self, other: &Self) -> Vec<Filter> {
        self.filters.iter().filter(|filter| !other.filters.contains(filter)).copied().collect()
    }

    /// How many sub-layers, callouts, filters and providers there are.
    pub(super) fn sizes(&self) -> [usize; 4] {
        [self.sublayers.len(), self.callouts.len(), self.filters.len(), self.providers.len()]
    }
}

/// Whether an object of `referred`'s may go before one of `referring`'s: a dynamic object goes with its session (Win32 "Object
/// Management", object associations).
fn dies_before(referred: Option<SessionId>, referring: Option<SessionId>) -> bool {
    referred.is_some() && referred != referring
}

/// Takes the object with this key out of `objects`, for the dynamic session `by`, or for a static one. `describe` tells the key of
/// an object, and the dynamic session that it dies with.
///
/// SDK `FwpmFilterDeleteByKey0`, and likewise the pages of the others: what a dynamic session has added only that one deletes,
/// else `FWP_E_WRONG_SESSION`; and it deletes nothing else, else `FWP_E_DYNAMIC_SESSION_IN_PROGRESS`. Whether the first holds for
/// static sessions, too, the page leaves open; so it is read here.
fn take<T>(
    objects: &mut Vec<T>,
    describe: fn(&T) -> (Guid, Option<SessionId>),
    key: Guid,
    by: Option<SessionId>,
    not_found: Status,
) -> Result<(), Status> {
    let mut described = objects.iter().map(describe).enumerate();
    let (index, (_, owner)) = described.find(|(_, (its_key, _))| *its_key == key).ok_or(not_found)?;
    match (owner, by) {
        (None, Some(_)) => return Err(status::FWP_DYNAMIC_SESSION_IN_PROGRESS),
        (owner, by) if owner != by => return Err(status::FWP_WRONG_SESSION),
        _ => {}
    }
    objects.remove(index);
    Ok(())
}

#[cfg(test)]
#[path = "policy_tests.rs"]
mod tests;
