//! The journal: a bus on disk that grows, survives, and can be replayed.
