//! The words where processes share the journal: each maps those of the first one, and who only looks at them learns of those that come after.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::sync::atomic::Ordering;

use super::{
    ALL, BEFORE_AT, CUT_AT, Control, HISTORY_AT, MEMBERS_AT, OPEN, STATE_AT, SUPERSEDED_AT, len,
    word_of, words_in,
};
use crate::journal::dir::Dir;
use crate::journal::files::CONTROL;
use crate::journal::store::Identity;
use crate::memory::Region;

impl Control {
    /// The words that the processes which write this journal now use, for `members` members; or, for one who only looks, have used last.
    /// `None`: there are no such.
    pub(in crate::journal) fn join(
        dir: &Dir,
        identity: &Identity,
        members: usize,
        writable: bool,
    ) -> io::Result<Option<Self>> {
        let file = dir.open(CONTROL, writable)?;
        if file.metadata()?.len() != len(members) as u64 {
            return Ok(None);
        }
        let mut control = Self::over(Region::of_file(&file, len(members), writable)?, members);
        control.read_only = !writable;
        control.region.keep_from_children();
        let is_open = control.word(STATE_AT).load(Ordering::Relaxed) == OPEN;
        let is_right = control.members_of(identity) == Some(members);
        Ok((is_right && (is_open || !writable)).then_some(control))
    }

    /// Whether other words have come in their place, or are about to: who still looks at these looks there, again and again.
    pub(in crate::journal) fn is_superseded(&self) -> bool {
        self.word(SUPERSEDED_AT).load(Ordering::Relaxed) != 0
    }

    /// The same of the words in `file`.
    pub(in crate::journal) fn is_superseded_in(file: &File) -> io::Result<bool> {
        let mut word = [0; 8];
        file.read_exact_at(&mut word, SUPERSEDED_AT)?;
        Ok(word != [0; 8])
    }

    /// Up to where the records stay that there are by these words.
    pub(in crate::journal) fn stays(&self) -> u64 {
        stays_by(self.word(SUPERSEDED_AT).load(Ordering::Relaxed))
    }

    /// Up to where the records are the same as by the words in `before`, if that is known.
    pub(in crate::journal) fn same_as(&self, before: &Self) -> Option<u64> {
        let word = |at| self.word(at).load(Ordering::Relaxed);
        before.same_by(word)
    }

    /// The same by the words that stand in `dir` now, whoever has them, and by what they say of themselves; and whether they are for as many members, or
    /// the journal is had by one who writes it alone. `None`: there are none.
    pub(in crate::journal) fn stays_in(&self, dir: &Dir) -> io::Result<Option<(u64, bool)>> {
        let Some((_, page)) = words_in(dir, false)? else {
            return Ok(None);
        };
        let word = |at| word_of(&page, at);
        let same = self.same_by(word).unwrap_or(0);
        let stays = same.min(stays_by(word(SUPERSEDED_AT)));
        Ok(Some((stays, word(MEMBERS_AT) == self.members as u64)))
    }

    /// Up to where the records of these words are those of others, which have `word`; if that is known.
    fn same_by(&self, word: impl Fn(u64) -> u64) -> Option<u64> {
        match self.word(HISTORY_AT).load(Ordering::Relaxed) {
            same if same == word(HISTORY_AT) => Some(ALL),
            cut if cut == word(BEFORE_AT) => Some(word(CUT_AT) & !15),
            _ => None,
        }
    }

    /// The number that these words have from those before them, unless records were given up in between that somebody may have read.
    pub(in crate::journal) fn history(&self) -> u64 {
        self.word(HISTORY_AT).load(Ordering::Relaxed)
    }
}

/// What the word says up to where the records stay.
fn stays_by(superseded: u64) -> u64 {
    match superseded {
        0 | ALL => ALL,
        stays => stays & !15,
    }
}
