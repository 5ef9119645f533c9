//! Every command for Windows on README.md and docs/*.md, typed as it stands there into the simulator's shell.

use std::{collections::BTreeSet, path::Path};

use flowtag_simulator::cli::shell::{Args, Exit, Output, Shell};
use flowtag_tests::pages::{self, in_folder, program, prompt_lines};

use crate::{files, guide};

/// Programs that the simulator does not have, and why their commands need not be typed.
const ELSEWHERE: [(&str, &str); 13] = [
    ("bcdedit", "says how Windows starts; the simulator loads what it is given"),
    ("certutil", "is about Windows' stores of certificates"),
    ("flowtag", "reads a session of event tracing, which nothing here delivers to a program of Windows'"),
    ("logman", "starts a session of event tracing; here a test does"),
    ("manage-bde", "is about BitLocker"),
    ("netsh", "writes down what Windows' own filtering platform has"),
    ("pnputil", "is about Windows' driver store; what it calls is typed into Wine, as rundll32"),
    ("rundll32", "is typed into Wine: `cargo xtask verify -- wine`, case flowtag.inf"),
    ("set", "is about a build with the WDK"),
    ("tracelog", "does as logman"),
    ("verifier", "switches on what the simulator plays in every run"),
    ("winget", "installs a program on Windows"),
    ("wpr", "does as logman"),
];
/// The programs that it has.
const SIMULATED: [&str; 3] = ["reg", "sc", "shutdown"];

/// The parts of the guide with commands, and how many of the commands of *Load it* come before.
const PARTS: [(&str, usize); 9] = [
    ("## From an empty VM to its verdict in fifteen minutes", 0),
    ("## Once: let Windows load a test-signed driver", 0),
    ("## Load it", 0),
    ("## See the traces", 3),
    ("## Events", 3),
    ("## Settings", 3),
    ("## Stop it, remove it", 3),
    // The INF file creates the service itself.
    ("## Instead of sc: the package by its INF", 1),
    ("## Under Driver Verifier", 3),
];

/// README.md and the pages in docs/, each with its name.
fn pages() -> Vec<(String, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let pages = in_folder(&root.join("docs")).into_iter().chain([(root.join("README.md"), readme())]);
    pages.map(|(path, text)| (path.file_name().expect("a name").to_string_lossy().into_owned(), text)).collect()
}

fn readme() -> String {
    files::text(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../README.md"))
}

/// A shell on a machine with the package's files, wherever a command says that they are.
fn shell() -> Shell {
    Shell::new(Args::default().with_drivers(&files::x64()))
}

/// Types a command, unless its program is another's.
fn typed(shell: &mut Shell, command: &str) -> Option<Output> {
    let program = program(command);
    if ELSEWHERE.iter().any(|(name, _)| *name == program) {
        return None;
    }
    assert!(
        SIMULATED.contains(&program),
        "{command}: is {program} a program? Add it to the simulator, or to this list"
    );
    Some(shell.execute(command))
}

/// Types a command that must go well.
fn must(shell: &mut Shell, command: &str) {
    if let Some(output) = typed(shell, command) {
        assert_eq!(output.exit, Exit::Done, "{command}: {}", output.text);
    }
}

/// The commands of a part of the guide.
fn part<'a>(guide: &'a str, heading: &str) -> Vec<&'a str> {
    prompt_lines(pages::part(guide, heading).unwrap_or_else(|| panic!("no heading {heading}")))
}

#[test]
fn the_commands_of_the_readme_work_one_after_the_other() {
    let readme = readme();
    let commands = prompt_lines(&readme);
    assert!(commands.len() >= 5, "{commands:?}");
    let mut shell = shell();
    for command in commands {
        must(&mut shell, command);
    }
    assert!(shell.execute("sc query flowtag").text.contains("FAILED 1060"), "at the end the service is gone");
}

#[test]
fn the_commands_of_each_part_of_the_guide_work_one_after_the_other() {
    let guide = guide::text();
    let load = part(&guide, "## Load it");
    let mut count = 0;
    for (heading, before) in PARTS {
        let commands = part(&guide, heading);
        let mut shell = shell();
        for command in load[..before].iter().chain(&commands) {
            must(&mut shell, command);
        }
        count += commands.len();
    }
    assert_eq!(count, prompt_lines(&guide).len(), "a part with commands is not in the list");
}

#[test]
fn no_other_page_has_a_block_for_the_command_prompt() {
    for (name, text) in pages().iter().filter(|(name, _)| !["README.md", "windows.md"].contains(&name.as_str())) {
        assert_eq!(prompt_lines(text), [""; 0], "{name}");
    }
}

#[test]
fn the_commands_in_the_text_are_commands() {
    let guide = guide::text();
    let load = part(&guide, "## Load it");
    let mut count = 0;
    for (name, text) in pages() {
        // With a service or a key; the name of a program alone is no command.
        let simulated = |command: &&str| SIMULATED.contains(&program(command)) && command.split(' ').count() > 2;
        for command in guide::quoted(&text).into_iter().filter(simulated) {
            let mut shell = shell();
            for command in &load {
                must(&mut shell, command);
            }
            let output = typed(&mut shell, command).expect("a simulated one");
            // Of those that run already or do not exist, Windows says so.
            assert!(output.exit <= Exit::Failed, "{name}: {command}: {}", output.text);
            count += 1;
        }
    }
    assert!(count >= 5, "only {count}");
}

#[test]
fn what_is_not_typed_is_on_a_page() {
    let texts: Vec<_> = pages().into_iter().map(|(_, text)| text).collect();
    let commands = texts.iter().flat_map(|text| prompt_lines(text).into_iter().chain(guide::quoted(text)));
    let programs: BTreeSet<_> = commands.map(program).collect();
    for (name, reason) in ELSEWHERE {
        assert!(programs.contains(name), "{name} ({reason}) is on no page any more");
    }
}
