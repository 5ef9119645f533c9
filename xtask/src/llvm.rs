//! Finds the LLVM tools: clang for C, llvm-dlltool and llvm-lib for libraries, libclang for bindgen.

use std::{
    fs,
    path::{Path, PathBuf},
};

/// Versions to look for, the one flowtag is developed with first. Older than 14 is untried.
pub const VERSIONS: [u32; 9] = [19, 22, 21, 20, 18, 17, 16, 15, 14];

const TOOLS: [&str; 3] = ["clang", "llvm-dlltool", "llvm-lib"];

/// One complete installation.
pub struct Llvm {
    tools: PathBuf,
    libraries: PathBuf,
}

impl Llvm {
    /// The first complete installation of this machine.
    pub fn find() -> Option<Self> {
        // Debian and Ubuntu keep each version in a folder of its own; others have one below /usr.
        VERSIONS
            .iter()
            .map(|version| PathBuf::from(format!("/usr/lib/llvm-{version}")))
            .chain(["/usr".into(), "/usr/local".into()])
            .find_map(|root| Self::at(&root))
    }

    fn at(root: &Path) -> Option<Self> {
        let tools = root.join("bin");
        if !TOOLS.iter().all(|tool| tools.join(tool).exists()) {
            return None;
        }
        let libraries =
            ["lib", "lib64"].map(|folder| root.join(folder)).into_iter().find(|folder| has_libclang(folder))?;
        Some(Self { tools, libraries })
    }

    /// The path of a tool.
    pub fn tool(&self, name: &str) -> PathBuf {
        self.tools.join(name)
    }

    /// What a program that is installed on demand is called in the path, and its Debian package: with the version, if it is of
    /// one of several.
    pub fn program(&self, name: &str) -> String {
        let folder = self.tools.parent().and_then(Path::file_name).unwrap_or_default().to_string_lossy();
        folder.strip_prefix("llvm-").map_or_else(|| name.to_owned(), |version| format!("{name}-{version}"))
    }

    /// The folder of libclang.
    pub fn libraries(&self) -> &Path {
        &self.libraries
    }
}

fn has_libclang(folder: &Path) -> bool {
    // libclang-cpp is another library.
    fs::read_dir(folder).into_iter().flatten().flatten().any(|entry| {
        let name = entry.file_name();
        let name = name.to_string_lossy();
        name.starts_with("libclang.so")
            || (name.starts_with("libclang-") && name.contains(".so") && !name.starts_with("libclang-cpp"))
    })
}
