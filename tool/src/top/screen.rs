//! What the keys change: which rows there are, which of them is selected, and which are seen.

use std::ops::Range;

use clap::ValueEnum;

use super::{
    choice::{Choice, Row, RowId, Sort},
    keys::Action,
    snapshot::Snapshot,
};

/// What is seen of a snapshot.
#[derive(Clone, Debug, Default)]
pub struct Screen {
    /// The rows.
    pub choice: Choice,
    /// The filter is being typed.
    pub is_typing: bool,
    /// The snapshot is to stay as it is.
    pub is_paused: bool,
    /// The selected row, and where it was seen last.
    selected: Option<(RowId, usize)>,
    /// The first row that is seen.
    first: usize,
    /// How many are seen at once.
    height: usize,
}

impl Screen {
    /// One with this choice.
    #[must_use]
    pub fn new(choice: Choice) -> Self {
        Self { choice, ..Self::default() }
    }

    /// Which of the rows are seen, if so many are at once.
    pub(super) fn seen(&mut self, rows: &[Row], height: usize) -> Range<usize> {
        self.height = height;
        if let Some((id, place)) = self.selected {
            // A row that is not there any more is followed by the one that has its place.
            let place = rows.iter().position(|row| row.id() == id).unwrap_or(place.min(rows.len().saturating_sub(1)));
            self.selected = rows.get(place).map(|row| (row.id(), place));
            // A terminal may be too small for any row.
            self.first = self.first.clamp((place + 1).saturating_sub(height.max(1)), place);
        } else {
            self.first = 0;
        }
        self.first = self.first.min(rows.len().saturating_sub(height));
        self.first..rows.len().min(self.first + height)
    }

    pub(super) fn is_selected(&self, row: &Row) -> bool {
        self.selected.is_some_and(|(id, _)| id == row.id())
    }

    /// Does what a key asks for; [`Action::Quit`] is not for here.
    pub fn act(&mut self, action: Action, snapshot: &Snapshot) {
        match action {
            Action::Quit => {}
            Action::Up => self.go(snapshot, |place, _| place.saturating_sub(1)),
            Action::Down => self.go(snapshot, |place, _| place + 1),
            Action::PageUp => self.go(snapshot, usize::saturating_sub),
            Action::PageDown => self.go(snapshot, |place, height| place + height),
            Action::First => self.go(snapshot, |_, _| 0),
            Action::Last => self.go(snapshot, |_, _| usize::MAX),
            Action::Toggle => self.open(snapshot, None),
            Action::Open => self.open(snapshot, Some(true)),
            Action::Close => self.open(snapshot, Some(false)),
            Action::All => {
                self.choice.all_open = !self.choice.all_open;
                self.choice.others.clear();
            }
            Action::NextSort => self.choice.sort = beside(self.choice.sort, 1),
            Action::PreviousSort => self.choice.sort = beside(self.choice.sort, Sort::value_variants().len() - 1),
            Action::Reverse => self.choice.is_reversed = !self.choice.is_reversed,
            Action::Pause => self.is_paused = !self.is_paused,
            Action::Filter => self.is_typing = true,
            Action::Type(character) => self.choice.filter.push(character),
            Action::Erase => {
                self.choice.filter.pop();
            }
            Action::Keep => self.is_typing = false,
            Action::Clear => {
                self.is_typing = false;
                self.choice.filter.clear();
            }
        }
    }

    /// Selects the row that is there, as seen from the selected one. The first key selects the first row that is seen, or the last of all.
    fn go(&mut self, snapshot: &Snapshot, to: impl Fn(usize, usize) -> usize) {
        let rows = self.choice.rows(snapshot);
        let Some(last) = rows.len().checked_sub(1) else { return };
        let place = match self.selected {
            Some((_, place)) => to(place, self.height),
            None if to(0, 0) == usize::MAX => last,
            None => self.first,
        };
        let place = place.min(last);
        self.selected = Some((rows[place].id(), place));
    }

    /// Opens the selected process into its flows, or closes it, or whichever it is not. What is selected of a flow is its process.
    fn open(&mut self, snapshot: &Snapshot, open: Option<bool>) {
        let rows = self.choice.rows(snapshot);
        let Some((_, place)) = self.selected else { return };
        let above = rows.iter().enumerate().take(place + 1).rev();
        let process = above.filter_map(|(place, row)| match row {
            Row::Process(line) => Some((place, line)),
            Row::Flow(_) => None,
        });
        let Some((at, line)) = process.into_iter().next() else { return };
        let is_open = open.unwrap_or(!line.is_open);
        if !is_open {
            self.selected = Some((RowId::Process(line.row.id), at));
        }
        self.choice.open(line.row.id, is_open);
    }
}

/// What is so many places behind.
fn beside(sort: Sort, places: usize) -> Sort {
    let all = Sort::value_variants();
    let place = all.iter().position(|one| *one == sort).unwrap_or(0);
    all[(place + places) % all.len()]
}

#[cfg(test)]
#[path = "screen_tests.rs"]
mod tests;
