//! One module for each command.

pub mod bench;
pub mod build;
pub mod check;
pub mod debug;
pub mod demo;
pub mod editor;
pub mod fuzz;
pub mod mutants;
pub mod package;
pub mod pictures;
pub mod selftest;
pub mod setup;
pub mod sim;
pub mod test;
pub mod verify;
