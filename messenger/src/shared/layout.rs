//! What lies where in the file of a shared bus. See `docs/shared.md`, "The file".
//!
//! Every word is read and written atomically, and whatever is read is checked: others write here.

use core::ptr::NonNull;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::sync::Arc;

use super::error::SharedFault;
use super::options::Sizes;
use super::seat::NONE;
use crate::bus::hold::Seat;
use crate::bus::kept::words_len;
use crate::bus::processes::{
    MIN_CAPACITY, entry_load, entry_store, known_fence, schema_load, schema_store,
};
use crate::bus::turns::{Cell, SeatWords};
use crate::checksum::crc32c;
use crate::journal::{Home, JournalConfig};
use crate::memory::Region;
use crate::sync::{AtomicU64, Ordering::Relaxed, load};

/// The first word of the file: `mgr-bus` and a number that a machine of the other byte order reads otherwise.
const MAGIC: u64 = u64::from_le_bytes(*b"mgr-bus\x01");
/// The format's version.
pub(super) const VERSION: u32 = 8;

const PAGE: usize = 4096;
/// The bytes of an entry of a process or a worker.
const ENTRY: usize = 256;
/// Where the text of an entry begins, after its words.
const TEXT_AT: usize = 48;
/// The words of a text in an entry.
const TEXT: usize = 24;
/// The longest text in an entry, in bytes.
pub(super) const LONGEST: usize = TEXT * 8;
/// Where the words of an entry are that only a pool's has.
const POOL_AT: usize = TEXT_AT + TEXT * 8;

/// The words of the first page. Those before `CHECK` never change, and are covered by it.
mod word {
    pub(super) const MAGIC: usize = 0;
    pub(super) const VERSION: usize = 1;
    pub(super) const LEN: usize = 2;
    pub(super) const CAPACITY: usize = 3;
    pub(super) const MEMBERS: usize = 4;
    pub(super) const PROCESSES: usize = 5;
    pub(super) const WORKERS: usize = 6;
    pub(super) const SCHEMA: usize = 7;
    pub(super) const SALT: usize = 8;
    pub(super) const CREATED: usize = 9;
    pub(super) const REMOVES: usize = 10;
    pub(super) const HOLD: usize = 11;
    pub(super) const CHECK: usize = 12;
    /// Not 0: the file has no name any more, and nobody may come.
    pub(super) const REMOVED: usize = 16;
    /// Which half of the schema's part counts, in the top bit, and how many bytes it has.
    pub(super) const SCHEMA_LEN: usize = 17;
    /// Not 0: some process could not be told something, so all look again now and then.
    pub(super) const DEAF: usize = 18;
    /// In which history of the journal the workers' seats are to be believed.
    pub(super) const HISTORY: usize = 19;
    /// From here on to the page's end, never changed and covered by `CHECK`: the journal that has the records, if one has. Not 0: one has.
    pub(super) const JOURNAL: usize = 64;
    pub(super) const JOURNAL_ID: usize = 65;
    pub(super) const JOURNAL_DIR_LEN: usize = 67;
    pub(super) const JOURNAL_CONFIG: usize = 68;
    pub(super) const JOURNAL_DIR: usize = 80;
}

/// The longest path of a journal's directory, in bytes.
pub(super) const LONGEST_DIR: usize = PAGE - word::JOURNAL_DIR * 8;

/// How many processes can have a place: with more, a look at all of them takes too long.
pub(super) const MOST_PROCESSES: u64 = 1024;
pub(super) const MOST_MEMBERS: u64 = u16::MAX as u64;
pub(super) const MOST_WORKERS: u64 = 4096;
pub(super) const MOST_SCHEMA: u64 = 1 << 24;
pub(super) const MOST_BYTES: u64 = 1 << 46;

/// The place of a process among those that use a bus.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub(super) struct Place(u16);

impl Place {
    pub(super) fn new(index: usize) -> Self {
        debug_assert!((index as u64) < MOST_PROCESSES);
        Self(index as u16)
    }

    pub(super) fn index(self) -> u16 {
        self.0
    }

    /// The number by which slots say whose they are: from 1 on.
    pub(super) fn owner(self) -> u32 {
        u32::from(self.0) + 1
    }

    /// The place with that number, if a place can have it.
    pub(super) fn of(owner: u32) -> Option<Self> {
        let index = owner.checked_sub(1)?;
        (u64::from(index) < MOST_PROCESSES).then_some(Self(index as u16))
    }
}

