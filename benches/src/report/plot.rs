//! Bar charts as SVG.

use std::fmt::Write as _;

use super::{Figures, Spread};
use crate::catalogue::Cell;

const LABELS: f64 = 270.0;
const BARS: f64 = 420.0;
const ROW: f64 = 20.0;

/// One chart per kind of work.
pub(crate) fn all(figures: &Figures<'_>, cells: &[Cell<'_>]) -> Vec<(String, String)> {
    let titles = [
        (
            "one-thread",
            "One thread writes and reads 64 bytes: ns per record, less is better",
        ),
        (
            "1-1",
            "One writer, one reader: million records per second, more is better",
        ),
        (
            "ring",
            "Rings of so many KiB, 64 bytes: million records per second, more is better",
        ),
        (
            "2-1",
            "Two writers on one core, one reader: million records per second, more is better",
        ),
        (
            "1-2",
            "One writer, two readers which each get all: million records per second, more is better",
        ),
        (
            "spinning",
            "One way, 64 bytes, spinning: median in ns, less is better",
        ),
        (
            "waiting",
            "One way, 64 bytes, default waiting: median in ns, less is better",
        ),
        (
            "asleep",
            "One way, 64 bytes, sleeping at once: median in ns, less is better",
        ),
        ("empty-poll", "A look at an empty ring: ns, less is better"),
        (
            "delivery",
            "A whole delivery: ns per record, less is better",
        ),
        (
            "append",
            "Appending to files, no sync: million records per second, more is better",
        ),
        (
            "replay",
            "Reading files from start to end: million records per second, more is better",
        ),
        (
            "group",
            "Each record synced, 64 bytes: thousand records per second, more is better",
        ),
        (
            "ipc-spinning",
            "Between processes, one way, 64 bytes, spinning: median in ns, less is better",
        ),
        (
            "ipc-asleep",
            "Between processes, one way, 64 bytes, sleeping at once: median in ns, less is better",
        ),
        (
            "ipc-1-1",
            "From process to process: million records per second, more is better",
        ),
        (
            "ipc-in-place",
            "From process to process, written in place: GB/s, more is better",
        ),
        (
            "ipc-observed",
            "Observers in another process: the publisher's ns per record, less is better",
        ),
        (
            "ipc-gating",
            "Subscribers in another process: the publisher's ns per record, less is better",
        ),
    ];
    titles
        .iter()
        .filter_map(|(work, title)| {
            let cells: Vec<_> = cells.iter().filter(|cell| cell.work == *work).collect();
            let svg = chart(figures, title, &cells)?;
            Some((format!("{work}.svg"), svg))
        })
        .collect()
}

/// A panel per size, the best first; `None` if nothing was measured.
fn chart(figures: &Figures<'_>, title: &str, cells: &[&Cell<'_>]) -> Option<String> {
    let mut sizes: Vec<usize> = cells.iter().map(|cell| cell.size).collect();
    sizes.dedup();
    let mut body = String::new();
    let mut y = 44.0;
    for size in &sizes {
        let mut rows: Vec<(&str, Spread)> = cells
            .iter()
            .filter(|cell| cell.size == *size)
            .filter_map(|cell| Some((cell.who, figures.spread(cell, cell.figure().0)?)))
            .collect();
        if rows.is_empty() {
            continue;
        }
        let more_is_better = cells[0].figure().1;
        rows.sort_by(|a, b| {
            let order = a.1.median.total_cmp(&b.1.median);
            if more_is_better {
                order.reverse()
            } else {
                order
            }
        });
        if sizes.len() > 1 {
            let unit = match cells[0].work {
                "delivery" => "routes",
                "group" => "publishers",
                "ipc-observed" | "ipc-gating" => "attached",
                _ => "bytes",
            };
            let _ = writeln!(
                body,
                r#"<text x="10" y="{}" font-weight="bold">{size} {unit}</text>"#,
                y + 4.0
            );
            y += 14.0;
        }
        let most = rows.iter().map(|row| row.1.max).fold(0.0, f64::max);
        for (who, spread) in rows {
            bar(&mut body, y, who, &spread, most);
            y += ROW;
        }
        y += 14.0;
    }
    if body.is_empty() {
        return None;
    }
    let width = LABELS + BARS + 110.0;
    Some(format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{y}\" \
         viewBox=\"0 0 {width} {y}\" font-family=\"sans-serif\" font-size=\"12\">\n\
         <rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n\
         <text x=\"10\" y=\"22\" font-size=\"14\" font-weight=\"bold\">{title}</text>\n{body}</svg>\n"
    ))
}

fn bar(body: &mut String, y: f64, who: &str, spread: &Spread, most: f64) {
    let to_x = |value: f64| LABELS + BARS * value / most;
    let colour = if who.starts_with("messenger") {
        "#1f6fb4"
    } else {
        "#a9b4bf"
    };
    let middle = y + ROW / 2.0;
    let _ = writeln!(
        body,
        "<text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{who}</text>\
         <rect x=\"{LABELS}\" y=\"{:.1}\" width=\"{:.1}\" height=\"{:.1}\" fill=\"{colour}\"/>\
         <path d=\"M{:.1} {middle:.1}H{:.1}\" stroke=\"#222\"/>\
         <text x=\"{:.1}\" y=\"{:.1}\">{}{}</text>",
        LABELS - 8.0,
        middle + 4.0,
        y + 2.0,
        to_x(spread.median) - LABELS,
        ROW - 4.0,
        to_x(spread.min),
        to_x(spread.max),
        to_x(spread.max) + 6.0,
        middle + 4.0,
        super::table::short(spread.median),
        spread.mark.sign(),
    );
}
