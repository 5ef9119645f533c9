//! What Windows is given: the packages that `cargo xtask package --test-sign` makes.

mod arm64;
mod files;
mod fork;
mod guide;
mod inf;
mod inf_file;
mod makefile;
mod page_hashes;
mod signature;
mod statuses;
mod symbols;
mod typed;
mod version;
mod workflow;

#[path = "../build/checksum.rs"]
mod checksum;
#[path = "../build/imports.rs"]
mod imports;
