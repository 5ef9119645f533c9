//! Providers, sublayers, callouts and filters, in the transactions of one dynamic session.
use super::{
    PLATFORM,
    abi::{Display, Guid, NewCallout, NewFilter, NewProvider, NewSublayer, Session},
    layer::{self, Layer},
    list::List,
};
use crate::{
    complain,
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
const INCOMPATIBLE_LAYER: Status = 0xC022_0014;
const NULL_DISPLAY_NAME: Status = 0xC022_0023;

/// The session's handle.
const SESSION: usize = 0x4000;

/// What a session has added.
#[derive(Clone, Copy)]
struct Objects {
    providers: List<Guid, 4>,
    sublayers: List<Guid, 4>,
    callouts: List<(Guid, Guid), 16>,
    filters: List<Filter, 16>,
}

/// A filter that calls a callout for everything at its layer.
#[derive(Clone, Copy)]
pub struct Filter {
    /// The layer's key.
    pub layer: Guid,
    /// The callout's.
    pub callout: Guid,
}

const NOTHING: Objects =
    Objects { providers: List::new(), sublayers: List::new(), callouts: List::new(), filters: List::new() };

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

    pub const fn is_open(&self) -> bool {
        self.open
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

fn add(function: &str, session: usize, f: impl FnOnce(&mut Objects) -> Result<(), Status>) -> Status {
    with(function, session, |management| {
        if let Some(objects) = &mut management.staged {
            return f(objects);
        }
        complain!("{function} outside of a transaction is not modelled");
        Err(NOT_SUPPORTED)
    })
}

impl Objects {
    /// Whether the provider that an object names is there; it may name none.
    fn check_provider(&self, provider: *const Guid) -> Result<(), Status> {
        // SAFETY: the driver passes NULL or a key.
        let Some(named) = (unsafe { provider.as_ref() }) else { return Ok(()) };
        if self.providers.iter().any(|key| key == named) { Ok(()) } else { Err(PROVIDER_NOT_FOUND) }
    }
}

fn named(display: &Display) -> Result<(), Status> {
    if display.name.is_null() { Err(NULL_DISPLAY_NAME) } else { Ok(()) }
}

/// `FwpmEngineOpen0`: a session on this machine, whose objects go when it does.
///
/// # Errors
/// What it answers.
pub fn open(remote: bool, session: Option<&Session>) -> Result<usize, Status> {
    const DYNAMIC: u32 = 1;
    PLATFORM.with(|platform| {
        let management = &mut platform.management;
        if remote || management.open || session.is_none_or(|session| session.flags != DYNAMIC) {
            complain!("FwpmEngineOpen0 for anything but one dynamic session on this machine is not modelled");
            return Err(NOT_SUPPORTED);
        }
        management.open = true;
        Ok(SESSION)
    })
}

/// `FwpmEngineClose0`.
pub fn close(session: usize) -> Status {
    with("FwpmEngineClose0", session, |management| {
        *management = Management::new();
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
    add("FwpmProviderAdd0", session, |objects| {
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
    add("FwpmSubLayerAdd0", session, |objects| {
        named(&sublayer.display)?;
        if objects.sublayers.iter().any(|key| *key == sublayer.key) {
            return Err(ALREADY_EXISTS);
        }
        objects.check_provider(sublayer.provider)?;
        objects.sublayers.push(sublayer.key);
        Ok(())
    })
}

/// `FwpmCalloutAdd0`.
pub fn add_callout(session: usize, callout: &NewCallout) -> Status {
    add("FwpmCalloutAdd0", session, |objects| {
        named(&callout.display)?;
        known_layer("FwpmCalloutAdd0", callout.layer)?;
        if objects.callouts.iter().any(|(key, _)| *key == callout.key) {
            return Err(ALREADY_EXISTS);
        }
        objects.check_provider(callout.provider)?;
        objects.callouts.push((callout.key, callout.layer));
        Ok(())
    })
}

/// `FwpmFilterAdd0`.
pub fn add_filter(session: usize, filter: &NewFilter) -> Status {
    const CALLOUT_INSPECTION: u32 = 0x6004;
    add("FwpmFilterAdd0", session, |objects| {
        named(&filter.display)?;
        known_layer("FwpmFilterAdd0", filter.layer)?;
        if filter.action != CALLOUT_INSPECTION || filter.conditions != 0 {
            complain!("a filter with conditions, or one that does not inspect, is not modelled");
            return Err(NOT_SUPPORTED);
        }
        objects.check_provider(filter.provider)?;
        if !objects.sublayers.iter().any(|key| *key == filter.sublayer) {
            return Err(SUBLAYER_NOT_FOUND);
        }
        let callout = objects.callouts.iter().find(|(key, _)| *key == filter.callout);
        let (_, layer) = callout.ok_or(CALLOUT_NOT_FOUND)?;
        if *layer != filter.layer {
            return Err(INCOMPATIBLE_LAYER);
        }
        objects.filters.push(Filter { layer: filter.layer, callout: filter.callout });
        Ok(())
    })
}

fn known_layer(function: &str, key: Guid) -> Result<&'static Layer, Status> {
    layer::by_key(key).ok_or_else(|| {
        complain!("{function} for another layer than the eight of connect, accept and transport");
        LAYER_NOT_FOUND
    })
}
