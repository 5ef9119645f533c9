//! What else an authorization tells of its flow: nothing that decides whether it is the same flow, unlike its tag, so it is
//! read only for a flow that is captured.
//!
//! IRQL: any: nothing here calls the kernel
use crate::identity::Identity;

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
