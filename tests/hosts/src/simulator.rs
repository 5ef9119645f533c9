//! The host that the others are compared with: a simulated machine, which also looks at what the driver leaves behind.

use std::collections::HashMap;

use anyhow::{Context, Result, anyhow, ensure};
use flowtag_simulator::{
    kernel::{
        processes::{Process, ProcessSpec},
        registry::Value,
    },
    service::ServiceError,
    wfp::{Direction, FlowHandle, FlowSpec, Owner, Packet},
};
use flowtag_tests::rig::{Rig, SERVICE, path_blob};

use crate::{
    script::{Connection, Script, Step},
    transcript::Transcript,
};

/// Acts a script out with the image that `FLOWTAG_SYS` names.
///
/// # Errors
/// When a start answers another status than the script says, or something is left behind.
pub fn act(script: &Script) -> Result<Transcript> {
    let mut stage = Stage { rig: Rig::installed(&[]), flows: HashMap::new(), processes: HashMap::new() };
    for (line, step) in &script.steps {
        stage.act(step).with_context(|| format!("the simulator, line {line} of {}", script.path.display()))?;
    }
    Ok(Transcript::new(stage.rig.lines()))
}

struct Stage {
    rig: Rig,
    /// Those that were opened, by the names that the script gives them.
    flows: HashMap<String, (FlowHandle, u8)>,
    /// Those that run, by their ids.
    processes: HashMap<u64, Process>,
}

impl Stage {
    fn act(&mut self, step: &Step) -> Result<()> {
        let machine = &self.rig.machine;
        match step {
            Step::Setting { name, value } => machine.registry().set_parameter(SERVICE, name, Value::Dword(*value)),
            Step::Start { status } => self.start(*status)?,
            Step::Stop => self.rig.stop(),
            Step::Open { flow, connection } => {
                let handle = self.rig.open(&spec(connection));
                ensure!(
                    self.flows.insert(flow.clone(), (handle, connection.protocol)).is_none(),
                    "{flow} is opened twice"
                );
            }
            Step::Send { flow, payload } => self.packet(flow, Direction::Outbound, *payload)?,
            Step::Receive { flow, payload } => self.packet(flow, Direction::Inbound, *payload)?,
            Step::Reauthorize { flow } => {
                machine.reauthorize(self.flow(flow)?.0, Direction::Outbound)?;
            }
            Step::Again { flow } => {
                machine.authorize_again(self.flow(flow)?.0)?;
            }
            Step::Bfe { start: true } => machine.start_bfe()?,
            Step::Bfe { start: false } => machine.stop_bfe()?,
            Step::Begin { pid, parent, path } => {
                let spec = ProcessSpec { pid: Some(*pid), parent: *parent, ..ProcessSpec::program(path) };
                self.processes.insert(*pid, machine.start_process(&spec)?);
            }
            Step::Exit { pid } => {
                let process = self.processes.remove(pid).with_context(|| format!("no process has the id {pid}"))?;
                machine.exit_process(process, 0)?;
            }
            Step::End { flow } => self.rig.close(self.flow(flow)?.0),
            Step::Fail { import, status } => self.rig.fail(import, 1, *status),
        }
        Ok(())
    }

    fn start(&self, expected: u32) -> Result<()> {
        let status = match self.rig.start() {
            Ok(()) => 0,
            Err(ServiceError::Entry(status)) => status,
            Err(error) => return Err(anyhow!("{error}")),
        };
        ensure!(status == expected, "DriverEntry answered {status:#010x}, not {expected:#010x}");
        if status != 0 {
            self.rig.assert_clean();
        }
        Ok(())
    }

    fn packet(&self, flow: &str, direction: Direction, payload: u32) -> Result<()> {
        let (handle, protocol) = self.flow(flow)?;
        self.rig.machine.transport(handle, direction, &Packet::new(protocol, payload))?;
        Ok(())
    }

    fn flow(&self, name: &str) -> Result<(FlowHandle, u8)> {
        self.flows.get(name).copied().with_context(|| format!("no flow is named {name}"))
    }
}

fn spec(connection: &Connection) -> FlowSpec {
    FlowSpec {
        pid: Some(connection.pid),
        path: Some(path_blob(&connection.path)),
        owner: Owner::default(),
        direction: if connection.outbound { Direction::Outbound } else { Direction::Inbound },
        protocol: connection.protocol,
        local: connection.local,
        remote: connection.remote,
    }
}

#[cfg(all(test, feature = "driver"))]
mod tests {
    use super::*;

    #[test]
    fn every_script_is_acted_out_as_it_says_and_leaves_nothing_behind() {
        for script in Script::all().unwrap() {
            act(&script).unwrap();
        }
    }
}
