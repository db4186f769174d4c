//! What may happen to files.

use std::fs;
use std::path::{Path, PathBuf};

use crate::kit::Rng;

pub(crate) fn change(path: &Path, how: impl FnOnce(&mut Vec<u8>)) {
    let mut bytes = fs::read(path).unwrap();
    how(&mut bytes);
    fs::write(path, bytes).unwrap();
}

/// Files of a directory, and of the one in it.
fn files(dir: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path));
        } else {
            found.push(path);
        }
    }
    found.sort();
    found
}

pub(crate) fn segments(dir: &Path) -> Vec<PathBuf> {
    let mut found = files(dir);
    found.retain(|path| path.extension().is_some_and(|end| end == "segment"));
    found
}

/// Damages something; says what.
pub(crate) fn damage(dir: &Path, rng: &mut Rng) -> String {
    let of_segments = segments(dir);
    let all = files(dir);
    let from = if rng.one_in(4) || of_segments.is_empty() {
        &all
    } else {
        &of_segments
    };
    let path = from[rng.below(from.len() as u64) as usize].clone();
    let name = path.file_name().unwrap().to_string_lossy().into_owned();
    let len = fs::metadata(&path).unwrap().len();
    let kind = rng.below(12);
    let at = if len == 0 { 0 } else { rng.below(len) as usize };
    // Often at a record or a word, and in what is used.
    let at = if rng.one_in(2) { at & !15 } else { at };
    let room = len as usize - at;
    let some = match rng.below(4) {
        0 => 1 + rng.below(16) as usize,
        1 => 512,
        2 => 4096,
        _ => 1 + rng.below(len.max(1)) as usize,
    }
    .min(room);
    let say = |what: &str| format!("{name}: {what} at {at}, {some} of {len}");
    match kind {
        0..=3 if len > 0 => {
            let bits = 1 + rng.below(3);
            change(&path, |bytes| {
                for n in 0..bits {
                    let bit = if n == 0 { at } else { rng.below(len) as usize };
                    bytes[bit] ^= 1 << rng.below(8);
                }
            });
            say("bits flipped")
        }
        4 | 5 => {
            change(&path, |bytes| bytes[at..at + some].fill(0));
            say("zeroed")
        }
        6 => {
            change(&path, |bytes| {
                bytes[at..at + some].fill_with(|| rng.next() as u8)
            });
            say("overwritten")
        }
        7 => {
            let source = rng.below((len as usize - some) as u64 + 1) as usize & !15;
            change(&path, |bytes| {
                let copy = bytes[source..source + some].to_vec();
                bytes[at..at + some].copy_from_slice(&copy);
            });
            format!("{} from {source}", say("copied"))
        }
        8 => {
            change(&path, |bytes| bytes.truncate(at));
            say("truncated")
        }
        9 => {
            change(&path, |bytes| bytes.extend((0..some + 1).map(|n| n as u8)));
            say("extended")
        }
        10 => {
            fs::remove_file(&path).unwrap();
            say("deleted")
        }
        _ => {
            let other = &from[rng.below(from.len() as u64) as usize];
            let name = other.file_name().unwrap().to_string_lossy();
            let aside = path.with_extension("aside");
            match rng.below(3) {
                0 => {
                    fs::rename(&path, &aside).unwrap();
                    // The same one, at times.
                    let _ = fs::rename(other, &path);
                    fs::rename(&aside, other).unwrap();
                    format!("{} with {name}", say("swapped"))
                }
                1 => {
                    fs::copy(&path, &aside).unwrap();
                    fs::rename(&aside, other).unwrap();
                    format!("{} over {name}", say("copied"))
                }
                _ => {
                    fs::rename(
                        &path,
                        path.with_file_name(format!("{:020}.segment", 64 * 4096)),
                    )
                    .unwrap();
                    say("renamed")
                }
            }
        }
    }
}