/// Where the parts begin, as offsets in bytes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Parts {
    pub(super) sizes: Sizes,
    processes: usize,
    workers: usize,
    schema: usize,
    /// Where the words of the bus begin, if its records lie in a ring: `Control`, then the slots.
    pub(super) control: usize,
    pub(super) ring: usize,
    pub(super) len: usize,
}

impl Parts {
    /// Of sizes that a bus can have: then nothing here wraps around.
    pub(super) const fn new(sizes: Sizes) -> Self {
        let processes = PAGE;
        let workers = processes + sizes.processes * ENTRY;
        let schema = (workers + sizes.workers * ENTRY).next_multiple_of(PAGE);
        let control = (schema + 2 * sizes.schema).next_multiple_of(PAGE);
        // Without a ring the words are a journal's, too.
        let ring = match sizes.capacity {
            0 => control,
            _ => (control + words_len(sizes.members)).next_multiple_of(PAGE),
        };
        Self {
            sizes,
            processes,
            workers,
            schema,
            control,
            ring,
            len: ring + sizes.capacity as usize,
        }
    }
}

// Computed when this is compiled, which fails where it wraps around.
const _: () = {
    let most = Parts::new(Sizes {
        capacity: MOST_BYTES,
        members: MOST_MEMBERS as usize,
        processes: MOST_PROCESSES as usize,
        workers: MOST_WORKERS as usize,
        schema: MOST_SCHEMA as usize,
    });
    assert!(most.len as u64 > MOST_BYTES && most.len <= isize::MAX as usize);
};

/// What the first page says.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Header {
    pub(super) sizes: Sizes,
    pub(super) salt: u64,
    pub(super) created: u64,
    /// Whether the file goes when the last process leaves.
    pub(super) removes: bool,
    /// For how many nanoseconds the slot of a dead worker is held for the next one.
    pub(super) hold: u64,
    /// The journal that has the records; then there is no ring.
    pub(super) journal: Option<Home>,
}

/// The words of a file that is mapped.
#[derive(Clone)]
pub(super) struct Words {
    region: Arc<Region>,
    base: NonNull<u8>,
}

// SAFETY: the pointer leads into the region that is held beside it, and all access by it is atomic.
unsafe impl Send for Words {}
// SAFETY: as above.
unsafe impl Sync for Words {}

impl Words {
    /// The words of a region whose base is aligned to a page; it is as long as the first page at least.
    pub(super) fn new(region: Arc<Region>) -> Self {
        assert!(region.len() >= PAGE);
        let base = region.base();
        Self { region, base }
    }

    pub(super) fn region(&self) -> &Arc<Region> {
        &self.region
    }

    fn word(&self, at: usize) -> &AtomicU64 {
        assert!(at % 8 == 0 && at + 8 <= self.region.len());
        // SAFETY: inside the region and aligned, as just checked; all who use the words before the ring's do so atomically, and
        // the region lives as long as `self`.
        unsafe { AtomicU64::from_ptr(self.base.add(at).cast().as_ptr()) }
    }

    fn first(&self, word: usize) -> &AtomicU64 {
        self.word(word * 8)
    }

    /// Writes the first page of a file that nobody else has yet.
    pub(super) fn begin(&self, header: &Header) {
        let Header { sizes, salt, .. } = *header;
        let len = Parts::new(sizes).len as u64;
        for (word, value) in [
            (word::MAGIC, MAGIC),
            (word::VERSION, VERSION.into()),
            (word::LEN, len),
            (word::CAPACITY, sizes.capacity),
            (word::MEMBERS, sizes.members as u64),
            (word::PROCESSES, sizes.processes as u64),
            (word::WORKERS, sizes.workers as u64),
            (word::SCHEMA, sizes.schema as u64),
            (word::SALT, salt),
            (word::CREATED, header.created),
            (word::REMOVES, header.removes.into()),
            (word::HOLD, header.hold),
        ] {
            self.first(word).store(value, Relaxed);
        }
        if let Some(home) = &header.journal {
            self.set_home(home);
        }
        let check = self.first_page().check();
        self.first(word::CHECK).store(check, Relaxed);
    }

    fn set_home(&self, home: &Home) {
        let dir = home.dir.as_os_str().as_bytes();
        assert!(dir.len() <= LONGEST_DIR);
        let set = |word, value| self.first(word).store(value, Relaxed);
        set(word::JOURNAL, 1);
        let id = u128::from_le_bytes(home.id);
        set(word::JOURNAL_ID, id as u64);
        set(word::JOURNAL_ID + 1, (id >> 64) as u64);
        set(word::JOURNAL_DIR_LEN, dir.len() as u64);
        for (index, value) in home.config.to_words().into_iter().enumerate() {
            set(word::JOURNAL_CONFIG + index, value);
        }
        self.set_text(word::JOURNAL_DIR * 8, dir);
    }

