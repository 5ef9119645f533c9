//! The processes that flows may belong to.
#[path = "../../src/processes/table.rs"]
pub mod table;
