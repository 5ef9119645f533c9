//! Processes begin and exit, and whoever wants to hear of it is told.
//!
//! DDI `PsSetCreateProcessNotifyRoutineEx`: of a creation in the thread that creates the process, of an exit in the process's last
//! thread. That a process is found by its id before its creation is told, and has its exit status before its exit is told, is a
//! *guess*: both ask the most of a driver that looks for what runs already.

use super::{PROCESSES, Process, ProcessKind, ProcessSpec, Processes};
use crate::{BugCheck, Machine, computer::Cpu, interleave};

impl Machine {
    /// A process begins.
    ///
    /// # Errors
    /// The bug check, if the machine has or gets one meanwhile.
    ///
    /// # Panics
    /// When its id is not free.
    pub fn start_process(&self, spec: &ProcessSpec) -> Result<Process, BugCheck> {
        self.run(|cpu| {
            interleave::point("a process begins", PROCESSES);
            let process = self.processes().make(spec, self.clock().system_time());
            if spec.kind != ProcessKind::Threadless {
                cpu.in_process(spec.parent, || super::notify::tell_of_creation(cpu, process, spec));
            }
            process
        })
    }

    /// A process exits: its last thread goes, and with it all that the process had.
    ///
    /// # Errors
    /// The bug check, if the machine has or gets one meanwhile.
    ///
    /// # Panics
    /// When it has exited.
    pub fn exit_process(&self, process: Process, status: u32) -> Result<(), BugCheck> {
        self.run(|cpu| {
            self.processes().begin_to_exit(process, status);
            end(cpu, process);
        })
    }
}

impl Processes {
    /// A process is told to exit: it has its exit status, and somebody runs in it still.
    ///
    /// # Panics
    /// When it has exited.
    pub fn begin_to_exit(&self, process: Process, status: u32) {
        interleave::point("a process begins to exit", PROCESSES);
        let mut state = self.state();
        let object = state.objects.get_mut(&process.number).filter(|object| !object.exited);
        object.expect("a process that runs").exit_status = status;
    }
}

fn end(cpu: &Cpu, process: Process) {
    interleave::point("a process exits", PROCESSES);
    cpu.in_process(process.pid, || super::notify::tell_of_exit(cpu, process));
    interleave::point("a process is gone", PROCESSES);
    let mut state = cpu.machine().processes().state();
    state.objects.get_mut(&process.number).expect("a process that exits").exited = true;
    state.settle(process.number);
}
