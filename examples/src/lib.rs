//! Nothing here: the examples lie in the files beside `Cargo.toml`.
