//! Lays out open-wdk as a driver kit below `target/`, in the shape that wdk-build looks for.

use std::{
    fs,
    hash::{DefaultHasher, Hash, Hasher},
    io::ErrorKind,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result};

use crate::{llvm::Llvm, process, target::Target, workspace};

/// Kernel code: no C runtime, and none of its stack cookies; indirect calls are guarded. `CodeView`: line numbers for the .pdb.
const C_OPTIONS: [&str; 10] = [
    "-ffreestanding",
    "-nostdinc",
    "-fno-stack-protector",
    "-fms-extensions",
    "-Xclang",
    "-cfguard",
    "-g",
    "-gcodeview",
    "-O2",
    "-std=c11",
];

const SDK: &str = "10.0.26100.0";
const KMDF: &str = "1.31";

/// Libraries that wdk-sys links, the last for ARM64 only, and nothing here needs: empty archives.
const EMPTY_LIBRARIES: [&str; 3] = ["hal", "wmilib", "arm64rt"];

/// Makes the kit in `folder`/kit, where it is not there yet, and returns its path.
pub fn lay_out(folder: &Path, target: Target, llvm: &Llvm) -> Result<PathBuf> {
    let source = workspace::root().join("open-wdk");
    let kit = folder.join("kit");
    let stamp = folder.join("open-wdk.hash");
    let hash = hash_of(&source)?;
    if fs::read_to_string(&stamp).ok().as_ref() != Some(&hash) {
        remove(&kit)?;
        forget_prototypes(folder)?;
        headers(&source.join("Include"), &kit.join("Include"))?;
        write(&stamp, &hash)?;
    }

    let kernel = kernel_libraries(&kit, target);
    let framework = kit.join(format!("Lib/wdf/kmdf/{}/{KMDF}", target.kit_folder()));
    let entry = framework.join("WdfDriverEntry.lib");
    // Made last: where it is, the rest is.
    if !entry.exists() {
        let libraries = Libraries { source: &source, kit: &kit, target, llvm };
        fs::create_dir_all(&framework)?;
        for name in EMPTY_LIBRARIES {
            write(&kernel.join(format!("{name}.lib")), "!<arch>\n")?;
        }
        libraries.import("ntoskrnl", &kernel)?;
        libraries.import("fwpkclnt", &kernel)?;
        libraries.import("WdfLdr", &framework)?;
        libraries.compile("guard.S", &[], &kernel.join("BufferOverflowFastFailK.lib"))?;
        libraries.compile("FxDriverEntry.c", &C_OPTIONS, &entry)?;
    }
    Ok(kit)
}

/// The folder of the import libraries of the kernel's modules.
pub fn kernel_libraries(kit: &Path, target: Target) -> PathBuf {
    kit.join(format!("Lib/{SDK}/km/{}", target.kit_folder()))
}

/// Removes what wdk-macros read from earlier headers. cargo notices that headers have changed, wdk-macros does not, and
/// keeps its memory where no clean build of a package reaches: in the folder of the crate scratch.
fn forget_prototypes(folder: &Path) -> Result<()> {
    let Ok(packages) = fs::read_dir(folder.join("release/build")) else { return Ok(()) };
    for package in packages {
        let package = package?;
        if package.file_name().to_string_lossy().starts_with("scratch-") {
            remove(&package.path().join("out/wdk_macros_ast_fragments"))?;
        }
    }
    Ok(())
}

/// Copies the headers, and adds the folders that wdk-build insists on.
fn headers(from: &Path, to: &Path) -> Result<()> {
    for file in files_below(from)? {
        let text = fs::read_to_string(from.join(&file))?;
        write(&to.join(&file), &text)?;
    }
    for folder in ["km/crt", "km/ufx/1.1"] {
        fs::create_dir_all(to.join(SDK).join(folder))?;
    }
    Ok(())
}

struct Libraries<'a> {
    source: &'a Path,
    kit: &'a Path,
    target: Target,
    llvm: &'a Llvm,
}

impl Libraries<'_> {
    /// Makes an import library from `exports/NAME.def.in`.
    fn import(&self, name: &str, folder: &Path) -> Result<()> {
        let definition = self.kit.join(format!("{name}.def"));
        // A module-definition file is no C; this language only preprocesses, and takes any text.
        let mut preprocess = Command::new(self.llvm.tool("clang"));
        preprocess
            .args(["-E", "-P", "-x", "assembler-with-cpp"])
            .arg(format!("-D{}", self.target.macro_name()))
            .arg(self.source.join(format!("exports/{name}.def.in")))
            .arg("-o")
            .arg(&definition);
        process::run_quietly(&mut preprocess, "preprocessing a .def file failed")?;

        let mut dlltool = Command::new(self.llvm.tool("llvm-dlltool"));
        dlltool
            .args(["-m", self.target.dlltool_machine(), "-d"])
            .arg(&definition)
            .arg("-l")
            .arg(folder.join(format!("{name}.lib")));
        process::run_quietly(&mut dlltool, "making an import library failed")
    }

    /// Makes `library` of the one file `entry/NAME`.
    fn compile(&self, name: &str, options: &[&str], library: &Path) -> Result<()> {
        let object = self.kit.join(name).with_extension("obj");
        let include = self.kit.join("Include");
        let mut compile = Command::new(self.llvm.tool("clang"));
        compile
            .arg(format!("--target={}", self.target.triple()))
            .args(["-Wall", "-Wextra", "-Werror"])
            .args(options)
            .arg(format!("-D{}", self.target.macro_name()))
            .arg("-I")
            .arg(include.join(format!("wdf/kmdf/{KMDF}")))
            .arg("-I")
            .arg(include.join(SDK).join("km"))
            .arg("-I")
            .arg(include.join(SDK).join("shared"))
            .arg("-c")
            .arg(self.source.join("entry").join(name))
            .arg("-o")
            .arg(&object);
        process::run_quietly(&mut compile, &format!("compiling {name} failed"))?;

        let mut archive = Command::new(self.llvm.tool("llvm-lib"));
        archive.arg("/nologo").arg(format!("/out:{}", library.display())).arg(&object);
        process::run_quietly(&mut archive, &format!("making {} failed", library.display()))
    }
}

/// One hash of the names and contents of all files below `folder`.
fn hash_of(folder: &Path) -> Result<String> {
    let mut hasher = DefaultHasher::new();
    for file in files_below(folder)? {
        let content = fs::read(folder.join(&file))?;
        (file, content).hash(&mut hasher);
    }
    Ok(format!("{:016x}", hasher.finish()))
}

/// The files below `folder`, by their paths from there, in one order everywhere.
fn files_below(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    let mut folders = vec![PathBuf::new()];
    while let Some(inner) = folders.pop() {
        let path = folder.join(&inner);
        for entry in fs::read_dir(&path).with_context(|| format!("read {}", path.display()))? {
            let entry = entry?;
            let name = inner.join(entry.file_name());
            if entry.file_type()?.is_dir() {
                folders.push(name);
            } else {
                files.push(name);
            }
        }
    }
    files.sort();
    Ok(files)
}

fn remove(folder: &Path) -> Result<()> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != ErrorKind::NotFound => {
            Err(error).with_context(|| format!("remove {}", folder.display()))
        }
        _ => Ok(()),
    }
}

fn write(path: &Path, text: &str) -> Result<()> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).with_context(|| format!("create {}", folder.display()))?;
    }
    fs::write(path, text).with_context(|| format!("write {}", path.display()))
}
