//! The repository's own files.

use std::{
    fs,
    path::{Path, PathBuf},
};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// docs/imports.md as it is.
pub fn page() -> String {
    fs::read_to_string(root().join("docs/imports.md")).unwrap_or_default()
}

/// Whether there is a test `path`: `kernel::tests::name` in this crate, or `tests/folder/file.rs: name` in the repository.
pub fn has_test(path: &str) -> bool {
    let declares = |file: PathBuf, name: &str| {
        let text = fs::read_to_string(file).unwrap_or_default();
        text.contains(&format!("#[test]\n    fn {name}(")) || text.contains(&format!("#[test]\nfn {name}("))
    };
    if let Some((file, name)) = path.split_once(": ") {
        return declares(root().join(file), name);
    }
    let mut modules: Vec<&str> = path.split("::").collect();
    let Some(name) = modules.pop() else { return false };
    let file = |modules: &[&str]| root().join("simulator/src").join(modules.join("/"));
    let mut places = vec![file(&modules).with_extension("rs"), file(&modules).join("mod.rs")];
    if modules.last() == Some(&"tests") {
        modules.pop();
        let beside = file(&modules);
        places.push(beside.with_file_name(format!("{}_tests.rs", beside.file_name().unwrap_or_default().display())));
        places.extend([file(&modules).with_extension("rs"), file(&modules).join("mod.rs")]);
    }
    places.into_iter().any(|place| declares(place, name))
}
