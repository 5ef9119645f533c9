//! `cargo xtask verify`.

use std::ffi::OsString;

use anyhow::{Context, Result};

use crate::{checks::Request, driver, setup, target::Target, verify, workspace};

/// Runs every check of the life of a flow. `arguments` name one check and what to pass to it.
pub fn run(quick: bool, json: bool, arguments: &[OsString]) -> Result<()> {
    let target = Target::default();
    setup::ensure(target, &[])?;
    let image = driver::build(target)?;
    let flowtag_verify = workspace::build_binary("flowtag-verify")?;
    let (only, arguments) = match arguments {
        [] => (None, arguments),
        [name, arguments @ ..] => (Some(name.to_str().context("the name of a check is plain text")?), arguments),
    };
    let request = Request { quick, target, image: &image, flowtag_verify: &flowtag_verify, arguments };
    verify::run(&request, only, json)
}
