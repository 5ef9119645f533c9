//! Providers, sublayers, callouts and filters, in the transactions of sessions that are not dynamic, one at a time.
use super::{
    PLATFORM,
    abi::{Display, Guid, NewCallout, NewFilter, NewProvider, NewSublayer, Session},
    layer::{self, Layer},
};
use crate::{
    complain,
    list::List,
    nt::{INVALID_PARAMETER, NOT_SUPPORTED, SUCCESS, Status},
};

/// `STATUS_FWP_CALLOUT_NOT_FOUND`.
pub const CALLOUT_NOT_FOUND: Status = 0xC022_0001;
/// `STATUS_FWP_ALREADY_EXISTS`.
pub const ALREADY_EXISTS: Status = 0xC022_0009;
const LAYER_NOT_FOUND: Status = 0xC022_0004;
const PROVIDER_NOT_FOUND: Status = 0xC022_0005;
const SUBLAYER_NOT_FOUND: Status = 0xC022_0007;
const NO_TRANSACTION: Status = 0xC022_000D;
const IN_TRANSACTION: Status = 0xC022_000E;
const FILTER_NOT_FOUND: Status = 0xC022_0003;
const IN_USE: Status = 0xC022_000A;
const INCOMPATIBLE_LAYER: Status = 0xC022_0014;
const NULL_DISPLAY_NAME: Status = 0xC022_0023;
/// `EPT_NT_NOT_REGISTERED`.
const NOT_REGISTERED: Status = 0xC002_0036;

/// The session's handle.
const SESSION: usize = 0x4000;

/// What a session has added.
#[derive(Clone, Copy)]
struct Objects {
    providers: List<Guid, 4>,
    /// Each with its provider.
    sublayers: List<(Guid, Option<Guid>), 4>,
    callouts: List<Callout, 16>,
    filters: List<Filter, 16>,
}

#[derive(Clone, Copy)]
struct Callout {
    key: Guid,
    layer: Guid,
    provider: Option<Guid>,
}

/// A filter that calls a callout for everything at its layer.
#[derive(Clone, Copy)]
pub struct Filter {
    key: Guid,
    sublayer: Guid,
    provider: Option<Guid>,
    /// The layer's key.
    pub layer: Guid,
    /// The callout's.
    pub callout: Guid,
}

const NOTHING: Objects =
    Objects { providers: List::EMPTY, sublayers: List::EMPTY, callouts: List::EMPTY, filters: List::EMPTY };

/// The state of the filter engine.
pub struct Management {
    open: bool,
    committed: Objects,
    /// What the running transaction will commit.
    staged: Option<Objects>,
}

impl Management {
    pub const fn new() -> Self {
        Self { open: false, committed: NOTHING, staged: None }
    }

    /// Whether there is any object.
    pub fn has_objects(&self) -> bool {
        let Objects { providers, sublayers, callouts, filters } = &self.committed;
        providers.iter().next().is_some()
            || sublayers.iter().next().is_some()
            || callouts.iter().next().is_some()
            || filters.iter().next().is_some()
    }

    pub const fn is_open(&self) -> bool {
        self.open
    }

    /// The service stops: every object goes (Win32, "Object Management").
    pub fn stop(&mut self) {
        if self.open {
            complain!("the filter engine stops under an open session: not modelled");
        }
        *self = Self::new();
    }

    /// The filters that are in force.
    pub fn filters(&self) -> impl Iterator<Item = &Filter> {
        self.committed.filters.iter()
    }

    fn check(&self, function: &str, session: usize) -> Result<(), Status> {
        if self.open && session == SESSION {
            return Ok(());
        }
        complain!("{function} with {session:#x}, which is no open session");
        Err(INVALID_PARAMETER)
    }
}

fn with(function: &str, session: usize, f: impl FnOnce(&mut Management) -> Result<(), Status>) -> Status {
    let outcome = PLATFORM.with(|platform| {
        platform.management.check(function, session)?;
        f(&mut platform.management)
    });
    outcome.err().unwrap_or(SUCCESS)
}

