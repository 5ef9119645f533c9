//! A line of a driver's stack, as reports show it.

/// One line of the driver's stack.
#[derive(Clone, Debug)]
pub enum Frame {
    /// A place in the driver.
    Driver {
        /// The function, or `flowtag.sys+0x…` where the PDB is missing.
        function: String,
        /// Source file and line, where known.
        place: Option<String>,
    },
    /// Below this line the driver had called this import.
    Import(&'static str),
}
