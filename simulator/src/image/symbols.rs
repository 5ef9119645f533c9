//! Source places from the PDB beside an image.

use std::{
    path::{Path, PathBuf},
    sync::OnceLock,
};

use pdb_addr2line::{ContextPdbData, pdb};

use super::Frame;

/// The PDB, read when the first report needs it.
pub(super) struct Symbols {
    path: PathBuf,
    bytes: OnceLock<Option<Vec<u8>>>,
}

impl Symbols {
    pub(super) fn beside(image: &Path) -> Self {
        Self { path: image.with_extension("pdb"), bytes: OnceLock::new() }
    }

    /// The functions at `offset` in the image, inlined ones first; empty when there is no PDB or it does not know.
    pub(super) fn find(&self, offset: u32) -> Vec<Frame> {
        self.look_up(offset).unwrap_or_default()
    }

    fn look_up(&self, offset: u32) -> Option<Vec<Frame>> {
        let bytes = self.bytes.get_or_init(|| std::fs::read(&self.path).ok()).as_deref()?;
        let pdb = pdb::PDB::open(std::io::Cursor::new(bytes)).ok()?;
        let data = ContextPdbData::try_from_pdb(pdb).ok()?;
        let context = data.make_context().ok()?;
        let found = context.find_frames(offset).ok()??;
        let frames = found.frames.into_iter().map(|frame| Frame::Driver {
            function: frame.function.unwrap_or_else(|| "?".into()),
            place: frame.file.map(|file| match frame.line {
                Some(line) => format!("{}:{line}", short(&file)),
                None => short(&file).to_owned(),
            }),
        });
        Some(frames.collect())
    }
}

/// A source path from its `src` folder on: where the machine that built the driver kept it says nothing.
fn short(file: &str) -> &str {
    ["src/", "src\\", "open-wdk/"].iter().find_map(|folder| file.rfind(folder)).map_or(file, |at| &file[at..])
}
