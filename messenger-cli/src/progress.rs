//! A progress bar on stderr, if that is a terminal.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

/// A bar, which goes when it is dropped.
pub(crate) struct Bar(ProgressBar);

impl Bar {
    /// For `total` bytes.
    pub(crate) fn bytes(what: &'static str, total: u64) -> Self {
        Self::with(
            what,
            ProgressBar::new(total),
            "{msg} {wide_bar} {bytes}/{total_bytes}, {eta}",
        )
    }

    /// For bytes of which nobody knows how many come.
    pub(crate) fn endless(what: &'static str) -> Self {
        Self::with(what, ProgressBar::new_spinner(), "{msg} {spinner} {bytes}")
    }

    fn with(what: &'static str, bar: ProgressBar, template: &str) -> Self {
        // The templates are all above; one that was wrong would give the default style.
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style);
        }
        bar.set_message(what);
        bar.enable_steady_tick(Duration::from_millis(200));
        Self(bar)
    }

    /// So many bytes are done.
    pub(crate) fn at(&self, done: u64) {
        self.0.set_position(done);
    }

    /// So many are done, of so many.
    pub(crate) fn at_of(&self, done: u64, total: u64) {
        self.0.set_length(total);
        self.0.set_position(done);
    }
}

impl Drop for Bar {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}
