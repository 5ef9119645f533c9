//! What the kit's stampinf does to driver.inx.

use std::process::Command;

use anyhow::{Context, Result, ensure};

use crate::target::Target;

/// Puts the machine, the day and the version in their places.
pub fn stamp(inx: &str, target: Target, date: &str, version: &str) -> Result<String> {
    let with_machine = inx.replace("$ARCH$", target.inf_architecture());
    ensure!(with_machine != inx, "driver.inx has no $ARCH$: its sections must name the machine");
    let mut stamped = 0;
    let lines: String = with_machine
        .lines()
        .map(|line| {
            if line.starts_with("DriverVer ") {
                stamped += 1;
                format!("DriverVer   = {date},{version}.0\r\n")
            } else {
                format!("{line}\r\n")
            }
        })
        .collect();
    ensure!(stamped == 1, "driver.inx has {stamped} DriverVer lines instead of one");
    Ok(lines)
}

/// Today's date, as `DriverVer` writes it.
pub fn today() -> Result<String> {
    let output = Command::new("date").args(["-u", "+%m/%d/%Y"]).output().context("start date")?;
    ensure!(output.status.success(), "date fails: {}", output.status);
    Ok(String::from_utf8(output.stdout)?.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn machine_date_and_version_are_stamped() {
        let inf = stamp("[A.NT$ARCH$]\r\nDriverVer   = 01/01/2026,0\r\n", Target::Arm64, "02/03/2027", "1.2.3");
        assert_eq!(inf.expect("a stamped file"), "[A.NTarm64]\r\nDriverVer   = 02/03/2027,1.2.3.0\r\n");
    }

    #[test]
    fn a_file_without_a_place_for_the_version_is_refused() {
        stamp("[A.NT$ARCH$]\r\n", Target::X64, "02/03/2027", "1.2.3").unwrap_err();
    }
}
