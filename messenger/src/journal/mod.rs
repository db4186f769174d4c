//! The journal: a bus on disk that grows, survives, and can be replayed.

// Until the segments use them.
#[allow(dead_code)]
mod files;
#[allow(dead_code)]
mod header;
#[cfg(test)]
mod testing;

pub use header::HeaderError;
