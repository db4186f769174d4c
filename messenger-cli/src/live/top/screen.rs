//! What `top` shows.

use std::path::Path;
use std::time::Duration;

use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::{Color, Modifier, Style};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Cell, Paragraph, Row, Table, TableState};

use super::super::ls::bytes_or_dash;
use super::super::view::{BusView, LookView, State};
use super::rates::Rates;
use crate::show::plain;
use crate::units;

/// The columns of the buses, and how wide they are: that of the names at least.
const COLUMNS: [(&str, u16); 8] = [
    ("bus", 14),
    ("proc", 4),
    ("records/s", 9),
    ("bytes/s", 8),
    ("retained", 8),
    ("capacity", 8),
    ("lag", 8),
    ("state", 12),
];

/// The screen, and what was chosen on it.
pub(super) struct Screen {
    title: String,
    buses: Vec<BusView>,
    /// The name of the bus that is shown below.
    chosen: Option<String>,
    styled: bool,
}

impl Screen {
    pub(super) fn new(directory: &Path, every: Duration, styled: bool) -> Self {
        let directory = plain(&directory.display().to_string());
        Self {
            title: format!("{directory}, every {} s", every.as_secs_f64()),
            buses: Vec::new(),
            chosen: None,
            styled,
        }
    }

    /// Shows these from now on.
    pub(super) fn show(&mut self, buses: Vec<BusView>) {
        self.buses = buses;
        if self.index().is_none() {
            self.chosen = self.buses.first().map(|bus| bus.name.clone());
        }
    }

    /// Chooses the next bus, or the one before.
    pub(super) fn choose(&mut self, step: isize) {
        let Some(index) = self.index() else { return };
        let index = index
            .saturating_add_signed(step)
            .min(self.buses.len().saturating_sub(1));
        self.chosen = Some(self.buses[index].name.clone());
    }

    fn index(&self) -> Option<usize> {
        let chosen = self.chosen.as_ref()?;
        self.buses.iter().position(|bus| bus.name == *chosen)
    }

    fn style(&self, style: Style) -> Style {
        if self.styled { style } else { Style::new() }
    }

    fn head(&self) -> Style {
        self.style(Style::new().add_modifier(Modifier::BOLD))
    }

    pub(super) fn draw(&self, frame: &mut Frame<'_>, rates: &Rates) {
        let rows = u16::try_from(self.buses.len()).unwrap_or(u16::MAX);
        // Of the screen the buses have half at the most, the chosen one the rest.
        let most = (frame.area().height / 2).saturating_sub(2).max(1);
        let [title, buses, _, chosen, keys] = Layout::vertical([
            Constraint::Length(1),
            Constraint::Length(1 + rows.clamp(1, most)),
            Constraint::Length(1),
            Constraint::Min(0),
            Constraint::Length(1),
        ])
        .areas(frame.area());
        let number = units::count(self.buses.len() as u64, "shared bus");
        let number = number.replace("buss", "buses");
        let line = Line::from(vec![
            Span::styled(number, self.head()),
            Span::raw(format!(" in {}", self.title)),
        ]);
        frame.render_widget(line, title);
        self.buses(frame, buses, rates);
        if let Some(index) = self.index() {
            self.chosen(frame, chosen, &self.buses[index], rates);
        }
        let faint = self.style(Style::new().add_modifier(Modifier::DIM));
        let text = Line::styled("q or Esc ends, up and down choose a bus", faint);
        frame.render_widget(text, keys);
    }

    fn buses(&self, frame: &mut Frame<'_>, area: Rect, rates: &Rates) {
        let shown = fitting(area.width);
        let rows = self.buses.iter().map(|bus| {
            let mut cells = vec![Cell::from(plain(&bus.name))];
            match &bus.bus {
                Some(look) => cells.extend([
                    right(look.processes.len().to_string()),
                    right(rate(rates.records(bus), |r| format!("~{}", short(r)))),
                    right(rate(rates.bytes(bus), |r| units::bytes(r as u64))),
                    right(units::bytes(look.used)),
                    right(bytes_or_dash(look.capacity)),
                    right(bytes_or_dash(look.lag)),
                ]),
                None => cells.extend((0..6).map(|_| right("-".to_owned()))),
            }
            let colour = match bus.state {
                State::Live => Color::Green,
                State::Kept => Color::Reset,
                _ => Color::Red,
            };
            let state = match (&bus.bus, bus.state) {
                (Some(look), State::Live) if !look.died.is_empty() => {
                    format!("live, {} died", look.died.len())
                }
                _ => bus.state.word().to_owned(),
            };
            let state = Cell::from(state).style(self.style(Style::new().fg(colour)));
            cells.push(state);
            Row::new(only(&shown, cells))
        });
        let heads = COLUMNS.iter().enumerate().map(|(index, (head, _))| {
            let is_text = index == 0 || index == COLUMNS.len() - 1;
            if is_text {
                Cell::from(*head)
            } else {
                right((*head).to_owned())
            }
        });
        let mut state = TableState::default().with_selected(self.index());
        let chosen = Style::new().add_modifier(Modifier::REVERSED);
        let widths = COLUMNS
            .iter()
            .enumerate()
            .map(|(index, &(_, width))| match index {
                0 => Constraint::Fill(1),
                _ => Constraint::Length(width),
            });
        let table = Table::new(rows, only(&shown, widths))
            .header(Row::new(only(&shown, heads)).style(self.head()))
            .column_spacing(1)
            .row_highlight_style(self.style(chosen))
            .highlight_symbol("> ");
        frame.render_stateful_widget(table, area, &mut state);
    }