fn change(function: &str, session: usize, f: impl FnOnce(&mut Objects) -> Result<(), Status>) -> Status {
    with(function, session, |management| {
        if let Some(objects) = &mut management.staged {
            return f(objects);
        }
        complain!("{function} outside of a transaction is not modelled");
        Err(NOT_SUPPORTED)
    })
}

impl Objects {
    /// The provider that an object names, which must be there; it may name none.
    fn provider(&self, provider: *const Guid) -> Result<Option<Guid>, Status> {
        // SAFETY: the driver passes NULL or a key.
        let Some(named) = (unsafe { provider.as_ref() }) else { return Ok(None) };
        if self.providers.iter().any(|key| key == named) { Ok(Some(*named)) } else { Err(PROVIDER_NOT_FOUND) }
    }

    /// Whether an object names this provider.
    fn names(&self, provider: Guid) -> bool {
        let mut named = self.sublayers.iter().map(|(_, provider)| provider);
        named.any(|named| *named == Some(provider))
            || self.callouts.iter().any(|callout| callout.provider == Some(provider))
            || self.filters.iter().any(|filter| filter.provider == Some(provider))
    }
}

fn named(display: &Display) -> Result<(), Status> {
    if display.name.is_null() { Err(NULL_DISPLAY_NAME) } else { Ok(()) }
}

/// `FwpmEngineOpen0`: a session on this machine, whose objects stay when it goes.
///
/// # Errors
/// What it answers.
pub fn open(remote: bool, session: Option<&Session>) -> Result<usize, Status> {
    PLATFORM.with(|platform| {
        if !platform.service.runs() {
            return Err(NOT_REGISTERED);
        }
        let management = &mut platform.management;
        if remote || management.open || session.is_some_and(|session| session.flags != 0) {
            complain!("FwpmEngineOpen0 for anything but one session at a time, of this machine, without flags");
            return Err(NOT_SUPPORTED);
        }
        management.open = true;
        Ok(SESSION)
    })
}

/// `FwpmEngineClose0`.
pub fn close(session: usize) -> Status {
    with("FwpmEngineClose0", session, |management| {
        management.open = false;
        management.staged = None;
        Ok(())
    })
}

/// `FwpmTransactionBegin0`.
pub fn begin(session: usize) -> Status {
    with("FwpmTransactionBegin0", session, |management| {
        if management.staged.is_some() {
            return Err(IN_TRANSACTION);
        }
        management.staged = Some(management.committed);
        Ok(())
    })
}

/// `FwpmTransactionCommit0`.
pub fn commit(session: usize) -> Status {
    with("FwpmTransactionCommit0", session, |management| {
        management.committed = management.staged.take().ok_or(NO_TRANSACTION)?;
        Ok(())
    })
}

/// `FwpmTransactionAbort0`.
pub fn abort(session: usize) -> Status {
    with("FwpmTransactionAbort0", session, |management| management.staged.take().map(drop).ok_or(NO_TRANSACTION))
}

/// `FwpmProviderAdd0`.
pub fn add_provider(session: usize, provider: &NewProvider) -> Status {
    change("FwpmProviderAdd0", session, |objects| {
        named(&provider.display)?;
        if objects.providers.iter().any(|key| *key == provider.key) {
            return Err(ALREADY_EXISTS);
        }
        objects.providers.push(provider.key);
        Ok(())
    })
}

/// `FwpmSubLayerAdd0`.
pub fn add_sublayer(session: usize, sublayer: &NewSublayer) -> Status {
    change("FwpmSubLayerAdd0", session, |objects| {
        named(&sublayer.display)?;
        if objects.sublayers.iter().any(|(key, _)| *key == sublayer.key) {
            return Err(ALREADY_EXISTS);
        }
        let provider = objects.provider(sublayer.provider)?;
        objects.sublayers.push((sublayer.key, provider));
        Ok(())
    })
}

