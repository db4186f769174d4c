//! The table of `market_data` in three processes, one of which is killed again and again.
//!
//! Each process runs some of the table's workers on one shared bus. *Counting* is killed with SIGKILL while it works, and a new
//! process takes its place. The others go on as far as they can without it, nothing that they sent is lost, and in the end the
//! figures are those of a single loop, to the last share. How that can be, though the last records before a kill are
//! delivered twice, is told in `market_data/handlers/kept_desk.rs`.
//!
//! ```text
//! cargo run --example processes              an invented day
//! cargo run --example processes -- FEED      a day of your own
//! ```

#[cfg(target_os = "linux")]
mod deaths;
#[cfg(target_os = "linux")]
mod family;
#[cfg(target_os = "linux")]
mod market;
#[cfg(target_os = "linux")]
mod parent;

#[cfg(target_os = "linux")]
fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    match &arguments[..] {
        [] => parent::an_invented_day(),
        [feed] => parent::a_day_of_your_own(feed.as_ref()),
        [bus, feed, desk, workers @ ..] => {
            market::run_workers(bus, workers, market::Config::new(feed, desk))
        }
        _ => Err("give it one file, or none".into()),
    }
}

#[cfg(not(target_os = "linux"))]
fn main() {
    println!("Buses that processes share need Linux.");
}
