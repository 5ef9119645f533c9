//! Enable callbacks: providers hear who listens to them.
//!
//! One at a time for each registration, in the order of what happened (one build: `EtwpEnableGuid` calls back while it holds the
//! provider's lock). Whoever changes something while a callback runs does not wait for it: the thread that runs it goes on with
//! what is new. Windows makes it wait; SDK `EnableTraceEx2` has both, by its `Timeout`. What is told is what holds by then.

use super::switches::Unregister;
use crate::{
    computer::{Cpu, Irql, lent_memory::LentMemory},
    interleave::{self, Touches},
    kernel::DEVICES,
};

/// Tells a provider all that it has not been told, unless somebody is about that already.
pub(super) fn tell(cpu: &Cpu, handle: u64) {
    let etw = cpu.machine().etw();
    // GUID_NULL: no session says who it is. (One build: registration hands over NullGuid, a session what it has said.)
    let source = LentMemory::zeroed(16);
    loop {
        let switches = etw.switches();
        let Some(callback) = etw.state().begin_callback(handle, switches) else { return };
        // What keeps the driver's code, whatever that is on Windows, is counted as its device objects are.
        let kept =
            (switches.unregister != Unregister::OvertakesUnguarded).then(|| cpu.machine().device_objects().create(0));
        let arguments = [
            source.address(),
            callback.code.into(),
            callback.level.into(),
            callback.any,
            callback.all,
            0,
            callback.context,
        ];
        cpu.at_irql(Irql::PASSIVE, || cpu.call(callback.function, "the enable callback", &arguments));
        interleave::point("the enable callback has returned", super::touches::CHANGED.and(DEVICES));
        etw.state().end_callback(handle);
        drop(kept);
    }
}

/// Tells everybody.
pub(super) fn tell_all(cpu: &Cpu) {
    let untold = cpu.machine().etw().state().untold();
    for handle in untold {
        tell(cpu, handle);
    }
}

/// A session changes something, and providers hear of it.
pub(super) fn change<T>(cpu: &Cpu, change: impl FnOnce(&mut super::state::State) -> T) -> T {
    interleave::point("a session changes", super::touches::CHANGED);
    let changed = change(&mut cpu.machine().etw().state());
    tell_all(cpu);
    interleave::point("…", Touches::DRIVER_CODE);
    changed
}
