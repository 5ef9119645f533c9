//! Exports of the filtering platform that drivers import for paths which nothing here takes: injecting packets.

use crate::computer::Export;

/// They bind, and stop the machine when they are called.
pub const EXPORTS: &[Export] = &[
    Export::not_modelled("fwpkclnt.sys", "FwpsAllocateNetBufferAndNetBufferList0"),
    Export::not_modelled("fwpkclnt.sys", "FwpsFreeNetBufferList0"),
    Export::not_modelled("fwpkclnt.sys", "FwpsInjectForwardAsync0"),
    Export::not_modelled("fwpkclnt.sys", "FwpsInjectNetworkReceiveAsync0"),
    Export::not_modelled("fwpkclnt.sys", "FwpsInjectNetworkSendAsync0"),
    Export::not_modelled("fwpkclnt.sys", "FwpsQueryPacketInjectionState0"),
];
