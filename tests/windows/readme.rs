//! README.md's commands for Windows, typed as they stand there.

use std::path::Path;

use flowtag_simulator::cli::shell::{Args, Shell};

use crate::{files, guide};

#[test]
fn the_commands_of_the_readme_work_one_after_the_other() {
    let readme = files::text(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../README.md"));
    let commands = guide::commands(&readme);
    assert!(commands.len() >= 5, "{commands:?}");
    let mut shell = Shell::new(Args::default());
    for command in commands {
        guide::typed(&mut shell, command);
    }
    assert!(shell.execute("sc query flowtag").text.contains("FAILED 1060"), "at the end the service is gone");
}
