//! The headers of open-wdk, read by clang.

use std::{
    env,
    io::Write,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
};

use serde_json::Value;

/// Names that the facts use in types and the headers do not need.
const PRELUDE: &str = "
#include \"wdfbind.h\"
#define VOID void
typedef SIZE_T size_t;
typedef ULONG WDF_MAJOR_VERSION, WDF_MINOR_VERSION, WDF_BUILD_NUMBER;
typedef PWDF_DRIVER_GLOBALS PWDF_COMPONENT_GLOBALS;
";

/// The folder of open-wdk.
pub fn open_wdk() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../open-wdk")
}

/// What the headers declare at file level, as clang's syntax tree has it.
pub fn declarations() -> Vec<Value> {
    let tree = clang(&["-fsyntax-only", "-Xclang", "-ast-dump=json"], "#include \"wdfbind.h\"\n");
    let mut tree: Value = serde_json::from_str(&tree).expect("clang's syntax tree is JSON");
    match tree["inner"].take() {
        Value::Array(declarations) => declarations,
        other => panic!("clang's syntax tree has no declarations: {other}"),
    }
}

/// The names of the constants that are macros.
pub fn macros() -> Vec<String> {
    let text = clang(&["-E", "-dM", "-undef"], "#include \"wdfbind.h\"\n");
    let names = text.lines().filter_map(|line| line.strip_prefix("#define ")?.split(' ').next());
    // An underscore: clang's own.
    names.filter(|name| !name.starts_with('_')).map(str::to_owned).collect()
}

/// What a file of `exports/` says after preprocessing: its module and the names it lists.
pub fn exports(file: &Path) -> (String, Vec<String>) {
    let text = std::fs::read_to_string(file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    let text = clang_in("assembler-with-cpp", &["-E", "-P"], &text);
    let mut lines = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with(';'));
    let library = lines.next().and_then(|line| line.strip_prefix("LIBRARY ")).expect("a .def file begins with LIBRARY");
    assert_eq!(lines.next(), Some("EXPORTS"), "after LIBRARY, in {}", file.display());
    (library.to_owned(), lines.map(str::to_owned).collect())
}

/// Fails with clang's complaints unless all `statements` hold; they are C at file level.
pub fn assert_all_hold(statements: &[String]) {
    assert!(!statements.is_empty(), "nothing to hold against the facts");
    let source = format!("{PRELUDE}{}\n", statements.join("\n"));
    clang(&["-fsyntax-only", "-ferror-limit=0"], &source);
}

fn clang(options: &[&str], source: &str) -> String {
    clang_in("c", options, source)
}

fn clang_in(language: &str, options: &[&str], source: &str) -> String {
    let program = env::var_os("FLOWTAG_CLANG").expect("FLOWTAG_CLANG names clang: run the tests by `cargo xtask test`");
    let include = open_wdk().join("Include");
    let mut clang = Command::new(program);
    clang
        .args(["--target=x86_64-pc-windows-msvc", "-D_AMD64_", "-nostdinc", "-fms-extensions", "-std=c11", "-Werror"])
        .arg("-I")
        .arg(include.join("wdf/kmdf/1.31"))
        .arg("-I")
        .arg(include.join("10.0.26100.0/km"))
        .arg("-I")
        .arg(include.join("10.0.26100.0/shared"))
        .arg("-I")
        .arg(open_wdk().join("entry"))
        .args(options)
        .args(["-x", language, "-"]);
    let output = run(&mut clang, source);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("clang writes UTF-8")
}

fn run(command: &mut Command, input: &str) -> Output {
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| panic!("start {}: {error}", command.get_program().display()));
    child.stdin.take().expect("stdin is a pipe").write_all(input.as_bytes()).expect("clang reads its input");
    child.wait_with_output().expect("clang ends")
}
