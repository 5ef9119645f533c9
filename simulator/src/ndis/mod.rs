//! Pools of network buffers, of NDIS.SYS.
//!
//! Simplification: nothing is ever taken from them; they are allocated, and must be freed before the driver leaves.

mod not_modelled;

use std::{
    collections::BTreeMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

use crate::{
    computer::{Call, Export, Fails, Input, Irql, Machine, Subsystem, argument, field},
    referee::{Harm, Leaving},
};

/// Pool handles are counted from here; nothing is ever mapped there.
const FIRST_HANDLE: u64 = 0x0D15_0000_0000;
const HANDLE_STEP: u64 = 16;

const BAD_POOL_CALLER: u32 = 0xC2;

/// The exports of NDIS.
pub const EXPORTS: &[Export] = &[
    row(
        "NdisAllocateNetBufferListPool",
        Fails::Null,
        |call| allocate(call, Kind::List),
        &[
            HANDLE,
            TYPE,
            REVISION,
            field(1, 2, "Parameters.Header.Size").values(2, &[16], "DDI NET_BUFFER_LIST_POOL_PARAMETERS"),
            field(1, 4, "Parameters.ProtocolId").ignored(NOTHING_TAKEN),
            field(1, 5, "Parameters.fAllocateNetBuffer").ignored(NOTHING_TAKEN),
            field(1, 6, "Parameters.ContextSize").ignored(NOTHING_TAKEN),
            field(1, 8, "Parameters.PoolTag").ignored(NOTHING_TAKEN),
            field(1, 12, "Parameters.DataSize").ignored(NOTHING_TAKEN),
        ],
    ),
    row(
        "NdisAllocateNetBufferPool",
        Fails::Null,
        |call| allocate(call, Kind::Buffer),
        &[
            HANDLE,
            TYPE,
            REVISION,
            field(1, 2, "Parameters.Header.Size").values(2, &[12], "DDI NET_BUFFER_POOL_PARAMETERS"),
            field(1, 4, "Parameters.PoolTag").ignored(NOTHING_TAKEN),
            field(1, 8, "Parameters.DataSize").ignored(NOTHING_TAKEN),
        ],
    ),
    row("NdisFreeNetBufferListPool", Fails::Never, |call| free(call, Kind::List), &[POOL]),
    row("NdisFreeNetBufferPool", Fails::Never, |call| free(call, Kind::Buffer), &[POOL]),
];

const HANDLE: Input = argument(0, "NdisHandle").values(8, &[0], "DDI NdisAllocateNetBufferListPool: may be NULL");
const TYPE: Input = field(1, 0, "Parameters.Header.Type").values(1, &[0x80], "DDI: NDIS_OBJECT_TYPE_DEFAULT");
const REVISION: Input = field(1, 1, "Parameters.Header.Revision").values(1, &[1], "DDI: the only revision");
const POOL: Input = argument(0, "PoolHandle").used("ndis::tests::a_pool_is_freed_once_and_as_what_it_is");
/// Why it makes no difference what is in a pool.
const NOTHING_TAKEN: &str = "ours: each function that takes something from a pool stops the machine by its name";

const fn row(name: &'static str, fails: Fails, run: fn(&Call<'_>) -> u64, inputs: &'static [Input]) -> Export {
    Export { module: "NDIS.SYS", name, max_irql: Irql::DISPATCH, fails, run, inputs }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    List,
    Buffer,
}

/// A machine's pools of network buffers.
#[derive(Debug, Default)]
pub struct Ndis(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    pools: BTreeMap<u64, Kind>,
    allocated: u64,
}

impl Ndis {
    /// How many pools there are.
    #[must_use]
    pub fn pools(&self) -> usize {
        self.state().pools.len()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Subsystem for Ndis {
    fn exports(&self) -> &'static [&'static [Export]] {
        &[EXPORTS, not_modelled::EXPORTS]
    }

    fn left(&self, _: &Machine) -> Vec<Leaving> {
        let pools = self.pools();
        let text = format!("the driver left with {pools} pools of network buffers");
        (pools > 0).then(|| Leaving::counted(Harm::Held, pools as u64, text)).into_iter().collect()
    }
}

impl Machine {
    /// Pools of network buffers.
    #[must_use]
    pub fn ndis(&self) -> &Ndis {
        self.part()
    }
}

fn allocate(call: &Call<'_>, kind: Kind) -> u64 {
    // The rows have looked at all of it, unless it cannot be read.
    let _: [u8; 4] = call.read(call.arg(1));
    let mut state = call.machine.ndis().state();
    state.allocated += 1;
    let handle = FIRST_HANDLE + state.allocated * HANDLE_STEP;
    state.pools.insert(handle, kind);
    handle
}

fn free(call: &Call<'_>, kind: Kind) -> u64 {
    let handle = call.arg(0);
    let freed = {
        let mut state = call.machine.ndis().state();
        let fits = state.pools.get(&handle) == Some(&kind);
        if fits { state.pools.remove(&handle) } else { None }
    };
    if freed.is_none() {
        let text = format!("{} was given {handle:#x}, which is no such pool", call.name());
        call.bug_check(BAD_POOL_CALLER, [7, handle, 0, 0], text);
    }
    0
}

#[cfg(test)]
mod tests {
    use crate::{BugCheck, Machine, Options, windows};

    const LIST: [u32; 4] = [16 << 16 | 1 << 8 | 0x80, 1 << 8, 0x7574_6167, 0];
    const BUFFER: [u32; 3] = [12 << 16 | 1 << 8 | 0x80, 0x7574_6167, 0];

    fn called(machine: &Machine, name: &'static str, arguments: &[u64]) -> Result<u64, BugCheck> {
        let address = windows::address("NDIS.SYS", name).expect("the simulator has it");
        machine.run(|cpu| cpu.call(address, name, arguments))
    }

    #[test]
    fn pools_are_allocated_and_freed() {
        let machine = Machine::new(Options::default());
        let list = called(&machine, "NdisAllocateNetBufferListPool", &[0, LIST.as_ptr() as u64]).unwrap();
        let buffer = called(&machine, "NdisAllocateNetBufferPool", &[0, BUFFER.as_ptr() as u64]).unwrap();
        assert_eq!(machine.ndis().pools(), 2);
        called(&machine, "NdisFreeNetBufferListPool", &[list]).unwrap();
        called(&machine, "NdisFreeNetBufferPool", &[buffer]).unwrap();
        assert_eq!(machine.ndis().pools(), 0);
    }

    #[test]
    fn parameters_without_their_header_stop_the_machine_and_say_that_they_are_not_modelled() {
        let machine = Machine::new(Options::default());
        let parameters = [0u32; 4];
        let pool = called(&machine, "NdisAllocateNetBufferListPool", &[0, parameters.as_ptr() as u64]);
        assert!(pool.unwrap_err().reason().contains("does not model Parameters.Header.Type = 0x0"));
    }

    #[test]
    fn a_pool_is_freed_once_and_as_what_it_is() {
        let machine = Machine::new(Options::default());
        let list = called(&machine, "NdisAllocateNetBufferListPool", &[0, LIST.as_ptr() as u64]).unwrap();
        assert_eq!(called(&machine, "NdisFreeNetBufferPool", &[list]).unwrap_err().code(), 0xC2);
    }
}
