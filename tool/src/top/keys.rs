//! What each key does.

use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyEventKind, KeyModifiers};

/// What a key asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// The end.
    Quit,
    /// The row above.
    Up,
    /// The row below.
    Down,
    /// As many rows up as are seen.
    PageUp,
    /// As many down.
    PageDown,
    /// The first row.
    First,
    /// The last.
    Last,
    /// The selected process into its flows, or back.
    Toggle,
    /// Into its flows.
    Open,
    /// Back.
    Close,
    /// All processes into their flows, or back.
    All,
    /// Sorted by what is next.
    NextSort,
    /// Sorted by what was before.
    PreviousSort,
    /// Sorted the other way round.
    Reverse,
    /// What is shown stays as it is, or goes on.
    Pause,
    /// The filter is going to be typed.
    Filter,
    /// This is typed.
    Type(char),
    /// What was typed last is gone.
    Erase,
    /// The filter is typed.
    Keep,
    /// No filter.
    Clear,
}

/// The last line of the screen: what most need to know.
pub(super) const HELP: &str = "q quit  Enter open  e all  s sort  r reverse  / filter  p pause  arrows move";

/// What the key asks for, if anything. While a filter is typed, letters are its own.
#[must_use]
pub fn action(key: KeyEvent, is_typing: bool) -> Option<Action> {
    // Windows tells, too, when a key is let go.
    if key.kind == KeyEventKind::Release {
        return None;
    }
    // With Alt it is AltGr, which types.
    if key.modifiers.contains(KeyModifiers::CONTROL) && !key.modifiers.contains(KeyModifiers::ALT) {
        return (key.code == KeyCode::Char('c')).then_some(Action::Quit);
    }
    if is_typing { typed(key.code) } else { pressed(key.code) }
}

fn typed(code: KeyCode) -> Option<Action> {
    Some(match code {
        KeyCode::Char(character) => Action::Type(character),
        KeyCode::Backspace => Action::Erase,
        KeyCode::Enter => Action::Keep,
        KeyCode::Esc => Action::Clear,
        code => return moved(code),
    })
}

fn pressed(code: KeyCode) -> Option<Action> {
    Some(match code {
        KeyCode::Char('q') => Action::Quit,
        KeyCode::Enter | KeyCode::Char(' ') => Action::Toggle,
        KeyCode::Right | KeyCode::Char('l') => Action::Open,
        KeyCode::Left | KeyCode::Char('h') => Action::Close,
        KeyCode::Char('e') => Action::All,
        KeyCode::Char('s') => Action::NextSort,
        KeyCode::Char('S') => Action::PreviousSort,
        KeyCode::Char('r') => Action::Reverse,
        KeyCode::Char('p') => Action::Pause,
        KeyCode::Char('/') => Action::Filter,
        KeyCode::Esc => Action::Clear,
        KeyCode::Char('k') => Action::Up,
        KeyCode::Char('j') => Action::Down,
        KeyCode::Char('g') => Action::First,
        KeyCode::Char('G') => Action::Last,
        code => return moved(code),
    })
}

const fn moved(code: KeyCode) -> Option<Action> {
    Some(match code {
        KeyCode::Up => Action::Up,
        KeyCode::Down => Action::Down,
        KeyCode::PageUp => Action::PageUp,
        KeyCode::PageDown => Action::PageDown,
        KeyCode::Home => Action::First,
        KeyCode::End => Action::Last,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(code: KeyCode) -> KeyEvent {
        KeyEvent::new(code, KeyModifiers::NONE)
    }

    #[test]
    fn each_documented_key_does_what_the_document_says() {
        const PAGE: &str = include_str!("../../../docs/tool.md");
        let named = [
            ("`q`, Ctrl-C", key(KeyCode::Char('q')), Action::Quit),
            ("`q`, Ctrl-C", KeyEvent::new(KeyCode::Char('c'), KeyModifiers::CONTROL), Action::Quit),
            ("Enter, Space", key(KeyCode::Enter), Action::Toggle),
            ("Enter, Space", key(KeyCode::Char(' ')), Action::Toggle),
            ("→ and ←, `l` and `h`", key(KeyCode::Right), Action::Open),
            ("→ and ←, `l` and `h`", key(KeyCode::Char('h')), Action::Close),
            ("`e`", key(KeyCode::Char('e')), Action::All),
            ("`s`, `S`", key(KeyCode::Char('s')), Action::NextSort),
            ("`s`, `S`", key(KeyCode::Char('S')), Action::PreviousSort),
            ("`r`", key(KeyCode::Char('r')), Action::Reverse),
            ("`/`", key(KeyCode::Char('/')), Action::Filter),
            ("Esc", key(KeyCode::Esc), Action::Clear),
            ("`p`", key(KeyCode::Char('p')), Action::Pause),
            ("↑ ↓, `k` `j`, PgUp PgDn, Home End, `g` `G`", key(KeyCode::Char('G')), Action::Last),
        ];
        for (words, key, expected) in named {
            assert!(PAGE.contains(&format!("| {words} |")), "docs/tool.md has no row for {words}");
            assert_eq!(action(key, false), Some(expected), "{words}");
        }
    }

    #[test]
    fn while_a_filter_is_typed_letters_are_its_own_and_arrows_move() {
        assert_eq!(action(key(KeyCode::Char('q')), true), Some(Action::Type('q')));
        assert_eq!(action(key(KeyCode::Enter), true), Some(Action::Keep));
        assert_eq!(action(key(KeyCode::Esc), true), Some(Action::Clear));
        assert_eq!(action(key(KeyCode::Backspace), true), Some(Action::Erase));
        assert_eq!(action(key(KeyCode::Down), true), Some(Action::Down));
        let alt_gr = KeyModifiers::CONTROL | KeyModifiers::ALT;
        assert_eq!(action(KeyEvent::new(KeyCode::Char('\\'), alt_gr), true), Some(Action::Type('\\')));
        assert_eq!(action(KeyEvent::new(KeyCode::Char('c'), KeyModifiers::CONTROL), true), Some(Action::Quit));
    }

    #[test]
    fn a_key_that_is_let_go_does_nothing() {
        let mut released = key(KeyCode::Char('q'));
        released.kind = KeyEventKind::Release;
        assert_eq!(action(released, false), None);
    }

    #[test]
    fn other_keys_do_nothing() {
        assert_eq!(action(key(KeyCode::Char('x')), false), None);
        assert_eq!(action(key(KeyCode::F(1)), false), None);
        assert_eq!(action(KeyEvent::new(KeyCode::Char('q'), KeyModifiers::CONTROL), false), None);
    }
}
