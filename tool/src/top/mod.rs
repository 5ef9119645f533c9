//! `flowtag top`: who has the traffic, as it is now.
//!
//! - [`Model`] hears the events, and knows which processes and flows there are; [`window`] counts what passed lately. Of it a
//!   [`Snapshot`] is made.
//! - [`Services`] says which services are in its processes, where this machine has them.
//! - [`Choice`] makes the rows of the table of that: which, and in which order; [`columns`] says what stands in them.
//! - [`keys`] says what each key does, [`Screen`] does it, and [`view`] draws what is seen then.
//! - [`Feed`] hears in a thread of its own, and [`live`] shows it in the terminal.
//! - [`once`]: the table as text.

mod choice;
mod columns;
mod feed;
mod flow;
mod keys;
mod live;
mod model;
mod processes;
#[cfg(test)]
mod samples;
mod screen;
mod services;
mod snapshot;
mod view;
mod window;

pub use choice::{Choice, Row, RowId, Sort};
pub use feed::{Feed, Heard};
pub use flow::FlowId;
pub use live::run;
pub use model::Model;
pub use processes::ProcessId;
pub use screen::Screen;
pub use services::Services;
pub use snapshot::Snapshot;
pub use view::{Colors, Status, draw};

/// The table as text: the titles, and a line for each row.
#[must_use]
pub fn once(choice: &Choice, snapshot: &Snapshot) -> String {
    let mut text = columns::head() + "\n";
    for row in choice.rows(snapshot) {
        text.push_str(&columns::row(&row, snapshot, false));
        text.push('\n');
    }
    text
}
