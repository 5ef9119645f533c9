//! Buffers of requests.

use crate::{
    computer::{Cpu, Machine, memory},
    kernel::pool::{self, POOL_FLAG_NON_PAGED, Tag},
};

const TAG: Tag = Tag(u32::from_le_bytes(*b"IoSB"));

/// A buffer of the system's, in pool: a driver that writes behind its end, or keeps it for too long, faults.
#[derive(Debug, Default)]
pub(crate) struct SystemBuffer {
    /// 0 for an empty one.
    address: u64,
    length: usize,
}

impl SystemBuffer {
    /// A buffer with a copy of `bytes`.
    pub(crate) fn new(machine: &Machine, bytes: &[u8]) -> Self {
        if bytes.is_empty() {
            return Self::default();
        }
        let address = machine.pool().allocate(POOL_FLAG_NON_PAGED, bytes.len(), TAG, 0).expect("memory for a buffer");
        memory::write_bytes(address, bytes).expect("just allocated");
        Self { address, length: bytes.len() }
    }

    pub(crate) fn address(&self) -> u64 {
        self.address
    }

    pub(crate) fn len(&self) -> usize {
        self.length
    }

    /// Gives the memory back. That the driver wrote around it is a bug check.
    pub(crate) fn free(&self, cpu: &Cpu) {
        if self.address != 0 {
            pool::give_back(cpu, self.address, TAG, 0);
        }
    }
}