/// `FwpmCalloutAdd0`.
pub fn add_callout(session: usize, callout: &NewCallout) -> Status {
    change("FwpmCalloutAdd0", session, |objects| {
        named(&callout.display)?;
        known_layer("FwpmCalloutAdd0", callout.layer)?;
        if objects.callouts.iter().any(|other| other.key == callout.key) {
            return Err(ALREADY_EXISTS);
        }
        let provider = objects.provider(callout.provider)?;
        objects.callouts.push(Callout { key: callout.key, layer: callout.layer, provider });
        Ok(())
    })
}

/// `FwpmFilterAdd0`.
pub fn add_filter(session: usize, filter: &NewFilter) -> Status {
    const CALLOUT_INSPECTION: u32 = 0x6004;
    change("FwpmFilterAdd0", session, |objects| {
        named(&filter.display)?;
        known_layer("FwpmFilterAdd0", filter.layer)?;
        if filter.action != CALLOUT_INSPECTION || filter.conditions != 0 {
            complain!("a filter with conditions, or one that does not inspect, is not modelled");
            return Err(NOT_SUPPORTED);
        }
        if objects.filters.iter().any(|other| other.key == filter.key) {
            return Err(ALREADY_EXISTS);
        }
        let provider = objects.provider(filter.provider)?;
        if !objects.sublayers.iter().any(|(key, _)| *key == filter.sublayer) {
            return Err(SUBLAYER_NOT_FOUND);
        }
        let callout = objects.callouts.iter().find(|callout| callout.key == filter.callout);
        if callout.ok_or(CALLOUT_NOT_FOUND)?.layer != filter.layer {
            return Err(INCOMPATIBLE_LAYER);
        }
        objects.filters.push(Filter {
            key: filter.key,
            sublayer: filter.sublayer,
            provider,
            layer: filter.layer,
            callout: filter.callout,
        });
        Ok(())
    })
}

/// `FwpmFilterDeleteByKey0`.
pub fn delete_filter(session: usize, key: Guid) -> Status {
    change("FwpmFilterDeleteByKey0", session, |objects| {
        objects.filters.take(|filter| filter.key == key).map(drop).ok_or(FILTER_NOT_FOUND)
    })
}

/// `FwpmCalloutDeleteByKey0`.
pub fn delete_callout(session: usize, key: Guid) -> Status {
    change("FwpmCalloutDeleteByKey0", session, |objects| {
        if objects.filters.iter().any(|filter| filter.callout == key) {
            return Err(IN_USE);
        }
        objects.callouts.take(|callout| callout.key == key).map(drop).ok_or(CALLOUT_NOT_FOUND)
    })
}

/// `FwpmSubLayerDeleteByKey0`.
pub fn delete_sublayer(session: usize, key: Guid) -> Status {
    change("FwpmSubLayerDeleteByKey0", session, |objects| {
        if objects.filters.iter().any(|filter| filter.sublayer == key) {
            return Err(IN_USE);
        }
        objects.sublayers.take(|(sublayer, _)| *sublayer == key).map(drop).ok_or(SUBLAYER_NOT_FOUND)
    })
}

/// `FwpmProviderDeleteByKey0`.
pub fn delete_provider(session: usize, key: Guid) -> Status {
    change("FwpmProviderDeleteByKey0", session, |objects| {
        if objects.names(key) {
            return Err(IN_USE);
        }
        objects.providers.take(|provider| *provider == key).map(drop).ok_or(PROVIDER_NOT_FOUND)
    })
}

fn known_layer(function: &str, key: Guid) -> Result<&'static Layer, Status> {
    layer::by_key(key).ok_or_else(|| {
        complain!("{function} for another layer than the eight of connect, accept and transport");
        LAYER_NOT_FOUND
    })
}
