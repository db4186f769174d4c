//! `top`: the buses in a directory, live.

mod rates;
mod screen;

use std::io::{self, IsTerminal};
use std::time::{Duration, Instant};

use ratatui::crossterm::event::{self, Event, KeyCode, KeyEventKind, KeyModifiers};

use self::rates::Rates;
use self::screen::Screen;
use super::stop::Stop;
use super::view::look_around;
use crate::command::top::Top;
use crate::fail::{Exit, Fail};
use crate::out::Out;

/// For how long it waits for a key before it looks whether it is told to end.
const NAP: Duration = Duration::from_millis(100);

pub(crate) fn top(top: &Top, out: &mut Out) -> Result<Exit, Fail> {
    if !(io::stdout().is_terminal() && io::stdin().is_terminal()) {
        return Err(Fail::error(
            "top needs a terminal: `messenger ls` says the same once, and with --json for scripts",
        ));
    }
    // Before the terminal is changed, so that an error is read.
    look_around(&top.dir)?;
    let stop = Stop::watch_to_the_end()?;
    let failed = |error| Fail::error(format!("could not use the terminal: {error}"));
    let mut terminal = ratatui::try_init().map_err(failed)?;
    let done = run(top, &stop, &mut terminal, out.is_styled());
    // It says on stderr what it can't do.
    ratatui::restore();
    done
}

fn run(
    top: &Top,
    stop: &Stop,
    terminal: &mut ratatui::DefaultTerminal,
    styled: bool,
) -> Result<Exit, Fail> {
    let failed = |error| Fail::error(format!("could not use the terminal: {error}"));
    let mut rates = Rates::default();
    let mut screen = Screen::new(&top.dir, top.every, styled);
    loop {
        let looked = Instant::now();
        let buses = look_around(&top.dir)?;
        rates.look(looked, &buses);
        screen.show(buses);
        let next = looked + top.every;
        loop {
            let draw = terminal.draw(|frame| screen.draw(frame, &rates));
            draw.map_err(failed)?;
            // Until a key is pressed that changes what is seen.
            loop {
                let left = next.saturating_duration_since(Instant::now());
                if stop.asked() {
                    return Ok(Exit::Done);
                }
                if left.is_zero() {
                    break;
                }
                if !event::poll(left.min(NAP)).map_err(failed)? {
                    continue;
                }
                match event::read().map_err(failed)? {
                    Event::Key(key) if key.kind != KeyEventKind::Release => {
                        let control = key.modifiers.contains(KeyModifiers::CONTROL);
                        match key.code {
                            KeyCode::Char('q') | KeyCode::Esc => return Ok(Exit::Done),
                            KeyCode::Char('c') if control => return Ok(Exit::Done),
                            KeyCode::Up | KeyCode::Char('k') => screen.choose(-1),
                            KeyCode::Down | KeyCode::Char('j') => screen.choose(1),
                            _ => continue,
                        }
                        break;
                    }
                    Event::Resize(..) => break,
                    _ => {}
                }
            }
            if Instant::now() >= next {
                break;
            }
        }
    }
}
