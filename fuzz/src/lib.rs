//! A journal's files as one input of the fuzzer, and back.
//!
//! An input is a row of parts. Each begins with a byte that says which file it is (the low four bits) and whether checksums are
//! made to fit (bit 7), so that what lies behind them is reached too; then two lengths, u16 each, and so many bytes. A
//! segment has its header page and its records in the two, cut where only zeros follow; other files use the first only.

use std::fs;
use std::path::Path;

/// Files by number; from [`SEGMENTS`] on segments.
const FILES: [&str; 4] = ["schema", "control", "cursors/reader", "lock"];
const SEGMENTS: u8 = 4;
const FITTED: u8 = 0x80;
const PAGE: usize = 4096;
const SEGMENT: usize = 4096;
/// The salt of journals whose schema says none.
const SALT: u64 = 0xfedc_ba98_7654_3210;

/// The files of the journal in `dir` as an input; `fitted`: with checksums that are made anew, whatever becomes of them.
pub fn encode(dir: &Path, fitted: bool) -> Vec<u8> {
    let mut input = Vec::new();
    let flag = if fitted { FITTED } else { 0 };
    let mut part = |kind: u8, one: &[u8], other: &[u8]| {
        input.push(kind | flag);
        for len in [one.len(), other.len()] {
            input.extend((len as u16).to_le_bytes());
        }
        input.extend(one);
        input.extend(other);
    };
    for (kind, name) in (0..).zip(FILES) {
        if let Ok(bytes) = fs::read(dir.join(name)) {
            part(kind, cut(&bytes), &[]);
        }
    }
    for n in 0..12_u8 {
        let name = format!("{:020}.segment", usize::from(n) * SEGMENT);
        if let Ok(bytes) = fs::read(dir.join(name)) {
            part(SEGMENTS + n, cut(&bytes[..PAGE]), cut(&bytes[PAGE..]));
        }
    }
    input
}

fn cut(bytes: &[u8]) -> &[u8] {
    let end = bytes
        .iter()
        .rposition(|&byte| byte != 0)
        .map_or(0, |at| at + 1);
    &bytes[..end]
}

/// Makes the files of an input in `dir`, which is there and empty. Gives the length of a segment that the schema says.
pub fn decode(mut input: &[u8], dir: &Path) -> u64 {
    let mut salt = SALT;
    let mut segment = SEGMENT as u64;
    while let Some((&[kind, a, b, c, d], rest)) = input.split_first_chunk() {
        let lens = [u16::from_le_bytes([a, b]), u16::from_le_bytes([c, d])];
        let [one, other] = lens.map(usize::from);
        let one = one.min(rest.len());
        let other = other.min(rest.len() - one);
        let (fitted, number) = (kind & FITTED != 0, kind & 0x0F);
        let mut first = rest[..one].to_vec();
        let mut second = rest[one..one + other].to_vec();
        input = &rest[one + other..];
        if let Some(name) = FILES.get(usize::from(number)) {
            match *name {
                "schema" => {
                    if fitted {
                        fit_schema(&mut first);
                    }
                    let text = String::from_utf8_lossy(&first).into_owned();
                    let field = |word: &str| text.lines().find_map(|l| l.strip_prefix(word));
                    let said = field("salt\t").and_then(|text| u64::from_str_radix(text, 16).ok());
                    salt = said.unwrap_or(SALT);
                    let said = field("segment\t").and_then(|text| text.parse().ok());
                    segment = said.unwrap_or(SEGMENT as u64);
                }
                "control" => first.resize(first.len().next_multiple_of(128).max(7296), 0),
                "cursors/reader" => {
                    let _ = fs::create_dir(dir.join("cursors"));
                    first.resize(2 * PAGE, 0);
                    if fitted {
                        fit(&mut first[..64], 60);
                        fit(&mut first[PAGE..PAGE + 64], 60);
                    }
                }
                _ => {}
            }
            let _ = fs::write(dir.join(name), first);
        } else {
            let base = usize::from(number - SEGMENTS) * SEGMENT;
            first.resize(PAGE, 0);
            // One that is cut says so by an odd last byte.
            let whole = second.last() != Some(&0xFF);
            second.resize(if whole { SEGMENT } else { second.len() }, 0);
            if fitted {
                fit(&mut first[..68], 64);
                fit_records(&mut second, base as u64, salt);
            }
            first.append(&mut second);
            let _ = fs::write(dir.join(format!("{base:020}.segment")), first);
        }
    }
    segment
}

fn fit(bytes: &mut [u8], at: usize) {
    let crc = crc32c::crc32c(&bytes[..at]).to_le_bytes();
    bytes[at..at + 4].copy_from_slice(&crc);
}

fn fit_schema(bytes: &mut Vec<u8>) {
    if let Some(at) = bytes.windows(5).rposition(|window| window == b"\ncrc\t") {
        bytes.truncate(at + 1);
    }
    let last = format!("crc\t{:08x}\n", crc32c::crc32c(bytes));
    bytes.extend(last.bytes());
}

/// Stamps what stands where a record can, as what the low byte of its stamp says after the salt.
fn fit_records(bytes: &mut [u8], base: u64, salt: u64) {
    let mut at = 0;
    while at + 16 <= bytes.len() {
        let position = base + at as u64;
        let stamp = u64::from_le_bytes(bytes[at..at + 8].try_into().unwrap());
        if stamp == 0 {
            return;
        }
        let state = (stamp ^ salt ^ position) & 0x0F;
        let len = u32::from_le_bytes(bytes[at + 8..at + 12].try_into().unwrap()) as usize;
        let next = at
            .saturating_add(16)
            .saturating_add(len.min(1 << 20))
            .next_multiple_of(16);
        let end = (at + 16 + len.min(1 << 20)).min(bytes.len());
        let sum = match state {
            2 => crc32c::crc32c(&bytes[at + 8..at + 16]),
            3 => 0,
            4 => !crc32c::crc32c(&bytes[at + 8..end]),
            _ => crc32c::crc32c(&bytes[at + 8..end]),
        };
        let stamp = (position | state) ^ salt ^ u64::from(sum) << 32;
        bytes[at..at + 8].copy_from_slice(&stamp.to_le_bytes());
        if state == 3 {
            return;
        }
        at = next;
    }
}
