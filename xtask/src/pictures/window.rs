//! A window with text in cells, as SVG.
//!
//! It has a background of its own, so that it can be read on a light page and on a dark one. Whose font it is shown with nobody
//! knows: each piece of text says how wide it is, and readers stretch it to that.

use svg::{
    Document, Node,
    node::element::{Element, Rectangle, Style, Text, Title},
};

/// The width and height of a cell, in pixels.
const CELL: (usize, usize) = (8, 18);
/// What is free around the cells.
const MARGIN: usize = 12;
/// The height of the bar with the title.
const BAR: usize = 32;
/// From the top of a cell to the foot of its letters.
const BASELINE: usize = 13;
const STYLE: &str = "text{font:13px ui-monospace,SFMono-Regular,Menlo,Consolas,'DejaVu Sans Mono','Liberation Mono',monospace}\
                     .b{font-weight:bold}";

/// The colors of a window.
pub struct Theme {
    /// Behind everything.
    pub background: &'static str,
    /// Behind the title, and around it all.
    pub bar: &'static str,
    /// The title.
    pub title: &'static str,
}

/// Some cells of a row.
#[derive(Clone, Copy)]
pub struct Span {
    /// The first of them.
    pub column: usize,
    /// Their row.
    pub row: usize,
    /// How many.
    pub width: usize,
}

/// A window that is being drawn.
pub struct Window(Document);

impl Window {
    /// An empty one of so many columns and rows. `description` is for who cannot see it.
    pub fn new(columns: usize, rows: usize, theme: &Theme, title: &str, description: &str) -> Self {
        let (width, height) = (columns * CELL.0 + 2 * MARGIN, rows * CELL.1 + 2 * MARGIN + BAR);
        let frame = Rectangle::new().set("width", width).set("height", height).set("rx", 8).set("fill", theme.bar);
        let inside = Rectangle::new()
            .set("x", 1)
            .set("y", BAR)
            .set("width", width - 2)
            .set("height", height - BAR - 1)
            .set("rx", 7)
            .set("fill", theme.background);
        let title = Text::new(title)
            .set("x", width / 2)
            .set("y", BAR / 2 + 5)
            .set("text-anchor", "middle")
            .set("fill", theme.title);
        let document = Document::new()
            .set("viewBox", (0, 0, width, height))
            .set("width", width)
            .set("height", height)
            .set("role", "img")
            .add(Element::from(Title::new(description)))
            .add(Style::new(STYLE))
            .add(frame)
            .add(inside)
            .add(Element::from(title));
        Self(document)
    }

    /// Paints cells, from the first line of their row.
    pub fn fill(&mut self, span: Span, color: &str) {
        self.paint(span, 0, CELL.1, color);
    }

    /// Draws a line below the letters of cells.
    pub fn underline(&mut self, span: Span, color: &str) {
        self.paint(span, BASELINE + 2, 1, color);
    }

    fn paint(&mut self, span: Span, from: usize, height: usize, color: &str) {
        let (x, y) = place(span.column, span.row);
        let rectangle = Rectangle::new()
            .set("x", x)
            .set("y", y + from)
            .set("width", span.width * CELL.0)
            .set("height", height)
            .set("fill", color);
        self.0.append(rectangle);
    }

    /// Writes text that begins in this cell.
    pub fn write(&mut self, (column, row): (usize, usize), text: &str, color: &str, is_bold: bool) {
        for (after, piece) in pieces(text) {
            let (x, y) = place(column + after, row);
            let mut text = Text::new(piece).set("x", x).set("y", y + BASELINE).set("fill", color);
            let letters = piece.chars().count();
            // One letter has nothing to be stretched.
            if letters > 1 {
                text = text.set("textLength", letters * CELL.0);
            }
            if is_bold {
                text = text.set("class", "b");
            }
            // As an element it is written without line breaks in it.
            self.0.append(Element::from(text));
        }
    }

    /// The picture.
    pub fn finish(self) -> String {
        format!("{}\n", self.0)
    }
}

/// The upper left corner of a cell.
fn place(column: usize, row: usize) -> (usize, usize) {
    (MARGIN + column * CELL.0, BAR + MARGIN + row * CELL.1)
}

/// The parts of a text between wide gaps, which SVG would make narrow, each with the number of letters before it.
fn pieces(text: &str) -> Vec<(usize, &str)> {
    let mut pieces = Vec::new();
    let mut before = 0;
    for part in text.split("  ") {
        let piece = part.trim_start();
        let skipped = part.chars().count() - piece.chars().count();
        if !piece.is_empty() {
            pieces.push((before + skipped, piece.trim_end()));
        }
        before += part.chars().count() + 2;
    }
    pieces
}

/// The texts of a picture, as a reader of SVG has them.
#[cfg(test)]
pub fn texts(picture: &str) -> Vec<String> {
    use svg::{
        node::element::tag::Type,
        parser::Event::{Tag, Text},
    };

    let (mut texts, mut is_text) = (Vec::new(), false);
    for event in svg::read(picture).expect("an SVG") {
        match event {
            Tag("text", kind, _) => is_text = kind == Type::Start,
            Text(text) if is_text => {
                texts.push(text.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&"));
            }
            _ => {}
        }
    }
    texts
}

#[cfg(test)]
mod tests {
    use super::*;

    const THEME: Theme = Theme { background: "#fff", bar: "#eee", title: "#000" };

    #[test]
    fn text_is_kept_with_what_means_something_in_svg() {
        let mut window = Window::new(20, 1, &THEME, "a & b", "described");
        window.write((0, 0), "<x> \"&amp;\" →", "#000", false);
        assert_eq!(texts(&window.finish()), ["a & b", "<x> \"&amp;\" →"]);
    }

    #[test]
    fn text_is_cut_at_wide_gaps_and_each_piece_keeps_its_place() {
        assert_eq!(pieces("   PID  a b   →   c "), [(3, "PID"), (8, "a b"), (14, "→"), (18, "c")]);
        assert!(pieces("    ").is_empty());
    }

    #[test]
    fn each_piece_of_text_is_as_wide_as_its_cells_and_stands_in_them() {
        let mut window = Window::new(20, 3, &THEME, "title", "described");
        window.write((1, 2), "abc    de", "#000", false);
        let picture = window.finish();
        for (x, width, text) in [(12 + 8, 3 * 8, "abc"), (12 + 8 * 8, 2 * 8, "de")] {
            let expected = format!(r##"<text fill="#000" textLength="{width}" x="{x}" y="93">{text}</text>"##);
            assert!(picture.contains(&expected), "{expected}\n{picture}");
        }
    }

    #[test]
    fn a_window_has_a_background_of_its_own_and_a_description() {
        let picture = Window::new(10, 2, &THEME, "title", "what it shows").finish();
        assert!(picture.contains(r#"<svg height="92" role="img" viewBox="0 0 104 92" width="104""#), "{picture}");
        assert!(picture.contains(r##"<rect fill="#eee" height="92" rx="8" width="104"/>"##), "{picture}");
        assert!(picture.contains("<title>what it shows</title>"), "{picture}");
    }
}
