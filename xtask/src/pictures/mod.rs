//! The pictures that README.md shows, each drawn of what a program really showed.
//!
//! - [`recording`] takes of the demo's events those up to its busiest moment, [`terminal`] shows them in a real terminal, and
//!   [`screen`] draws that.
//! - [`capture`] has tshark read the demo's packets, and [`packets`] chooses some and draws them.
//! - [`window`]: text in cells, as SVG.

pub mod capture;
pub mod packets;
pub mod recording;
pub mod screen;
pub mod terminal;
mod window;
