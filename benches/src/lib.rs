//! Benchmarks of messenger beside its rivals.
