//! Exports of the framework's loader that drivers import for paths which nothing here takes: binding to class extensions.

use crate::computer::Export;

/// They bind, and stop the machine when they are called.
pub const EXPORTS: &[Export] = &[
    Export::not_modelled("WDFLDR.SYS", "WdfVersionBindClass"),
    Export::not_modelled("WDFLDR.SYS", "WdfVersionUnbindClass"),
];
