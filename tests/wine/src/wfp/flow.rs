//! Flows.
use core::net::SocketAddr;

use crate::list::List;
use crate::text::Text;

/// A flow of the script.
#[derive(Clone, Copy)]
pub struct Flow {
    /// Its name there.
    pub name: Text<16>,
    /// Its handle.
    pub handle: u64,
    /// Whether it was opened from this machine.
    pub outbound: bool,
    /// The IP protocol.
    pub protocol: u8,
    /// This machine's end; for ICMP the port is the type.
    pub local: SocketAddr,
    /// The other end; for ICMP the port is the code.
    pub remote: SocketAddr,
    /// The process that owns it.
    pub pid: u64,
    /// The path of its program.
    pub path: Text<200>,
    /// What callouts have associated with it.
    pub contexts: List<Context, 4>,
}

impl Flow {
    /// Bytes of the transport header; an ICMP message is all payload.
    pub const fn transport_header(&self) -> u32 {
        match self.protocol {
            6 => 20,
            17 => 8,
            _ => 0,
        }
    }
}

/// A context.
#[derive(Clone, Copy)]
pub struct Context {
    /// Run-time id of its layer.
    pub layer: u16,
    /// And of its callout.
    pub callout: u32,
    /// What the driver wants back.
    pub value: u64,
}
