//! What an image imports.

use object::{Object, read::pe::PeFile64};

/// Every import, as module and name.
pub fn of(image: &[u8]) -> Vec<(String, String)> {
    let image = PeFile64::parse(image).expect("a 64-bit PE image");
    let imports = image.imports().expect("a readable import table");
    imports
        .map(|import| {
            let import = import.expect("a readable import");
            let name = import.name().into_name().expect("imports are by name");
            (utf8(import.library()), utf8(name))
        })
        .collect()
}

fn utf8(name: &[u8]) -> String {
    String::from_utf8(name.to_vec()).expect("import names are ASCII")
}
