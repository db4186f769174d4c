//! The macros of the `messenger` crate; use them through it.
