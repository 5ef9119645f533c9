//! The machines that the driver is built for, by the names that each tool gives them.

use std::{fmt, str::FromStr};

/// A machine that Windows drivers run on.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub enum Target {
    /// Intel and AMD, 64 bits.
    #[default]
    X64,
    /// ARM, 64 bits.
    Arm64,
}

impl Target {
    /// Every one.
    pub const ALL: [Self; 2] = [Self::X64, Self::Arm64];

    /// Rust's and clang's name.
    pub fn triple(self) -> &'static str {
        match self {
            Self::X64 => "x86_64-pc-windows-msvc",
            Self::Arm64 => "aarch64-pc-windows-msvc",
        }
    }

    /// The triple as it stands in the names of environment variables read by the crate cc.
    pub fn variable_suffix(self) -> String {
        self.triple().replace('-', "_")
    }

    /// The kit's name, of its library folders.
    pub fn kit_folder(self) -> &'static str {
        match self {
            Self::X64 => "x64",
            Self::Arm64 => "ARM64",
        }
    }

    /// llvm-dlltool's name.
    pub fn dlltool_machine(self) -> &'static str {
        match self {
            Self::X64 => "i386:x86-64",
            Self::Arm64 => "arm64",
        }
    }

    /// INF files' name, as stampinf puts it in place of `$ARCH$`.
    pub fn inf_architecture(self) -> &'static str {
        match self {
            Self::X64 => "amd64",
            Self::Arm64 => "arm64",
        }
    }

    /// The macro that headers and .def files ask for, as wdk-build defines it.
    pub fn macro_name(self) -> &'static str {
        match self {
            Self::X64 => "_AMD64_",
            Self::Arm64 => "_ARM64_",
        }
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.triple())
    }
}

impl FromStr for Target {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Self::ALL.into_iter().find(|target| target.triple() == text).ok_or_else(|| {
            let known: Vec<_> = Self::ALL.iter().map(|target| target.triple()).collect();
            format!("the driver can be built for {}", known.join(" and "))
        })
    }
}
