//! Exports of NDIS that drivers import for paths which nothing here takes: reading and building packets.

use crate::computer::Export;

/// They bind, and stop the machine when they are called.
pub const EXPORTS: &[Export] = &[
    Export::not_modelled("NDIS.SYS", "NdisAdvanceNetBufferDataStart"),
    Export::not_modelled("NDIS.SYS", "NdisGetDataBuffer"),
    Export::not_modelled("NDIS.SYS", "NdisRetreatNetBufferDataStart"),
];
