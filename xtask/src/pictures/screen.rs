//! The screen of a terminal.

use std::num::NonZero;

use anyhow::{Context, Result};
use vt100::{Cell, Color, Parser};

use super::window::{Span, Theme, Window};

/// The size of the terminal.
pub const COLUMNS: u16 = 100;
/// The size of the terminal.
pub const ROWS: u16 = 24;
/// What `flowtag` is told.
pub const ARGUMENTS: &str = "top --from flows.jsonl";

const TEXT: &str = "#e6edf3";
const THEME: Theme = Theme { background: "#0d1117", bar: "#30363d", title: "#c9d1d9" };
/// The colors that a program names by number, the brighter ones behind.
const PALETTE: [&str; 16] = [
    "#484f58", "#ff7b72", "#3fb950", "#d29922", "#58a6ff", "#bc8cff", "#39c5cf", "#b1bac4", "#8b949e", "#ffa198",
    "#56d364", "#e3b341", "#79c0ff", "#d2a8ff", "#56d4dd", "#ffffff",
];

/// How a cell looks.
#[derive(Clone, Copy, PartialEq)]
struct Look {
    text: &'static str,
    background: &'static str,
    is_bold: bool,
    is_underlined: bool,
}

/// Draws a screen of text with control sequences, as tmux tells it.
pub fn picture(shown: &str) -> Result<String> {
    let size = |number| NonZero::new(number).context("a terminal has a size");
    let mut parser = Parser::new(size(ROWS)?, size(COLUMNS)?, 0);
    parser.process(shown.trim_end_matches('\n').replace('\n', "\r\n").as_bytes());
    let description = "flowtag top in a terminal: processes by traffic, one of them opened into its flows";
    let title = format!("flowtag {ARGUMENTS}");
    let mut window = Window::new(COLUMNS.into(), ROWS.into(), &THEME, &title, description);
    for row in 0..ROWS {
        let cells: Vec<_> = (0..COLUMNS).filter_map(|column| parser.screen().cell(row, column)).collect();
        let looks = cells.iter().map(|cell| look(cell)).collect::<Result<Vec<_>>>()?;
        let mut column = 0;
        for same in looks.chunk_by(|one, next| one == next) {
            let text: String = cells[column..column + same.len()].iter().map(|cell| letters(cell)).collect();
            draw(&mut window, Span { column, row: row.into(), width: same.len() }, same[0], &text);
            column += same.len();
        }
    }
    Ok(window.finish())
}

fn draw(window: &mut Window, span: Span, look: Look, text: &str) {
    if look.background != THEME.background {
        window.fill(span, look.background);
    }
    if look.is_underlined {
        window.underline(span, look.text);
    }
    window.write((span.column, span.row), text, look.text, look.is_bold);
}

fn letters(cell: &Cell) -> &str {
    if cell.has_contents() { cell.contents() } else { " " }
}

fn look(cell: &Cell) -> Result<Look> {
    let (text, background) = (paint(cell.fgcolor(), TEXT)?, paint(cell.bgcolor(), THEME.background)?);
    let (text, background) = if cell.inverse() { (background, text) } else { (text, background) };
    Ok(Look { text, background, is_bold: cell.bold(), is_underlined: cell.underline() })
}

fn paint(color: Color, default: &'static str) -> Result<&'static str> {
    match color {
        Color::Default => Some(default),
        Color::Idx(number) => PALETTE.get(usize::from(number)).copied(),
        Color::Rgb(..) => None,
    }
    .with_context(|| format!("the terminal shows a color that the picture has no paint for: {color:?}"))
}

/// Which of the processes, from the top, has few flows, but some: what is opened is to be seen as a whole.
pub fn row_to_open(lines: &[String]) -> Option<usize> {
    let flows = |line: &String| line.split_whitespace().nth(1)?.parse().ok();
    // Above the first is the line of the source, and the titles.
    lines.iter().skip(2).position(|line| flows(line).is_some_and(|flows: u32| (3..=6).contains(&flows)))
}

#[cfg(test)]
mod tests {
    use super::{super::window::texts, *};

    #[test]
    fn the_picture_keeps_the_text_of_each_line_of_the_screen() {
        let shown = "\x1b[1mflows.jsonl: 2 processes\x1b[0m\n    PID \x1b[36mPROCESS\x1b[39m\n   4242 a & b <c>\n\n";
        let picture = picture(shown).expect("a picture");
        let expected =
            ["flowtag top --from flows.jsonl", "flows.jsonl: 2 processes", "PID", "PROCESS", "4242 a & b <c>"];
        assert_eq!(texts(&picture), expected);
    }

    #[test]
    fn the_picture_keeps_how_text_looks() {
        let picture = picture("\x1b[36mcyan\x1b[0m \x1b[1mbold\x1b[0m \x1b[4mlined\x1b[0m \x1b[7mmarked  \x1b[0m")
            .expect("a picture");
        let text = |x: usize, fill, letters: usize, class, text| {
            format!(r#"<text{class} fill="{fill}" textLength="{}" x="{x}" y="57">{text}</text>"#, 8 * letters)
        };
        for expected in [
            text(12, "#39c5cf", 4, "", "cyan"),
            text(52, TEXT, 4, r#" class="b""#, "bold"),
            text(92, TEXT, 5, "", "lined"),
            format!(r#"<rect fill="{TEXT}" height="1" width="40" x="92" y="59"/>"#),
            text(140, THEME.background, 6, "", "marked"),
            format!(r#"<rect fill="{TEXT}" height="18" width="64" x="140" y="44"/>"#),
        ] {
            assert!(picture.contains(&expected), "{expected}\n{picture}");
        }
    }

    #[test]
    fn a_color_without_a_paint_is_said() {
        for (sequence, color) in [("38;5;200", "Idx(200)"), ("48;2;1;2;3", "Rgb(1, 2, 3)")] {
            let error = picture(&format!("\x1b[{sequence}mpink")).expect_err("no picture");
            assert!(error.to_string().ends_with(color), "{error}");
        }
    }

    #[test]
    fn the_process_that_is_opened_is_the_first_with_from_three_to_six_flows() {
        let screen = "flows.jsonl: 3 processes, 4 flows\n PID FLOWS\n 10 2 x\n 11 7 y\n 12 3 z\n 13 4 w\n";
        let lines: Vec<_> = screen.lines().map(str::to_owned).collect();
        assert_eq!(row_to_open(&lines), Some(2));
        assert_eq!(row_to_open(&lines[..3]), None);
    }
}