    /// Reads the first page of a file of `len` bytes.
    pub(super) fn header(&self, len: u64) -> Result<Header, SharedFault> {
        self.first_page().header(len)
    }

    fn first_page(&self) -> FirstPage {
        let read = |word| self.first(word).load(Relaxed);
        FirstPage(core::array::from_fn(read))
    }

    pub(super) fn is_removed(&self) -> bool {
        self.first(word::REMOVED).load(Relaxed) != 0
    }

    pub(super) fn set_removed(&self) {
        self.first(word::REMOVED).store(1, Relaxed);
        fault!("removal_said");
    }

    /// Whether some process could not be told something.
    pub(super) fn deaf(&self) -> &AtomicU64 {
        self.first(word::DEAF)
    }

    /// Which history of the journal it is in which the workers have got to where their entries say.
    pub(super) fn history(&self) -> &AtomicU64 {
        self.first(word::HISTORY)
    }

    /// The entry of a process.
    pub(super) fn process(&self, parts: &Parts, place: Place) -> Entry<'_> {
        assert!(usize::from(place.index()) < parts.sizes.processes);
        let at = parts.processes + usize::from(place.index()) * ENTRY;
        Entry { words: self, at }
    }

    /// The entry of a worker.
    pub(super) fn worker(&self, parts: &Parts, index: usize) -> Entry<'_> {
        assert!(index < parts.sizes.workers);
        let at = parts.workers + index * ENTRY;
        Entry { words: self, at }
    }

    /// The bytes of the schema. Without the door it may be written over meanwhile.
    pub(super) fn schema(&self, parts: &Parts) -> Result<Vec<u8>, SharedFault> {
        // Edge 38, schema.
        let said = load(self.first(word::SCHEMA_LEN), schema_load());
        let (half, len) = ((said >> 63) as usize, said & !(1 << 63));
        if len > parts.sizes.schema as u64 {
            let what = "schema's length";
            return Err(SharedFault::Damaged { what, found: len });
        }
        Ok(self.text(parts.schema + half * parts.sizes.schema, len as usize))
    }

    /// Replaces the bytes of the schema, which fit; all of them at once, whenever this process dies. The caller holds the door.
    pub(super) fn set_schema(&self, parts: &Parts, bytes: &[u8]) {
        assert!(bytes.len() <= parts.sizes.schema);
        let half = 1 - (self.first(word::SCHEMA_LEN).load(Relaxed) >> 63);
        self.set_text(parts.schema + half as usize * parts.sizes.schema, bytes);
        fault!("schema_written");
        let said = half << 63 | bytes.len() as u64;
        // Edge 38, schema.
        self.first(word::SCHEMA_LEN).store(said, schema_store());
        fault!("schema_switched");
    }

    fn text(&self, at: usize, len: usize) -> Vec<u8> {
        text_of((0..).map(|i| self.word(at + i * 8).load(Relaxed)), len)
    }

    fn set_text(&self, at: usize, bytes: &[u8]) {
        for (index, chunk) in bytes.chunks(8).enumerate() {
            let mut word = [0; 8];
            word[..chunk.len()].copy_from_slice(chunk);
            let word = u64::from_le_bytes(word);
            self.word(at + index * 8).store(word, Relaxed);
            fault!("text_written");
        }
    }
}

/// The first `len` bytes of the text in `words`, of which no more are asked for than hold them.
fn text_of(words: impl Iterator<Item = u64>, len: usize) -> Vec<u8> {
    let words = words.take(len.div_ceil(8));
    let mut bytes: Vec<u8> = words.flat_map(u64::to_le_bytes).collect();
    bytes.truncate(len);
    bytes
}

/// A copy of the first page. What is checked has to be what is used, and whoever may write the file can change it in between: so each word
/// is read once.
struct FirstPage([u64; PAGE / 8]);

impl FirstPage {
    fn check(&self) -> u64 {
        let [checked, home] = [&self.0[..word::CHECK], &self.0[word::JOURNAL..]];
        let words = checked.iter().chain(home).copied();
        let bytes: Vec<u8> = words.flat_map(u64::to_le_bytes).collect();
        crc32c(&bytes).into()
    }

