//! What the terminal shows.

use clap::ValueEnum;
use ratatui::{
    Frame,
    layout::Rect,
    style::{Color, Modifier, Style},
};

use super::{
    choice::{Choice, Row, Sort},
    columns::{self, COLUMNS, short},
    keys::HELP,
    screen::Screen,
    snapshot::Snapshot,
};

/// What is said of the source above the table.
#[derive(Clone, Debug, Default)]
pub struct Status {
    /// What it is called.
    pub source: String,
    /// How many of its lines or events could not be read.
    pub passed_over: u64,
    /// What there was to say last. It is shown as long as there is nothing else.
    pub note: Option<String>,
    /// There are no more.
    pub has_ended: bool,
}

/// With which colors.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Colors {
    /// Some.
    Some,
    /// None, as `NO_COLOR` asks for.
    None,
}

/// The lines that are no rows: what is said of the source, the titles, and at the end the filter or the keys.
const OTHERS: u16 = 3;

/// Draws it all.
pub fn draw(frame: &mut Frame, screen: &mut Screen, snapshot: &Snapshot, status: &Status, colors: Colors) {
    let area = frame.area();
    let rows = screen.choice.rows(snapshot);
    let seen = screen.seen(&rows, area.height.saturating_sub(OTHERS).into());
    let mut painter = Painter { frame, area, colors };
    painter.line(0, &title(screen, snapshot, status), Modifier::BOLD.into());
    painter.line(1, &columns::head(), painter.color(Color::Cyan));
    painter.sorted(1, screen.choice.sort);
    for (row, y) in rows[seen].iter().zip(2..) {
        let mut style = match row {
            Row::Flow(flow) if flow.is_over => painter.color(Color::DarkGray),
            _ => Style::new(),
        };
        if screen.is_selected(row) {
            style = style.add_modifier(Modifier::REVERSED);
        }
        painter.line(y, &columns::row(row, snapshot, true), style);
    }
    if let (Some(note), true) = (&status.note, snapshot.processes.is_empty()) {
        painter.line(2, note, Style::new());
    }
    if area.height >= OTHERS {
        painter.line(area.height - 1, &foot(screen), painter.color(Color::Cyan));
    }
    if screen.is_typing && area.height >= OTHERS {
        let width = u16::try_from(foot(screen).chars().count()).unwrap_or(u16::MAX);
        frame.set_cursor_position((width.min(area.width.saturating_sub(1)), area.height - 1));
    }
}

/// Draws lines.
struct Painter<'a, 'b> {
    frame: &'a mut Frame<'b>,
    area: Rect,
    colors: Colors,
}

impl Painter<'_, '_> {
    fn color(&self, color: Color) -> Style {
        match self.colors {
            Colors::Some => Style::new().fg(color),
            Colors::None => Style::new(),
        }
    }

    /// A line, as far as there is room.
    fn line(&mut self, y: u16, text: &str, style: Style) {
        if y < self.area.height {
            let buffer = self.frame.buffer_mut();
            buffer.set_stringn(0, y, text, self.area.width.into(), style);
            buffer.set_style(Rect::new(0, y, self.area.width, 1), style);
        }
    }

    /// Shows in the line of titles by what is sorted.
    fn sorted(&mut self, y: u16, sort: Sort) {
        let mut x = 0;
        for Column { sort: own, width, .. } in COLUMNS.iter().map(Column::of) {
            if own == sort || sort == Sort::Traffic && matches!(own, Sort::OutRate | Sort::InRate) {
                self.underline(x, y, width);
            }
            x += width + 1;
        }
        if sort == Sort::Name {
            self.underline(x, y, self.area.width);
        }
    }

    fn underline(&mut self, x: u16, y: u16, width: u16) {
        let area = Rect::new(x, y, width, 1).intersection(self.area);
        self.frame.buffer_mut().set_style(area, Modifier::UNDERLINED);
    }
}

/// A column as the screen has it.
struct Column {
    sort: Sort,
    width: u16,
}

impl Column {
    fn of(column: &columns::Column) -> Self {
        Self { sort: column.sort, width: u16::try_from(column.width).unwrap_or(u16::MAX) }
    }
}

fn title(screen: &Screen, snapshot: &Snapshot, status: &Status) -> String {
    let recent = snapshot.recent();
    let [out, inwards] = [recent.sent, recent.received].map(|bytes| match snapshot.rate(bytes) {
        Some(rate) => short(rate) + "/s",
        None => "-".to_owned(),
    });
    let Choice { sort, is_reversed, .. } = &screen.choice;
    let sort = sort.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default();
    let (processes, flows) = (counted(snapshot.processes.len(), "process"), counted(snapshot.live(), "flow"));
    let mut title = format!("{}: {processes}, {flows}, out {out}, in {inwards}; by {sort}", status.source);
    for (is_so, text) in [
        (*is_reversed, ", reversed".to_owned()),
        (screen.is_paused, "; paused".to_owned()),
        (status.has_ended, "; ended".to_owned()),
        (status.passed_over > 0, format!("; {} passed over", status.passed_over)),
    ] {
        if is_so {
            title.push_str(&text);
        }
    }
    title
}

fn counted(count: impl TryInto<u64>, noun: &str) -> String {
    let count = count.try_into().unwrap_or(u64::MAX);
    let ending = match (count, noun.ends_with('s')) {
        (1, _) => "",
        (_, true) => "es",
        (_, false) => "s",
    };
    format!("{count} {noun}{ending}")
}

/// The last line.
fn foot(screen: &Screen) -> String {
    let filter = &screen.choice.filter;
    match (screen.is_typing, filter.is_empty()) {
        (true, _) => format!("filter: {filter}"),
        (false, true) => HELP.to_owned(),
        (false, false) => format!("filter: {filter}  Esc all  {HELP}"),
    }
}

#[cfg(test)]
#[path = "view_tests.rs"]
mod tests;
