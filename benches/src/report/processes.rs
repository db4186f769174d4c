//! The section of `RESULTS.md` about processes.

use super::Figures;
use super::table::{by_size, percentiles, times};
use crate::catalogue::{Cell, LARGE_SIZES, SMALL_SIZES};
use crate::work::{OBSERVERS, SUBSCRIBERS};

pub(super) fn section(text: &mut String, figures: &Figures<'_>, cells: &[Cell<'_>]) {
    *text += "\n## Between processes\n\n\
        As above, but the two ends are in two processes, each pinned to a core of its own. \"iceoryx2\" publishes samples that \
        were loaned without being cleared, and loses none; the next one is loaned while the other side reads. What is called \
        batches writes up to 64 KiB in a call, ours 32 records in a claim; the others are there for the reader one by one. A pipe \
        holds 1 MiB. Aeron claims and fills in place, and polls up to 64 records at a time.\n";
    for (work, title) in [
        ("ipc-spinning", "One-way latency, 64 bytes, spinning"),
        (
            "ipc-asleep",
            "One-way latency, 64 bytes, sleeping at once: for an event, in a call, on a futex",
        ),
    ] {
        *text += &format!(
            "\n### {title}\n\n![](plots/{work}.svg)\n\nNanoseconds, half of a round trip.\n\n"
        );
        percentiles(text, figures, cells, work);
    }
    *text +=
        "\n### One writer, one reader\n\n![](plots/ipc-1-1.svg)\n\nMillion records per second.\n\n";
    by_size(text, figures, cells, ("ipc-1-1", "mps"), (SMALL_SIZES, "B"));
    *text += "\nGB/s of payload, written in place and summed where it lies; a pipe or socket copies it into the kernel and out \
        again.\n\n![](plots/ipc-in-place.svg)\n\n";
    by_size(
        text,
        figures,
        cells,
        ("ipc-in-place", "gbs"),
        (LARGE_SIZES, "B"),
    );
    *text += "\n### Many members\n\n\
        Nanoseconds that a record of 64 bytes costs its publisher. All members are in one other process and share one thread, \
        which reads from one after the other.\n\n\
        Observers, or subscribers of iceoryx2 whose oldest sample gives way to a new one: attached, so that they could look at any \
        time, or reading all they can get, which takes the cache lines away that the publisher writes to.\n\n\
        ![](plots/ipc-observed.svg)\n\n";
    by_size(
        text,
        figures,
        cells,
        ("ipc-observed", "ns"),
        (OBSERVERS, "attached"),
    );
    *text += "\nSubscribers which each get every record. 1024 records are published at a time, for which there is room; what the \
        publisher then waits until all have read them isn't counted.\n\n![](plots/ipc-gating.svg)\n\n";
    by_size(
        text,
        figures,
        cells,
        ("ipc-gating", "ns"),
        (SUBSCRIBERS, "attached"),
    );
    *text += "\n### A writer that dies in mid-claim\n\n\
        Microseconds from a SIGKILL, to a process that has published and left a claim half filled, until the process that goes on \
        reads the record that stands behind that claim. Many die in a sample, one after the other, and each is a process of its own; \
        the last column is a sample's longest. The reader spins, or waits as it does by default and sleeps by then.\n\n\
        No rival takes part. Through pipes, sockets and iceoryx2 each writer sends by itself, and nothing stands behind what it has \
        not finished. Where writers claim in one ring, Aeron's driver steps over such a claim after 15 seconds unless told \
        otherwise; a ring that has nothing of the kind would hang.\n\n";
    times(text, figures, cells, "ipc-death", ("max", "longest"));
}
