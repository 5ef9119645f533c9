//! The functions that are in an image, by the names that its PDB gives them.

use std::{fs::File, path::Path};

use pdb_addr2line::pdb::{FallibleIterator, PDB, SymbolData};

/// The name of every function in the image whose PDB this is.
pub fn of(pdb: &Path) -> Vec<String> {
    all(pdb).into_iter().map(|(_, name)| name).collect()
}

/// The names of the functions that begin at these addresses, relative to the image.
pub fn at(pdb: &Path, addresses: &[u32]) -> Vec<String> {
    all(pdb).into_iter().filter(|(address, _)| addresses.contains(address)).map(|(_, name)| name).collect()
}

fn all(pdb: &Path) -> Vec<(u32, String)> {
    let pdb = File::open(pdb).expect("flowtag.pdb lies beside flowtag.sys");
    let mut pdb = PDB::open(pdb).expect("flowtag.pdb is a PDB");
    let addresses = pdb.address_map().expect("an address map");
    let information = pdb.debug_information().expect("debug information");
    let mut modules = information.modules().expect("modules");
    let mut functions = Vec::new();
    while let Some(module) = modules.next().expect("a module") {
        let Some(module) = pdb.module_info(&module).expect("a readable module") else { continue };
        let mut symbols = module.symbols().expect("symbols");
        while let Some(symbol) = symbols.next().expect("a symbol") {
            if let Ok(SymbolData::Procedure(function)) = symbol.parse() {
                // The linker has left some out.
                let address = function.offset.to_rva(&addresses).map_or(0, |address| address.0);
                functions.push((address, function.name.to_string().into_owned()));
            }
        }
    }
    functions
}