    fn home(&self) -> Result<Option<Home>, SharedFault> {
        let get = |word: usize| self.0[word];
        let damaged = |what, found| Err(SharedFault::Damaged { what, found });
        match get(word::JOURNAL) {
            0 => return Ok(None),
            1 => {}
            storage => return damaged("storage", storage),
        }
        let id = u128::from(get(word::JOURNAL_ID)) | u128::from(get(word::JOURNAL_ID + 1)) << 64;
        let len = get(word::JOURNAL_DIR_LEN);
        if !(1..=LONGEST_DIR as u64).contains(&len) {
            return damaged("length of its journal's path", len);
        }
        let dir = self.0[word::JOURNAL_DIR..].iter().copied();
        let dir = text_of(dir, len as usize);
        let words = core::array::from_fn(|index| get(word::JOURNAL_CONFIG + index));
        let Some(config) = JournalConfig::of_words(words) else {
            return damaged("journal's configuration", words[1]);
        };
        Ok(Some(Home {
            dir: OsStr::from_bytes(&dir).into(),
            config,
            id: id.to_le_bytes(),
        }))
    }

    /// What it says, as the first page of a file of `len` bytes.
    fn header(&self, len: u64) -> Result<Header, SharedFault> {
        let get = |word: usize| self.0[word];
        if get(word::MAGIC) != MAGIC {
            return Err(SharedFault::NotABus);
        }
        if get(word::VERSION) != u64::from(VERSION) {
            let found = u32::try_from(get(word::VERSION)).unwrap_or(u32::MAX);
            let known = VERSION;
            return Err(SharedFault::Version { found, known });
        }
        let damaged = |what, found| Err(SharedFault::Damaged { what, found });
        if get(word::CHECK) != self.check() {
            return damaged("first page's checksum", get(word::CHECK));
        }
        let journal = self.home()?;
        let (least, most) = match journal {
            None => (MIN_CAPACITY, MOST_BYTES),
            Some(_) => (0, 0),
        };
        let bounds = [
            ("capacity", word::CAPACITY, least, most),
            ("number of members", word::MEMBERS, 2, MOST_MEMBERS),
            ("number of processes", word::PROCESSES, 1, MOST_PROCESSES),
            ("number of workers", word::WORKERS, 0, MOST_WORKERS),
            ("room for a schema", word::SCHEMA, 0, MOST_SCHEMA),
        ];
        for (what, word, least, most) in bounds {
            if !(least..=most).contains(&get(word)) {
                return damaged(what, get(word));
            }
        }
        let sizes = Sizes {
            capacity: get(word::CAPACITY),
            members: get(word::MEMBERS) as usize,
            processes: get(word::PROCESSES) as usize,
            workers: get(word::WORKERS) as usize,
            schema: get(word::SCHEMA) as usize,
        };
        if journal.is_none() && !sizes.capacity.is_power_of_two() {
            return damaged("capacity", sizes.capacity);
        }
        if sizes.schema % 8 != 0 {
            return damaged("room for a schema", sizes.schema as u64);
        }
        if get(word::LEN) != len || Parts::new(sizes).len as u64 != len {
            return damaged("length", len);
        }
        Ok(Header {
            sizes,
            salt: get(word::SALT),
            created: get(word::CREATED),
            removes: get(word::REMOVES) != 0,
            hold: get(word::HOLD),
            journal,
        })
    }
}

/// What an entry of a worker stands for: its state.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Kind {
    /// Nothing.
    Free,
    /// A worker that runs in one process.
    Worker,
    /// A worker that several processes share.
    Pool,
    /// A seat in a pool.
    Seat,
}

impl Kind {
    pub(super) fn of(state: u64) -> Self {
        match state {
            0 => Self::Free,
            2 => Self::Pool,
            3 => Self::Seat,
            _ => Self::Worker,
        }
    }

    pub(super) fn state(self) -> u64 {
        match self {
            Self::Free => 0,
            Self::Worker => 1,
            Self::Pool => 2,
            Self::Seat => 3,
        }
    }
}

/// What is said of a process, or of a worker: some words and a text.
#[derive(Clone, Copy)]
pub(super) struct Entry<'a> {
    words: &'a Words,
    at: usize,
}

impl<'a> Entry<'a> {
    /// What the entry is; of a process also how many had it before.
    pub(super) fn state(&self) -> u64 {
        // Edge 35, entry.
        load(self.words.word(self.at), entry_load())
    }

    /// Says what it is, after all else that there is to say.
    pub(super) fn set_state(&self, state: u64) {
        // Edge 35, entry.
        self.words.word(self.at).store(state, entry_store());
    }

