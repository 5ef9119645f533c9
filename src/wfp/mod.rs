//! The Windows Filtering Platform: its ABI, and checked readers of what it hands to a classify function.
pub mod ffi;
pub mod metadata;
pub mod net_buffer;
pub mod values;
