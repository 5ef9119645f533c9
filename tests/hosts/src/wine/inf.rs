//! The package's flowtag.inf, installed by Wine's own setupapi.

use std::{collections::BTreeMap, fs, path::Path};

use anyhow::{Context, Result, ensure};

use super::{
    prefix::{Prefix, copy},
    service,
};

/// Where Wine puts files for DIRID 13, the package's own folder in Windows' driver store: it has none.
const INSTALLED: &str = r"C:\windows\system32\unknown\flowtag.sys";
/// The same place, as Linux names it.
const INSTALLED_HERE: &str = "drive_c/windows/system32/unknown/flowtag.sys";

/// What the registry must hold afterwards.
const EXPECTED: [(&str, &str); 8] = [
    ("Description", "Tags network flows with their process, and traces them"),
    ("DisplayName", "flowtag"),
    ("ErrorControl", "0x1"),
    ("ImagePath", INSTALLED),
    ("Start", "0x3"),
    ("Type", "0x1"),
    ("MaxFlows", "0x10000"),
    ("TraceLevel", "0x2"),
];

/// Installs it, looks at the service and its settings, and starts and stops the driver from where it was put.
pub fn install(prefix: &Prefix, inf: &Path, image: &Path) -> Result<()> {
    prefix.run_first(&["sc", "delete", service::FLOWTAG])?;
    let folder = prefix.path("drive_c/package");
    fs::create_dir_all(&folder).with_context(|| format!("create {}", folder.display()))?;
    copy(inf, &folder.join("flowtag.inf"))?;
    copy(image, &folder.join("flowtag.sys"))?;
    service::must(
        prefix,
        &["rundll32", "setupapi,InstallHinfSection", "DefaultInstall.NTamd64", "132", r"C:\package\flowtag.inf"],
    )?;

    let installed = prefix.path(INSTALLED_HERE);
    let same = fs::read(&installed).with_context(|| format!("read {}", installed.display()))? == fs::read(image)?;
    ensure!(same, "{} is not the driver", installed.display());
    let stored = service::must(prefix, &["reg", "query", service::KEY, "/s"])?.text;
    let values = values(&stored);
    for (name, expected) in EXPECTED {
        let value = values.get(name).copied();
        ensure!(value == Some(expected), "{name} is {value:?}, not {expected}:\n{stored}");
    }

    service::start(prefix, service::FLOWTAG)?;
    service::stop(prefix, service::FLOWTAG)?;
    service::delete(prefix, service::FLOWTAG)?;
    let lines = service::lines(prefix)?;
    let loaded = "flowtag: loaded trace_level=2 max_flows=65536";
    ensure!(lines.iter().any(|line| line == loaded), "no line says “{loaded}”:\n{}", lines.join("\n"));
    Ok(())
}

/// The values that `reg query` shows, by name: name, type and value, four spaces apart.
fn values(shown: &str) -> BTreeMap<&str, &str> {
    let fields =
        shown.lines().filter_map(|line| line.strip_prefix("    ")).map(|line| line.trim_end().splitn(3, "    "));
    fields.filter_map(|mut fields| Some((fields.next()?, fields.nth(1)?))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_read_as_reg_shows_them() {
        let shown = "\r\nHKEY_LOCAL_MACHINE\\a\r\n    Start    REG_DWORD    0x3\r\n    Text    REG_SZ    a  b\r\n";
        assert_eq!(values(shown).into_iter().collect::<Vec<_>>(), [("Start", "0x3"), ("Text", "a  b")]);
    }
}
