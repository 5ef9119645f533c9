//! Entries of the system's event log, as drivers write them.

use std::sync::{Mutex, PoisonError};

use super::pool::{self, POOL_FLAG_NON_PAGED, Tag};
use crate::computer::{Call, Export, Fails, Irql, argument, field, memory};

/// `ERROR_LOG_MAXIMUM_SIZE`, and the least that an `IO_ERROR_LOG_PACKET` takes.
const LARGEST: u8 = 240;
const SMALLEST: u8 = 40;
/// `IO_ERROR_LOG_PACKET`: where its fields are.
const NUMBER_OF_STRINGS: u64 = 4;
const STRING_OFFSET: u64 = 6;
const ERROR_CODE: u64 = 12;

const TAG: Tag = Tag(u32::from_le_bytes(*b"IoEr"));

/// The exports of the event log.
pub const EXPORTS: &[Export] = &[
    row("IoAllocateErrorLogEntry", Fails::Null, allocate).with(&[
        argument(0, "IoObject")
            .ignored("DDI IoAllocateErrorLogEntry: names the source of the entry, which nothing here shows"),
        argument(1, "EntrySize").used("kernel::error_log::tests::an_entry_that_is_too_large_is_refused"),
    ]),
    row("IoWriteErrorLogEntry", Fails::Never, write).with(&[
        field(0, 0, "ElEntry.MajorFunctionCode").ignored(SHOWN),
        field(0, 1, "ElEntry.RetryCount").ignored(SHOWN),
        field(0, 2, "ElEntry.DumpDataSize").ignored(SHOWN),
        field(0, 4, "ElEntry.NumberOfStrings").used(KEPT),
        field(0, 6, "ElEntry.StringOffset").used(KEPT),
        field(0, 8, "ElEntry.EventCategory").ignored(SHOWN),
        field(0, 12, "ElEntry.ErrorCode").used(KEPT),
        field(0, 16, "ElEntry.UniqueErrorValue").ignored(SHOWN),
        field(0, 20, "ElEntry.FinalStatus").ignored(SHOWN),
        field(0, 24, "ElEntry.SequenceNumber").ignored(SHOWN),
        field(0, 28, "ElEntry.IoControlCode").ignored(SHOWN),
        field(0, 32, "ElEntry.DeviceOffset").ignored(SHOWN),
        field(0, 40, "ElEntry.DumpData").ignored(SHOWN),
    ]),
];

/// Why the rest of an entry makes no difference.
const SHOWN: &str = "DDI IO_ERROR_LOG_PACKET: shown by the event viewer only";
const KEPT: &str = "kernel::error_log::tests::an_entry_is_kept_as_it_was_written_and_its_memory_freed";

const fn row(name: &'static str, fails: Fails, run: fn(&Call<'_>) -> u64) -> Export {
    Export { module: "ntoskrnl.exe", name, max_irql: Irql::DISPATCH, fails, run, inputs: &[] }
}

/// One entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The status or message code.
    pub code: u32,
    /// The strings that go into the message.
    pub strings: Vec<String>,
}

/// A machine's event log.
#[derive(Debug, Default)]
pub struct ErrorLog(Mutex<Vec<Entry>>);

impl ErrorLog {
    /// The entries so far.
    #[must_use]
    pub fn entries(&self) -> Vec<Entry> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// An entry lies in pool until it is written: one that never is shows as a leak.
fn allocate(call: &Call<'_>) -> u64 {
    let size = call.arg_u8(1);
    if !(SMALLEST..=LARGEST).contains(&size) {
        return 0;
    }
    call.machine.pool().allocate(POOL_FLAG_NON_PAGED, size.into(), TAG, call.caller()).unwrap_or(0)
}

fn write(call: &Call<'_>) -> u64 {
    let entry = call.arg(0);
    let count: u16 = call.read(entry + NUMBER_OF_STRINGS);
    let mut at = entry + u64::from(call.read::<u16>(entry + STRING_OFFSET));
    let mut strings = Vec::new();
    for _ in 0..count {
        let string = call.accessible(memory::read_utf16(at, usize::from(LARGEST)));
        at += 2 * (string.encode_utf16().count() as u64 + 1);
        strings.push(string);
    }
    let entry_read = Entry { code: call.read(entry + ERROR_CODE), strings };
    call.machine.error_log().0.lock().unwrap_or_else(PoisonError::into_inner).push(entry_read);
    pool::give_back(call.cpu, entry, TAG, call.caller());
    0
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::tests::{called, machine};

    #[test]
    fn an_entry_is_kept_as_it_was_written_and_its_memory_freed() {
        let machine = machine();
        let entry = called(&machine, "IoAllocateErrorLogEntry", &[1, 64]).unwrap();
        memory::write(entry + NUMBER_OF_STRINGS, 2u16).unwrap();
        memory::write(entry + STRING_OFFSET, 40u16).unwrap();
        memory::write(entry + ERROR_CODE, 0x4000_0001u32).unwrap();
        let text: Vec<u16> = "ab\0c\0".encode_utf16().collect();
        memory::write_bytes(entry + 40, bytemuck::cast_slice(&text)).unwrap();
        called(&machine, "IoWriteErrorLogEntry", &[entry]).unwrap();
        let strings = vec!["ab".into(), "c".into()];
        assert_eq!(machine.error_log().entries(), [Entry { code: 0x4000_0001, strings }]);
        assert_eq!(machine.pool().live_count(), 0);
    }

    #[test]
    fn an_entry_that_is_too_large_is_refused() {
        assert_eq!(called(&machine(), "IoAllocateErrorLogEntry", &[1, 241]).unwrap(), 0);
    }
}
