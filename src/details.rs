//! What else an authorization tells of its flow: nothing that decides whether it is the same flow, unlike its tag, so it is
//! read only for a flow that is captured.
//!
//! IRQL: any: nothing here calls the kernel
/// Of a flow, and of who has it.
#[derive(Clone, Copy)]
pub struct Details {
    /// The service tag of the thread that made the endpoint; zero if it is not told. A name for it has only user mode, while the
    /// process lives (`I_QueryTagInformation`).
    pub service_tag: u64,
    /// The routing compartment; zero if it is not told.
    pub compartment: u32,
    /// Index of the local interface; zero, `IFI_UNSPECIFIED`, if it is not told.
    pub interface: u32,
    /// Which process exactly.
    pub identity: Identity,
}

/// What tells a process from every other, also from one that had its id before. Zero is what is not known.
#[derive(Clone, Copy)]
pub struct Identity {
    /// Its start key.
    pub start_key: u64,
    /// When it was created, in units of 100 ns since 1601, UTC.
    pub created: u64,
    /// Its parent's id.
    pub parent: u64,
}

impl Identity {
    /// Nothing is known.
    pub const UNKNOWN: Self = Self { start_key: 0, created: 0, parent: 0 };
}
