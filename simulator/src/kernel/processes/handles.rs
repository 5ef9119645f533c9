//! Handles of processes: `ObOpenObjectByPointer` and `ZwClose`.
//!
//! A handle that is none is bug check 0x93 (its page: a driver has closed an invalid handle), where Windows may answer
//! `STATUS_INVALID_HANDLE` (DDI `ZwClose`). Ours: the stricter one.

use super::{SUCCESS, number};
use crate::computer::{Call, Export, Fails, Irql, argument};

const ACCESS_DENIED: u32 = 0xC000_0022;
const INSUFFICIENT_RESOURCES: u32 = 0xC000_009A;
const INVALID_KERNEL_HANDLE: u32 = 0x93;

/// Handles of the kernel begin here. (Guess: their uppermost bits are set, as debuggers show them.)
const FIRST_HANDLE: u64 = 0xFFFF_FFFF_8000_0000;

const OPENED: &str = "kernel::processes::tests::a_handle_of_a_process_keeps_it_until_it_is_closed";

pub(super) const EXPORTS: &[Export] = &[
    Export {
        module: "ntoskrnl.exe",
        name: "ObOpenObjectByPointer",
        max_irql: Irql::APC,
        fails: Fails::Status(&[ACCESS_DENIED, INSUFFICIENT_RESOURCES]),
        run: open,
        inputs: &[
            argument(0, "Object").used(OPENED),
            argument(1, "HandleAttributes").values(4, &[0x200], "DDI ObOpenObjectByPointer: OBJ_KERNEL_HANDLE"),
            argument(2, "PassedAccessState").values(8, &[0], "DDI ObOpenObjectByPointer: it may be NULL"),
            argument(3, "DesiredAccess").values(
                4,
                &[0x1000],
                "Win32 \"Process Security and Access Rights\": PROCESS_QUERY_LIMITED_INFORMATION; from the kernel always granted",
            ),
            argument(4, "ObjectType").values(8, &[0], "DDI ObOpenObjectByPointer: it may be NULL for KernelMode"),
            argument(5, "AccessMode").values(1, &[0], "DDI ObOpenObjectByPointer: KernelMode"),
            argument(6, "Handle").used(OPENED),
        ],
    },
    Export {
        module: "ntoskrnl.exe",
        name: "ZwClose",
        max_irql: Irql::PASSIVE,
        fails: Fails::Never,
        run: close,
        inputs: &[argument(0, "Handle").used(OPENED)],
    },
];

fn open(call: &Call<'_>) -> u64 {
    let number = number(call);
    let handle = {
        let mut state = call.machine.processes().state();
        state.opened += 1;
        let handle = FIRST_HANDLE + 4 * state.opened;
        state.handles.insert(handle, number);
        state.objects.get_mut(&number).expect("looked up just now").handles += 1;
        handle
    };
    call.write(call.arg(6), handle);
    SUCCESS
}

fn close(call: &Call<'_>) -> u64 {
    let handle = call.arg(0);
    let closed = {
        let mut state = call.machine.processes().state();
        let number = state.handles.remove(&handle);
        if let Some(number) = number {
            state.objects.get_mut(&number).expect("a handle keeps its process").handles -= 1;
            state.settle(number);
        }
        number.is_some()
    };
    if !closed {
        call.bug_check(
            INVALID_KERNEL_HANDLE,
            [handle, 1, 0, 0],
            format!("ZwClose was given {handle:#x}, which is no handle"),
        );
    }
    SUCCESS
}
