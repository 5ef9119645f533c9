//! Mutants on which `flowtag selftest` has to fail, by exactly one claim.

use std::path::Path;

use anyhow::Result;

use super::{list::Mutant, on_hosts::Shown};
use crate::selftest::Programs;

/// Lets it test the image of a mutant, if that has a claim to fail.
pub fn show(mutant: &Mutant, image: &Path, programs: &Programs) -> Result<Shown> {
    let Some(claim) = &mutant.selftest else { return Ok(Shown { all_noticed: true, said: String::new() }) };
    let (all_noticed, said) = match programs.failing(image)? {
        None => (true, ", selftest: not run".to_owned()),
        Some(failing) if failing == [claim.as_str()] => (true, format!(", selftest: {claim} fails")),
        Some(failing) if failing.is_empty() => (false, format!(", selftest: NOTHING FAILS instead of {claim}")),
        Some(failing) => (false, format!(", selftest: {} FAIL instead of {claim}", failing.join(", "))),
    };
    Ok(Shown { all_noticed, said })
}
