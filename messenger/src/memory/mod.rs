//! The memory a bus lives in.
