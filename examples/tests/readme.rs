//! The code that the README shows is that of the examples.

#[test]
fn the_readme_shows_what_is_there() {
    let sources = [
        include_str!("../market_data/main.rs"),
        include_str!("../market_data/handlers/signal.rs"),
    ];
    let readme = include_str!("../../README.md");
    let blocks: Vec<_> = readme.split("```rust\n").skip(1).collect();
    assert!(blocks.len() >= sources.len(), "{} blocks", blocks.len());
    for block in blocks {
        let code = block.split("```").next().unwrap_or(block);
        let same = sources.iter().any(|source| source.contains(code));
        assert!(
            same,
            "README.md shows other code than the examples:\n{code}"
        );
    }
}
