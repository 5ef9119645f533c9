//! The exports of everything that is plugged into a machine, by number, name and address.

use std::{
    collections::HashMap,
    ptr,
    sync::{Arc, Mutex, PoisonError},
};

use super::{Export, Subsystem, native, thunk};

/// What a driver can import: the tables of a set of subsystems together.
///
/// Every row has a number, which its stub hands over when the driver calls it. Behind the rows come the functions of
/// [function tables](Subsystem::function_table), of which some are known by name only.
#[derive(Debug)]
pub struct Imports {
    tables: Vec<Table>,
    rows: Vec<Row>,
    /// The functions of all function tables.
    handed: Vec<&'static str>,
    /// The addresses of each function table, by its module.
    function_tables: Vec<(&'static str, Vec<u64>)>,
    numbers: HashMap<&'static str, Vec<usize>>,
}

/// A table, and which of the subsystems it comes from.
type Table = (usize, &'static [Export]);

#[derive(Debug)]
struct Row {
    export: &'static Export,
    /// Which of the machine's subsystems serves it.
    owner: usize,
}

impl Imports {
    /// The exports of `parts`. Machines with the same tables share one.
    pub(super) fn of(parts: &[Box<dyn Subsystem>]) -> Arc<Self> {
        static KNOWN: Mutex<Vec<Arc<Imports>>> = Mutex::new(Vec::new());
        let numbered = parts.iter().enumerate();
        let tables: Vec<Table> =
            numbered.flat_map(|(owner, part)| part.exports().iter().map(move |&table| (owner, table))).collect();
        let mut known = KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(same) = known.iter().find(|other| same_tables(&other.tables, &tables)) {
            return Arc::clone(same);
        }
        let mut imports = Self::new(tables);
        for (module, functions) in parts.iter().filter_map(|part| part.function_table()) {
            imports.add_function_table(module, functions);
        }
        let imports = Arc::new(imports);
        known.push(Arc::clone(&imports));
        imports
    }

    fn new(tables: Vec<Table>) -> Self {
        let rows: Vec<Row> =
            tables.iter().flat_map(|&(owner, table)| table.iter().map(move |export| Row { export, owner })).collect();
        let mut numbers: HashMap<&'static str, Vec<usize>> = HashMap::new();
        for (number, row) in rows.iter().enumerate() {
            numbers.entry(row.export.name).or_default().push(number);
        }
        Self { tables, rows, handed: Vec::new(), function_tables: Vec::new(), numbers }
    }

    fn add_function_table(&mut self, module: &'static str, functions: &'static [&'static str]) {
        let first = self.rows.len() + self.handed.len();
        let stub =
            |(place, name): (usize, &&str)| self.address(module, name).unwrap_or_else(|| thunk::stub(first + place));
        let addresses = functions.iter().enumerate().map(stub).collect();
        self.handed.extend_from_slice(functions);
        self.function_tables.push((module, addresses));
    }

    /// All exports, for sweeps over everything that can fail.
    pub fn all(&self) -> impl Iterator<Item = &'static Export> {
        self.rows.iter().map(|row| row.export)
    }

    /// The export of this name, in whatever module.
    #[must_use]
    pub fn named(&self, name: &str) -> Option<&'static Export> {
        self.number(name).map(|number| self.rows[number].export)
    }

    /// The address that a driver's import of `name` from `module` (in any case) is bound to.
    #[must_use]
    pub fn address(&self, module: &str, name: &str) -> Option<u64> {
        if module.eq_ignore_ascii_case("ntoskrnl.exe")
            && let Some(native) = native::address(name)
        {
            return Some(native);
        }
        let is_from = |&&number: &&usize| self.rows[number].export.module.eq_ignore_ascii_case(module);
        self.numbers.get(name)?.iter().find(is_from).map(|&number| thunk::stub(number))
    }

    /// The addresses of the functions that a subsystem hands out in a table; it stays where it is.
    #[must_use]
    pub fn function_table(&self, module: &str) -> &[u64] {
        let table = self.function_tables.iter().find(|(name, _)| *name == module);
        table.map_or(&[], |(_, addresses)| addresses)
    }

    /// How many exports there are.
    pub(super) fn count(&self) -> usize {
        self.rows.len()
    }

    /// The number of the export of this name, in whatever module.
    pub(super) fn number(&self, name: &str) -> Option<usize> {
        self.numbers.get(name)?.first().copied()
    }

    /// The row numbered `number`; only a name where no subsystem has such a function.
    pub(super) fn numbered(&self, number: usize) -> (&'static str, Option<&'static Export>) {
        match self.rows.get(number) {
            Some(row) => (row.export.name, Some(row.export)),
            None => (self.handed.get(number - self.rows.len()).copied().unwrap_or("an unknown function"), None),
        }
    }

    /// Which of the machine's subsystems serves the export numbered `number`.
    pub(super) fn owner(&self, number: usize) -> usize {
        self.rows[number].owner
    }
}

/// Whether both lists have the same tables, which are static, in the same order.
fn same_tables(known: &[Table], tables: &[Table]) -> bool {
    let same = |(a, b): (&Table, &Table)| a.0 == b.0 && ptr::eq(a.1, b.1);
    known.len() == tables.len() && known.iter().zip(tables).all(same)
}
