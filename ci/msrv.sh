#!/usr/bin/env bash
# The oldest Rust that the crates claim to build with, `rust-version` in Cargo.toml.
