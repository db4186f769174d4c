//! Checks what the compiler says of mistakes.

use std::io::Write;

/// The compiler whose words stand in the `.stderr` files. Others say the same in other words.
const COMPILER: &str = "rustc 1.95.";

/// Compiles the files that match `pattern` and compares what is said with the `.stderr` beside each.
pub(crate) fn tells(pattern: &str) {
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let output = std::process::Command::new(rustc)
        .arg("--version")
        .output()
        .expect("rustc tells its version");
    let version = String::from_utf8_lossy(&output.stdout);
    if !version.starts_with(COMPILER) || version.contains("nightly") {
        // Not by `println`, which is only shown of a test that fails.
        let _ = writeln!(
            std::io::stderr(),
            "SKIPPED {pattern}: the expected texts are those of {COMPILER}x, and this is {version}"
        );
        return;
    }
    trybuild::TestCases::new().compile_fail(pattern);
}
