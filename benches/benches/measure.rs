//! `cargo bench -p messenger-benches`: measures, and writes `RESULTS.md` and the plots.

fn main() -> std::process::ExitCode {
    messenger_benches::main()
}
