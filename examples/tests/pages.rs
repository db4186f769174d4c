//! The code that the pages show is that of the examples, or is compiled here.

#[path = "pages/guide.rs"]
mod guide;
#[cfg(target_os = "linux")]
#[path = "pages/shared.rs"]
mod shared;
/// Its test is shown, too, and is run here.
#[path = "../till.rs"]
#[expect(dead_code, reason = "its `main` is run as an example")]
mod till;
#[path = "pages/tuning.rs"]
mod tuning;

fn shows(page: &str, sources: &[&str]) {
    let blocks: Vec<_> = page.split("```rust\n").skip(1).collect();
    assert!(blocks.len() >= sources.len(), "{} blocks", blocks.len());
    for block in blocks {
        let code = block.split("```").next().unwrap_or(block);
        let same = sources.iter().any(|source| source.contains(code));
        assert!(same, "the page shows other code than the example:\n{code}");
    }
}

#[test]
fn the_readme_shows_market_data() {
    shows(
        include_str!("../../README.md"),
        &[
            include_str!("../market_data/main.rs"),
            include_str!("../market_data/handlers/signal.rs"),
            include_str!("../journal_replay.rs"),
            include_str!("../processes/market.rs"),
        ],
    );
}

#[test]
fn the_guide_shows_till() {
    shows(
        include_str!("../../docs/guide.md"),
        &[include_str!("pages/guide.rs"), include_str!("../till.rs")],
    );
}

#[test]
fn the_guide_to_journals_shows_journal_replay() {
    shows(
        include_str!("../../docs/journal-guide.md"),
        &[include_str!("../journal_replay.rs")],
    );
}

#[test]
fn the_guide_to_shared_buses_shows_what_compiles() {
    shows(
        include_str!("../../docs/shared-guide.md"),
        &[
            include_str!("pages/shared.rs"),
            include_str!("../processes/market.rs"),
        ],
    );
}

#[test]
fn the_page_on_tuning_shows_what_runs() {
    shows(
        include_str!("../../docs/tuning.md"),
        &[include_str!("pages/tuning.rs")],
    );
}
