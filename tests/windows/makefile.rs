//! Makefile.toml, held against wdk-build's own makefile, which it extends. `cargo make` itself runs on Windows only.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    process::Command,
    sync::OnceLock,
};

use serde_json::Value;

use crate::files;

/// A makefile, as JSON.
fn read(path: &Path) -> Value {
    toml::from_str(&files::text(path)).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn ours() -> Value {
    read(&root().join("Makefile.toml"))
}

/// What cargo says of the repository.
fn metadata() -> &'static Value {
    static METADATA: OnceLock<Value> = OnceLock::new();
    METADATA.get_or_init(ask_cargo)
}

fn ask_cargo() -> Value {
    let cargo = std::env::var_os("CARGO").expect("cargo runs the tests");
    let mut metadata = Command::new(cargo);
    metadata.args(["metadata", "--format-version", "1", "--locked"]).current_dir(root());
    let output = metadata.output().expect("cargo starts");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).expect("JSON")
}

fn package(metadata: &Value, name: &str) -> Value {
    let packages = metadata["packages"].as_array().expect("packages");
    packages.iter().find(|package| package["name"] == name).unwrap_or_else(|| panic!("no package {name}")).clone()
}

/// wdk-build's makefile, from where cargo has unpacked the crate.
fn theirs() -> Value {
    let manifest = package(metadata(), "wdk-build")["manifest_path"].as_str().expect("a path").to_owned();
    read(&Path::new(&manifest).with_file_name("rust-driver-makefile.toml"))
}

fn text<'a>(value: &'a Value, what: &str) -> &'a str {
    value.as_str().unwrap_or_else(|| panic!("{what} is not a text: {value}"))
}

#[test]
fn the_load_script_asks_for_the_version_of_wdk_build_that_is_locked() {
    let makefile = ours();
    let script = text(&makefile["config"]["load_script"], "load_script");
    let version = package(metadata(), "wdk-build")["version"].as_str().expect("a version").to_owned();
    assert!(script.contains(&format!("wdk-build = \"{version}\"")), "{script}");
    assert_eq!(makefile["extend"], "target/rust-driver-makefile.toml");
}

#[test]
fn our_tasks_change_or_extend_tasks_of_wdk_build() {
    let theirs = theirs();
    let makefile = ours();
    let tasks = makefile["tasks"].as_object().expect("tasks");
    for (name, task) in tasks {
        let base = task.get("extend").map_or(name.as_str(), |base| text(base, "extend"));
        assert!(theirs["tasks"].get(base).is_some(), "wdk-build has no task {base}");
    }
}

#[test]
fn a_task_that_replaces_one_of_wdk_build_keeps_nothing_of_it() {
    // What is left of such a task runs in our folder, and there is no wdk-build there.
    let theirs = theirs();
    for (name, task) in ours()["tasks"].as_object().expect("tasks") {
        assert!(theirs["tasks"].get(name).is_none() || task["clear"] == true, "{name}");
    }
}

#[test]
fn what_the_guide_takes_out_when_the_kit_lacks_the_guard_is_there() {
    let guide = crate::guide::text();
    let rows = crate::guide::rows(&guide);
    let row = rows.iter().find(|row| row[0].contains("`__guard_…`")).expect("a row for the link error");
    let flags = row[2].split('`').nth(1).expect("the flags in backticks");
    assert!(row[2].contains("`.cargo/config.toml`"), "{row:?}");
    assert!(files::text(&root().join(".cargo/config.toml")).contains(flags), "{flags}");
}

#[test]
fn the_release_image_is_built_from_the_lock_file() {
    let makefile = ours();
    let init = text(&makefile["config"]["init_task"], "init_task");
    assert_eq!(makefile["tasks"][init]["extend"], theirs()["config"]["init_task"]);
    assert_eq!(makefile["tasks"][init]["args"], serde_json::json!(["--release", "--locked"]));
    assert_eq!(makefile["config"]["default_to_workspace"], false);
}

#[test]
fn wdk_build_takes_the_package_for_a_kmdf_driver() {
    let flowtag = package(metadata(), "flowtag");
    let model = &flowtag["metadata"]["wdk"]["driver-model"];
    assert_eq!(model["driver-type"], "KMDF");
    assert_eq!((&model["kmdf-version-major"], &model["target-kmdf-version-minor"]), (&1.into(), &31.into()));
    let kinds = flowtag["targets"].as_array().expect("targets").iter().map(|target| &target["kind"][0]);
    assert_eq!(kinds.filter(|&kind| kind == "cdylib").count(), 1);
}