    /// Whether it is still the same one's of whom something was read since that was `state`.
    pub(super) fn is_still(&self, state: u64) -> bool {
        // Edge 35, entry.
        known_fence();
        self.words.word(self.at).load(Relaxed) == state
    }

    /// Of a process: its number, as it sees it itself. Of a worker: the process that runs it.
    pub(super) fn whose(&self) -> &'a AtomicU64 {
        self.words.word(self.at + 8)
    }

    /// Of a process: when it came, in nanoseconds since 1970. Of a worker: up to where it has handled everything. Of a seat: likewise, of what
    /// it has taken. Of a pool: where it begins, see [`turns`](crate::bus::turns).
    pub(super) fn at(&self) -> &'a AtomicU64 {
        self.words.word(self.at + 16)
    }

    /// Of a worker: the slot of its subscriber, plus one; 0: none.
    pub(super) fn slot(&self) -> &'a AtomicU64 {
        self.words.word(self.at + 24)
    }

    /// Of a worker that died: until when its slot is held for the next one, by the clock of `hold.rs`.
    pub(super) fn until(&self) -> &'a AtomicU64 {
        self.words.word(self.at + 32)
    }

    /// Of a worker: those of its words by which something is held for it.
    pub(super) fn seat(&self) -> Seat<'a> {
        Seat {
            whose: self.whose(),
            slot: self.slot(),
            until: self.until(),
        }
    }

    /// Of a worker: what it is.
    pub(super) fn kind(&self) -> Kind {
        Kind::of(self.state())
    }

    /// Of a pool: the number of the last turn and whose it is, see [`turns`](crate::bus::turns).
    pub(super) fn last(&self) -> &'a AtomicU64 {
        self.words.word(self.at + POOL_AT)
    }

    /// Of a pool: changes when somebody has left it who may owe something, and when a member is about to leave a seat for another.
    pub(super) fn left(&self) -> &'a AtomicU64 {
        self.words.word(self.at + POOL_AT + 8)
    }

    /// Of a seat: the number of its pool's entry. (A seat has no name; its words stand there.)
    pub(super) fn pool(&self) -> &'a AtomicU64 {
        self.words.word(self.at + TEXT_AT)
    }

    /// Of a seat: its turns.
    pub(super) fn turns(&self) -> SeatWords<'a> {
        let word = |number: usize| self.words.word(self.at + TEXT_AT + number * 8);
        let cell = |first: usize| Cell {
            turn: word(first),
            from: word(first + 1),
            to: word(first + 2),
        };
        SeatWords {
            won: word(1),
            cells: [cell(2), cell(5)],
        }
    }

    /// Makes it the entry of a seat in `pool` that has had no turn.
    pub(super) fn set_seat(&self, pool: usize) {
        let SeatWords { won, cells } = self.turns();
        let cells = cells
            .iter()
            .flat_map(|cell| [cell.turn, cell.from, cell.to]);
        let words = [self.whose(), self.at(), self.slot(), won];
        for word in words.into_iter().chain(cells) {
            word.store(0, Relaxed);
            fault!("seat_cleared");
        }
        self.pool().store(pool as u64, Relaxed);
        fault!("seat_assigned");
    }

    /// Makes it the entry of a worker, or of a pool, of this name that has not run yet.
    pub(super) fn set_worker(&self, name: &str) {
        self.set_name(name);
        for (word, value) in [(self.at(), NONE), (self.whose(), 0), (self.slot(), 0)] {
            word.store(value, Relaxed);
            fault!("worker_cleared");
        }
    }

    fn text_len(&self) -> &'a AtomicU64 {
        self.words.word(self.at + 40)
    }

    /// The name.
    pub(super) fn name(&self) -> String {
        let len = self.text_len().load(Relaxed).min(LONGEST as u64);
        let bytes = self.words.text(self.at + TEXT_AT, len as usize);
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// Sets the name, or as much of it as fits.
    pub(super) fn set_name(&self, name: &str) {
        let mut len = name.len().min(LONGEST);
        while !name.is_char_boundary(len) {
            len -= 1;
        }
        self.words
            .set_text(self.at + TEXT_AT, &name.as_bytes()[..len]);
        self.text_len().store(len as u64, Relaxed);
        fault!("name_said");
    }
}

const _: () = assert!(
    POOL_AT + 16 <= ENTRY
        && word::HISTORY < word::JOURNAL
        && word::JOURNAL_CONFIG + JournalConfig::WORDS <= word::JOURNAL_DIR
);
