//! `flowtag selftest`, as it runs here.

use std::{
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result, bail};
use serde_json::Value;

use crate::{probes, workspace};

/// What it is made of, built.
pub struct Programs {
    flowtag: PathBuf,
    simulator: PathBuf,
    probes: PathBuf,
}

impl Programs {
    /// Builds them.
    pub fn build() -> Result<Self> {
        let flowtag = workspace::build_binary("flowtag")?;
        let simulator = workspace::build_binary("flowtag-sim")?;
        Ok(Self { flowtag, simulator, probes: probes::build()? })
    }

    /// It on this image.
    pub fn on(&self, image: &Path) -> Command {
        let mut command = Command::new(&self.flowtag);
        command.arg("selftest").arg("--simulator").arg(&self.simulator);
        command.arg("--probes").arg(&self.probes).arg("--driver").arg(image);
        command
    }

    /// The claims that fail on this image, without guesses about Windows; `None` where none about traffic can be judged.
    pub fn failing(&self, image: &Path) -> Result<Option<Vec<String>>> {
        let output = self.on(image).arg("--json").output().context("start flowtag selftest")?;
        let text = String::from_utf8_lossy(&output.stdout);
        let Ok(verdict) = serde_json::from_str::<Value>(&text) else {
            bail!("flowtag selftest has no verdict: {}", String::from_utf8_lossy(&output.stderr));
        };
        let claims = verdict["claims"].as_array().context("a verdict without claims")?;
        let text = |claim: &Value, name: &str| claim[name].as_str().unwrap_or_default().to_owned();
        if !verdict["no_traffic"].is_null() {
            return Ok(None);
        }
        let failing = claims.iter().filter(|claim| claim["verdict"] == "FAIL" && claim["guess"] == false);
        Ok(Some(failing.map(|claim| text(claim, "id")).collect()))
    }
}