#[test]
fn signing_is_that_of_wdk_build_with_page_hashes_and_without_its_timestamp_server() {
    const TASK: &str = "signtool-sign";
    let mut theirs = theirs()["tasks"][TASK].clone();
    let arguments = theirs["args"].as_array_mut().expect("arguments");
    let server = arguments.iter().position(|argument| argument == "/t").expect("wdk-build asks a timestamp server");
    let removed: Vec<_> = arguments.drain(server..=server + 1).collect();
    assert!(text(&removed[1], "/t").starts_with("http://"), "{removed:?}");
    let mut ours = ours()["tasks"][TASK].clone();
    assert_eq!(ours.as_object_mut().expect("a task").remove("clear"), Some(true.into()));
    let arguments = ours["args"].as_array_mut().expect("arguments");
    let page_hashes = arguments.iter().position(|argument| argument == "/ph").expect("page hashes are asked for");
    arguments.remove(page_hashes);
    assert_eq!(ours, theirs);
}

#[test]
fn driver_inx_is_copied_to_where_stampinf_looks_for_it() {
    let makefile = ours();
    let task = &makefile["tasks"]["copy-inx-to-output"];
    assert_eq!(task["script_runner"], "@duckscript");
    let output = std::env::temp_dir().join(format!("flowtag-makefile-{}", std::process::id())).join("release");
    let root = root();
    let variables = BTreeMap::from([
        ("${WDK_BUILD_OUTPUT_DIRECTORY}", output.display().to_string()),
        ("${CARGO_MAKE_WORKING_DIRECTORY}", root.display().to_string()),
        ("${CARGO_MAKE_CRATE_FS_NAME}", "flowtag".to_owned()),
    ]);
    let put_in = |text: &str| variables.iter().fold(text.to_owned(), |text, (name, value)| text.replace(name, value));
    for line in text(&task["script"], "script").lines().filter(|line| !line.is_empty()) {
        let words: Vec<_> = line.split(' ').map(put_in).collect();
        match &words.iter().map(String::as_str).collect::<Vec<_>>()[..] {
            ["mkdir", folder] => fs::create_dir_all(folder).expect("a folder"),
            ["cp", from, to] => drop(fs::copy(from, to).unwrap_or_else(|error| panic!("cp {from} {to}: {error}"))),
            other => panic!("the test does not know {other:?}"),
        }
    }

    let theirs = theirs();
    let arguments = theirs["tasks"]["stampinf"]["args"].as_array().expect("arguments");
    let file = arguments.iter().skip_while(|argument| *argument != "-f").nth(1).expect("stampinf -f names a file");
    let stamped = put_in(text(file, "-f"));
    let copied = fs::read(&stamped).unwrap_or_else(|error| panic!("{stamped}: {error}"));
    fs::remove_dir_all(output.parent().expect("a folder")).expect("it can be removed");
    assert_eq!(copied, files::bytes(&root.join("driver.inx")));
}

#[test]
fn the_catalog_has_the_name_that_stampinf_and_the_inf_file_give_it() {
    let theirs = theirs();
    let arguments = theirs["tasks"]["stampinf"]["args"].as_array().expect("arguments");
    let catalog = arguments.iter().skip_while(|argument| *argument != "-c").nth(1).expect("stampinf -c names a file");
    let catalog = text(catalog, "-c").replace("${CARGO_MAKE_CRATE_FS_NAME}", "flowtag");
    let inf = crate::inf_file::Inf::parse(&files::text(&root().join("driver.inx")));
    assert_eq!(inf.value("Version", "CatalogFile"), catalog);
}

#[test]
fn stampinf_gets_the_machines_that_we_build_for() {
    let mapping = &theirs()["tasks"]["stampinf"]["env"]["WDK_BUILD_STAMPINF_ARCH"]["mapping"];
    assert_eq!(mapping["x86_64-pc-windows-msvc"], "amd64");
    assert_eq!(mapping["aarch64-pc-windows-msvc"], "arm64");
}
