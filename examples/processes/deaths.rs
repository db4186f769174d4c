//! Who died when, and how long the others waited.

use core::fmt;
use messenger::shared::MembershipEvent;
use std::time::{Duration, Instant};

/// What is known of a death.
struct Death {
    at: Duration,
    /// Who, and of what.
    told: String,
    /// From the kill until the bus said so, when all that the dead process had begun was finished.
    settled: Duration,
    /// From the kill until the next one was there.
    replaced: Duration,
    /// The longest time without a record from the kill until the next one.
    pause: Duration,
}

/// All deaths of a day.
pub(crate) struct Deaths {
    begun: Instant,
    killed: Instant,
    /// When the last record was seen.
    seen: Instant,
    all: Vec<Death>,
}

impl Deaths {
    pub(crate) fn new() -> Self {
        let begun = Instant::now();
        Self {
            begun,
            killed: begun,
            seen: begun,
            all: Vec::new(),
        }
    }

    pub(crate) fn count(&self) -> usize {
        self.all.len()
    }

    /// A record was seen.
    pub(crate) fn record(&mut self) {
        let now = Instant::now();
        if let Some(death) = self.all.last_mut() {
            death.pause = death.pause.max(now - self.seen);
        }
        self.seen = now;
    }

    /// A process is being killed.
    pub(crate) fn kill(&mut self) {
        self.killed = Instant::now();
        self.all.push(Death {
            at: self.killed - self.begun,
            told: String::new(),
            settled: Duration::ZERO,
            replaced: Duration::ZERO,
            pause: Duration::ZERO,
        });
    }

    /// The bus has told of the death.
    pub(crate) fn told(&mut self, change: &MembershipEvent) {
        if let Some(death) = self.all.last_mut() {
            death.told = change.to_string();
            death.settled = self.killed.elapsed();
        }
    }

    /// The next process is there.
    pub(crate) fn replaced(&mut self) {
        if let Some(death) = self.all.last_mut() {
            death.replaced = self.killed.elapsed();
        }
    }
}

impl fmt::Display for Deaths {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for death in &self.all {
            writeln!(
                f,
                "{:>6.0?}  {}; settled after {:.1?}, replaced after {:.1?}, no record for {:.1?}",
                death.at, death.told, death.settled, death.replaced, death.pause
            )?;
        }
        let spread = |of: fn(&Death) -> Duration| {
            let mut all: Vec<_> = self.all.iter().map(of).collect();
            all.sort_unstable();
            let (half, last) = (all.get(all.len() / 2), all.last());
            format!(
                "p50 {:.1?}, max {:.1?}",
                half.unwrap_or(&Duration::ZERO),
                last.unwrap_or(&Duration::ZERO)
            )
        };
        writeln!(f, "{} deaths", self.all.len())?;
        writeln!(f, "  settled    {}", spread(|d| d.settled))?;
        writeln!(f, "  replaced   {}", spread(|d| d.replaced))?;
        writeln!(f, "  no record  {}", spread(|d| d.pause))
    }
}
