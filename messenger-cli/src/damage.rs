//! What is damaged in a journal, as `verify` and `repair` tell it.

use std::io::Write;

use messenger::journal::{Damage, DamageKind, Verified};
use serde::Serialize;

use crate::fail::Fail;
use crate::out::{BAD, GOOD, Out};
use crate::{times, units};

#[derive(Serialize)]
pub(crate) struct VerifiedJson {
    /// Whether somebody was writing meanwhile.
    live: bool,
    oldest: u64,
    newest: u64,
    synced: u64,
    segments: u64,
    records: u64,
    notes: u64,
    aborted: u64,
    padding_bytes: u64,
    record_bytes: u64,
    first: Option<String>,
    last: Option<String>,
    pending_bytes: u64,
    damage: Vec<DamageJson>,
}

#[derive(Serialize)]
pub(crate) struct DamageJson {
    position: u64,
    /// `schema`, `header`, `cut`, `missing`, `checksum`, `length`, `unfinished`.
    kind: &'static str,
    synced: bool,
    text: String,
}

impl From<&Verified> for VerifiedJson {
    fn from(verified: &Verified) -> Self {
        Self {
            live: verified.live,
            oldest: verified.oldest,
            newest: verified.newest,
            synced: verified.synced,
            segments: verified.segments,
            records: verified.records,
            notes: verified.notes,
            aborted: verified.aborted,
            padding_bytes: verified.padding,
            record_bytes: verified.bytes,
            first: verified.times.map(|(first, _)| times::text(first)),
            last: verified.times.map(|(_, last)| times::text(last)),
            pending_bytes: verified.pending,
            damage: verified.damage.iter().map(DamageJson::from).collect(),
        }
    }
}

impl From<&Damage> for DamageJson {
    fn from(damage: &Damage) -> Self {
        let kind = match damage.what {
            DamageKind::Schema { .. } => "schema",
            DamageKind::Header(_) => "header",
            DamageKind::Cut { .. } => "cut",
            DamageKind::Missing { .. } => "missing",
            DamageKind::Checksum => "checksum",
            DamageKind::Length { .. } => "length",
            DamageKind::Unfinished => "unfinished",
            _ => "other",
        };
        Self {
            position: damage.position,
            kind,
            synced: damage.synced,
            text: damage.to_string(),
        }
    }
}

/// Says it for people.
pub(crate) fn show(out: &mut Out, verified: &Verified) -> Result<(), Fail> {
    let records = units::count(verified.records, "record");
    let segments = units::count(verified.segments, "segment");
    writeln!(
        out,
        "{records}, {} in {segments}, positions {} to {}, synced up to {}",
        units::bytes(verified.bytes),
        verified.oldest,
        verified.newest,
        verified.synced
    )?;
    let notes = units::count(verified.notes, "note");
    let aborted = units::count(verified.aborted, "aborted claim");
    let padding = units::bytes(verified.padding);
    writeln!(
        out,
        "{notes}, {aborted}, {padding} left over at the ends of segments"
    )?;
    if let Some((first, last)) = verified.times {
        writeln!(
            out,
            "times from {} to {}",
            times::text(first),
            times::text(last)
        )?;
    }
    if verified.pending > 0 {
        let whose = if verified.live {
            "who writes it is about to finish them"
        } else {
            "who opens it next finishes or drops them"
        };
        let pending = units::bytes(verified.pending);
        writeln!(
            out,
            "{pending} after the last whole record are not finished: {whose}"
        )?;
    }
    if verified.damage.is_empty() {
        let sound = out.paint(GOOD, "all of it is sound");
        writeln!(out, "{sound}")?;
    }
    for damage in &verified.damage {
        let word = out.paint(BAD, "damaged:");
        writeln!(out, "{word} {damage}")?;
    }
    Ok(())
}
