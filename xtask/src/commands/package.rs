//! `cargo xtask package`: a folder that docs/windows.md starts from.

use std::path::Path;

use anyhow::{Context, Result};

use crate::{
    package::{self, Package},
    setup,
    target::Target,
};

/// Makes the package, says what is in it and what it is worth, and prints its folder as the last line.
pub fn run(target: Target, test_sign: bool) -> Result<()> {
    setup::ensure(target, if test_sign { setup::SIGNING_PROGRAMS } else { &[] })?;
    setup::for_windows_programs()?;
    let package = package::make(target, test_sign)?;
    describe(&package)?;
    println!("{}", package.folder.display());
    Ok(())
}

fn describe(package: &Package) -> Result<()> {
    println!("flowtag {} for {}:", env!("CARGO_PKG_VERSION"), package.target);
    for (file, what) in &package.files {
        println!("  {file:<16} {:>8} bytes  {what}", size(&package.folder.join(file))?);
    }
    println!();
    if package.signed {
        println!(
            "The signature is embedded: that is what a demand-start driver needs while test signing is on. There is no\n\
             catalog, which no maintained tool makes on Linux, so `pnputil` does not take this package: use `sc create`."
        );
    } else {
        println!("The image is not signed, and Windows does not load it so: sign it, or package it with --test-sign.");
    }
    println!(
        "Built on Linux, it contains flowtag's own FxDriverEntry in place of the kit's, and has not been loaded on\n\
         Windows by anyone. Release images come from `cargo make` on Windows, with the WDK.\n\
         windows.md says how to go on.\n"
    );
    Ok(())
}

fn size(file: &Path) -> Result<u64> {
    Ok(file.metadata().with_context(|| format!("look at {}", file.display()))?.len())
}
