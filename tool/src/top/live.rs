//! The table in the terminal, until the user has seen enough.

use std::{
    io,
    time::{Duration, Instant},
};

use ratatui::{
    DefaultTerminal,
    crossterm::event::{self, Event},
};

use super::{
    feed::{Clock, Feed},
    keys::{Action, action},
    screen::Screen,
    services::Services,
    snapshot::Snapshot,
    view::{Colors, Status, draw},
};

/// So often what there is is looked at anew.
const PERIOD: Duration = Duration::from_secs(1);
/// The first time sooner: a file is read as fast as that, if it is not a large one.
const FIRST: Duration = Duration::from_millis(100);

/// Shows what `feed` hears of the source of this name, and which services are in its processes, until a key asks for the end.
///
/// # Errors
/// The terminal cannot be used.
pub fn run(feed: &Feed, source: &str, services: Services, mut screen: Screen, colors: Colors) -> io::Result<()> {
    let mut terminal = ratatui::try_init()?;
    let shown = show(&mut terminal, feed, source, services, &mut screen, colors);
    ratatui::restore();
    shown
}

fn show(
    terminal: &mut DefaultTerminal,
    feed: &Feed,
    source: &str,
    mut services: Services,
    screen: &mut Screen,
    colors: Colors,
) -> io::Result<()> {
    let start = Instant::now();
    let (mut clock, mut next) = (Clock::new(start), start + FIRST);
    let (mut snapshot, mut status) = look(feed, source, &mut services, &mut clock);
    loop {
        terminal.draw(|frame| draw(frame, screen, &snapshot, &status, colors))?;
        if event::poll(next.saturating_duration_since(Instant::now()))? {
            // Keys that are held down come faster than the screen is drawn.
            loop {
                if let Event::Key(key) = event::read()?
                    && let Some(action) = action(key, screen.is_typing)
                {
                    if action == Action::Quit {
                        return Ok(());
                    }
                    screen.act(action, &snapshot);
                }
                if !event::poll(Duration::ZERO)? {
                    break;
                }
            }
        }
        let now = Instant::now();
        if now >= next {
            next = now + PERIOD;
            if !screen.is_paused {
                (snapshot, status) = look(feed, source, &mut services, &mut clock);
            }
        }
    }
}

fn look(feed: &Feed, source: &str, services: &mut Services, clock: &mut Clock) -> (Snapshot, Status) {
    let mut heard = feed.heard();
    let now = clock.now(heard.model.newest(), heard.has_ended, Instant::now());
    let mut snapshot = heard.model.snapshot(now);
    let (passed_over, note) = (heard.gaps.passed_over(), heard.notes.last().cloned());
    let status = Status { source: source.to_owned(), passed_over, note, has_ended: heard.has_ended };
    // Events are heard again while the machine is asked.
    drop(heard);
    services.name(&mut snapshot);
    (snapshot, status)
}
