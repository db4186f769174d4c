//! What the compiler says of a wrong table.
//!
//! Each file in `ui/` is a mistake, and the `.stderr` beside it is what its author reads, with all features on. After a
//! change of the texts, run `TRYBUILD=overwrite cargo test --all-features --test ui`, then read them as that author would.

#![cfg(all(
    not(miri),
    feature = "bincode",
    feature = "postcard",
    feature = "prost",
    feature = "tokio",
    feature = "zero_copy"
))]

/// The compiler whose words stand in the `.stderr` files. Others say the same in other words.
const COMPILER: &str = "rustc 1.95.";

#[test]
fn mistakes_are_told_where_they_are() {
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let output = std::process::Command::new(rustc)
        .arg("--version")
        .output()
        .expect("rustc tells its version");
    let version = String::from_utf8_lossy(&output.stdout);
    if !version.starts_with(COMPILER) || version.contains("nightly") {
        println!("skipped: the expected texts are those of {COMPILER}x, and this is {version}");
        return;
    }
    trybuild::TestCases::new().compile_fail("tests/ui/*.rs");
}