    fn chosen(&self, frame: &mut Frame<'_>, area: Rect, bus: &BusView, rates: &Rates) {
        let mut lines = vec![Line::from(vec![
            Span::styled(plain(&bus.name), self.head()),
            Span::raw(format!("  {}", plain(&bus.state_text()))),
        ])];
        if let Some(look) = &bus.bus {
            lines.push(Line::raw(format!(
                "positions {} to {}, {} aborted, {} lapped, {} evicted, {} of {} slots",
                look.head,
                look.tail,
                look.aborted,
                look.lagged,
                look.evicted,
                look.members.len(),
                look.slots
            )));
            self.workers(&mut lines, bus, look, rates);
            self.processes(&mut lines, look);
        }
        let height = usize::from(area.height);
        if lines.len() > height && height > 0 {
            let hidden = lines.len() - (height - 1);
            lines.truncate(height - 1);
            lines.push(Line::raw(format!(
                "... {hidden} more lines: messenger ls -v"
            )));
        }
        frame.render_widget(Paragraph::new(lines), area);
    }

    fn workers(
        &self,
        lines: &mut Vec<Line<'static>>,
        bus: &BusView,
        look: &LookView,
        rates: &Rates,
    ) {
        if look.workers.is_empty() {
            return;
        }
        let head = format!("{:<30} {:>10} {:>10}  in", "worker", "behind", "bytes/s");
        lines.push(Line::styled(head, self.head()));
        for worker in &look.workers {
            let name = plain(&worker.name);
            let lag = bytes_or_dash(worker.lag);
            let rate = rate(rates.worker(bus, &worker.name), |r| units::bytes(r as u64));
            let mut all = look.processes.iter();
            let runs = all.find(|process| Some(process.place) == worker.process);
            let runs = match (runs, &worker.pool) {
                (Some(process), _) => format!("{} {}", process.number(), plain(&process.name)),
                (None, Some(seats)) if worker.runs() => {
                    let count = seats.iter().filter(|seat| seat.process.is_some()).count();
                    format!("a pool of {count}")
                }
                (None, _) => "none".to_owned(),
            };
            lines.push(Line::raw(format!(
                "{name:<30} {lag:>10} {rate:>10}  {runs}"
            )));
        }
    }

    fn processes(&self, lines: &mut Vec<Line<'static>>, look: &LookView) {
        let head = format!(
            "{:<30} {:>10} {:>10}  since",
            "process", "behind", "members"
        );
        lines.push(Line::styled(head, self.head()));
        for process in &look.processes {
            let name = format!("{} {}", process.number(), plain(&process.name));
            let lag = bytes_or_dash(process.lag);
            let (members, since) = (process.members, &process.since);
            lines.push(Line::raw(format!(
                "{name:<30} {lag:>10} {members:>10}  {since}"
            )));
        }
        for process in &look.died {
            let name = format!("{} {}", process.number(), plain(&process.name));
            let dead = self.style(Style::new().fg(Color::Red));
            lines.push(Line::styled(format!("{name:<30} {:>10}", "died"), dead));
        }
    }
}

/// Which columns find room, that of the names at least: a number that is cut would be another one.
fn fitting(width: u16) -> [bool; COLUMNS.len()] {
    let mut shown = [true; COLUMNS.len()];
    // Which goes first.
    for column in [5, 4, 1, 3, 2, 6, 7] {
        let widths = only(&shown, COLUMNS).map(|(_, width)| width + 1);
        if widths.sum::<u16>() < width {
            break;
        }
        shown[column] = false;
    }
    shown
}

/// Those that are shown.
fn only<T>(shown: &[bool], all: impl IntoIterator<Item = T>) -> impl Iterator<Item = T> {
    let all = all.into_iter().zip(shown);
    all.filter_map(|(one, shown)| shown.then_some(one))
}

fn right(text: String) -> Cell<'static> {
    Cell::from(Line::from(text).right_aligned())
}

fn rate(rate: Option<f64>, text: impl Fn(f64) -> String) -> String {
    rate.map_or_else(|| "-".to_owned(), text)
}

/// A number in few characters: `950`, `12.3k`, `4.56M`.
fn short(number: f64) -> String {
    for (unit, word) in [(1e9, "G"), (1e6, "M"), (1e3, "k")] {
        let value = number / unit;
        if value >= 0.9995 {
            let digits = if value >= 99.95 {
                0
            } else if value >= 9.995 {
                1
            } else {
                2
            };
            return format!("{value:.digits$}{word}");
        }
    }
    format!("{number:.0}")
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
