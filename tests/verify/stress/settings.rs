//! What changes from one life of the driver to the next.

use flowtag_simulator::{
    kernel::registry::Value,
    wfp::{
        BusyUntil, DyingFlow, Emptied, ExistingContext, HandleReuse, IrqlChoice, PathMemory, PendingAnswer, Removal,
        SecondContext, UnknownFlow, WriteRight, layer::Field, status,
    },
};
use flowtag_tests::rig::Rig;
use rand::{RngExt, seq::IndexedRandom};
use rand_chacha::ChaCha8Rng;

/// Trace levels, the quiet ones more often: what is printed takes most of the time.
const TRACE_LEVELS: [u32; 8] = [0, 0, 0, 0, 1, 1, 2, 3];
/// Rings that overflow, and one that does not. The smallest that the driver accepts is 16.
const MAX_FLOWS: [u32; 4] = [16, 17, 64, 1_024];
/// Callout flags known to Windows: to one with all offloads, and to an older one.
const CALLOUT_FLAGS: [u32; 2] = [u32::MAX, 0x1 | 0x2 | 0x40];

/// Chooses the driver's settings and how Windows behaves from now on.
pub fn change(rig: &Rig, random: &mut ChaCha8Rng) {
    let registry = rig.machine.registry();
    registry.set_parameter("flowtag", "TraceLevel", Value::Dword(one_of(random, &TRACE_LEVELS)));
    registry.set_parameter("flowtag", "MaxFlows", Value::Dword(one_of(random, &MAX_FLOWS)));
    rig.set(|switches| {
        switches.known_callout_flags = one_of(random, &CALLOUT_FLAGS);
        // Below DISPATCH_LEVEL in every second load.
        switches.irql = one_of(random, &[IrqlChoice::default(), IrqlChoice::Random]);
        switches.busy_answers = random.random_range(0..4);
        switches.busy_until = one_of(random, &[BusyUntil::Returned, BusyUntil::Deleting]);
        switches.refuse_contexts_when_leaving = random.random();
        switches.handle_reuse =
            one_of(random, &[HandleReuse::Never, HandleReuse::AfterClassifies, HandleReuse::AtOnce]);
        switches.connect_twice = random.random();
        switches.empty_on_reauthorization =
            if random.random() { vec![Field::LocalPort, Field::RemotePort] } else { Vec::new() };
        // Paging the path in and out is dear.
        let paged = random.random_range(0..8) == 0;
        switches.process_path = if paged { PathMemory::Paged } else { PathMemory::NonPaged };
    });
    change_amidst(rig, random);
}

/// Chooses anew how Windows behaves, in what may change while the driver runs.
pub fn change_amidst(rig: &Rig, random: &mut ChaCha8Rng) {
    rig.set(|switches| {
        switches.removal = one_of(random, &[Removal::AsDocumented, Removal::PendingByChance]);
        switches.pending_answer = one_of(random, &[PendingAnswer::Pending, PendingAnswer::Folded]);
        switches.unknown_flow = one_of(random, &[UnknownFlow::NotFound, UnknownFlow::Unsuccessful]);
        switches.removal_error = one_of(random, &[None, None, None, Some(status::UNSUCCESSFUL)]);
        switches.dying_flow = one_of(
            random,
            &[DyingFlow::Refuse, DyingFlow::RefuseByChance, DyingFlow::DeleteLater, DyingFlow::DeleteInline],
        );
        switches.existing_context = one_of(random, &[ExistingContext::NameExists, ExistingContext::Folded]);
        switches.second_context = one_of(random, &[SecondContext::Answered, SecondContext::Reported]);
        // Not AfterDelete: that flowtag takes for excluded (docs/architecture.md).
        switches.emptied = one_of(random, &[Emptied::AtOnce, Emptied::BeforeDelete]);
        switches.write_right = one_of(random, &[WriteRight::AsArbitrated, WriteRight::ByChance]);
    });
}

fn one_of<T: Copy>(random: &mut ChaCha8Rng, choices: &[T]) -> T {
    *choices.choose(random).expect("there is a choice")
}
