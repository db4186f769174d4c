//! The section of `RESULTS.md` about keeping records.

use std::fmt::Write as _;

use super::Figures;
use super::table::{by_size, percentiles};
use crate::catalogue::{APPENDS, BATCH, Cell, GROUPS, REPLAYS};
use crate::ours::SHORT_SEGMENT;
use crate::work::{CACHED, LEAD};

pub(super) fn section(text: &mut String, figures: &Figures<'_>, cells: &[Cell<'_>]) {
    *text += "\n## Appending to files\n\n![](plots/append.svg)\n\n\
        Million records per second, no sync. One thread appends, and all is read back afterwards; what a contender starts may run \
        on the other core. \"BufWriter\" has a header of 16 bytes before each payload, as ours has. \"memcpy\" is the floor: \
        memory that is all there, and a mapped file whose pages are. A transaction of redb is not in its file yet when it is \
        committed so.\n\n";
    by_size(text, figures, cells, ("append", "mps"), (APPENDS, "B"));
    let _ = write!(
        text,
        "\n## Reading files\n\n![](plots/replay.svg)\n\n\
         Million records per second, each byte summed and each sequence number checked: first {} MiB of payload, which the \
         processor's caches hold, then much more, which only the page cache does. {} MiB were written before that are not read: a log \
         may lay out its first files before it knows how it is used, as ours does, and in the long run they are few.\n\n",
        CACHED >> 20,
        LEAD >> 20
    );
    by_size(text, figures, cells, ("replay", "mps"), (REPLAYS, "B"));
    *text += "\n";
    by_size(
        text,
        figures,
        cells,
        ("replay-large", "mps"),
        (REPLAYS, "B"),
    );
    let _ = write!(
        text,
        "\n## Synced\n\nMillion records per second: one publisher appends {BATCH} records of 64 bytes and waits till they are \
         safe from a loss of power, and so on; once {} MiB of payload were written so.\n\n",
        LEAD >> 20
    );
    by_size(text, figures, cells, ("sync", "mps"), (&[64], "B"));
    *text += "\nThousand records per second: so many publishers, each of which waits till its record of 64 bytes is safe \
        before it appends the next.\n\n![](plots/group.svg)\n\n";
    by_size(
        text,
        figures,
        cells,
        ("group", "kps"),
        (GROUPS, "publishing"),
    );
    *text += "\n## Publishing at a steady rate\n\n\
        Nanoseconds from when a record of 64 bytes is due, one each two microseconds, until its publisher goes on; so a stall \
        is in the times of all that were due meanwhile. The reading of the clock is in it, and the first tenth of each sample \
        is dropped. Each record is read back before the next is due, or from the files in the end.\n\n";
    percentiles(text, figures, cells, "publish");
    let _ = write!(
        text,
        "\nOf these the records of the journal that open a segment, of {} KiB here so that there are many: for each of them the longest \
         of three times, its own and its neighbours'. Of the ring it is the longest of any three that follow each other. A sample is so long \
         that more than a thousand segments are in it. What the machine does to whoever runs is in both.\n\n",
        SHORT_SEGMENT >> 10
    );
    percentiles(text, figures, cells, "roll");
}
