//! A session comes late and asks for the live flows: an event for each.

use anyhow::{Result, ensure};
use flowtag_simulator::etw::SessionId;

use crate::{
    counts::{Counts, count},
    subject::{PATHS, Subject},
    timing::{Spread, nanoseconds_of},
};

/// As many as the driver has room for at its default settings.
pub const FLOWS: u32 = 65_536;
/// Flows whose capture is counted: two batches.
const COUNTED: u32 = 64;

/// What capturing costs, for each of a few flows.
pub fn per_flow() -> Result<Counts> {
    let late = Late::new(COUNTED)?;
    let (captured, counts) = count(&late.subject.machine, || late.capture())?;
    captured?;
    late.take_events()?;
    let per_flow = |all: u64| all / u64::from(COUNTED);
    Ok(Counts {
        instructions: per_flow(counts.instructions),
        imports: per_flow(counts.imports),
        pool_allocations: per_flow(counts.pool_allocations),
        irql_pairs: per_flow(counts.irql_pairs),
    })
}

/// Milliseconds that capturing [`FLOWS`] takes, the simulator's part included.
pub fn milliseconds(rounds: usize) -> Result<Spread> {
    let late = Late::new(FLOWS)?;
    let round = || {
        let nanoseconds = nanoseconds_of(1, || late.capture().expect("no bug check"));
        late.take_events().map(|()| nanoseconds / 1e6)
    };
    (0..rounds).map(|_| round()).collect::<Result<_>>().map(Spread::of)
}

/// So many live flows, and a session that has begun after them.
struct Late {
    subject: Subject,
    session: SessionId,
    flows: u32,
}

impl Late {
    fn new(flows: u32) -> Result<Self> {
        let mut subject = Subject::unheard(flows)?;
        let [typical, _] = PATHS;
        subject.open_many(flows, typical)?;
        let session = subject.listen()?;
        Ok(Self { subject, session, flows })
    }

    fn capture(&self) -> Result<()> {
        Ok(self.subject.machine.capture_state(self.session)?)
    }

    /// Empties the session's buffers, in which there must be an event for each flow.
    fn take_events(&self) -> Result<()> {
        let etw = self.subject.machine.etw();
        let (events, lost) = (etw.events(self.session).len(), etw.lost(self.session));
        ensure!(events == self.flows as usize && lost == 0, "{events} events of {} flows, {lost} lost", self.flows);
        Ok(())
    }
}
