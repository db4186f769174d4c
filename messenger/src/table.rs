//! The `messenger!` macro.

/// A routing table: which worker has which handlers, and who gets what from whom.
///
#[cfg_attr(feature = "bincode", doc = "```")]
#[cfg_attr(not(feature = "bincode"), doc = "```text")]
/// use messenger::bus::{Bus, BusConfig};
/// use messenger::{Handle, Handler, Message, Outbox, Result, messenger, messenger_id_enum};
/// use serde::{Deserialize, Serialize};
///
/// messenger_id_enum! {
///     pub enum Mid { Ball = 1, Back = 2 }
///     pub enum Hid { Ping = 1, Pong = 2, Main = 3 }
/// }
///
/// #[derive(Message, Serialize, Deserialize)]
/// #[message(id = Mid::Ball, codec = bincode)]
/// pub struct Ball(u8);
///
/// #[derive(Message, Serialize, Deserialize)]
/// #[message(id = Mid::Back, codec = bincode)]
/// pub struct Back(u8);
///
/// #[derive(Handler)]
/// #[handler(id = Hid::Ping, sends(Ball))]
/// pub struct Ping { last: u8 }
///
/// impl Handle<Back> for Ping {
///     fn handle(&mut self, m: &Back, out: &mut Outbox<'_, Self>) -> Result {
///         if m.0 < self.last {
///             out.send(&Ball(m.0 + 1))
///         } else {
///             out.stop();
///             Ok(())
///         }
///     }
/// }
///
/// #[derive(Handler)]
/// #[handler(id = Hid::Pong, sends(Back))]
/// pub struct Pong;
///
/// impl Handle<Ball> for Pong {
///     fn handle(&mut self, m: &Ball, out: &mut Outbox<'_, Self>) -> Result {
///         out.send(&Back(m.0 + 1))
///     }
/// }
///
/// /// Who serves the first ball.
/// #[derive(Handler)]
/// #[handler(id = Hid::Main, sends(Ball))]
/// pub struct Main;
///
/// messenger! {
///     /// Two players, each on a thread.
///     pub Game(last: u8);
///     outside: [ Main ]
///     Left (on_panic = stop):
///         handlers: [ ping: Ping = Ping { last: *last } ]
///         routes: [ Pong, Back: [ping] ]
///     Right:
///         handlers: [ pong: Pong = Pong ]
///         routes: [
///             Ping, Ball: [pong],
///             Main, Ball: [pong],
///         ]
/// }
///
/// let game = Game::builder(Bus::new(BusConfig::bytes(1 << 16))?, 9).run()?;
/// game.publisher::<Main>()?.send(&Ball(0))?;
/// let report = game.join()?;
/// assert_eq!(report.workers[0].messages, 5);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # The table
///
/// * `pub Name;` or `pub Name(config: Type);`: the type that stands for the table, and what its `builder` takes for the
///   handlers' constructors, which see it as `config: &Type`.
/// * `outside: [ Type, .. ]`: who publishes without being a handler of a worker: `main`, a test, a server.
/// * `Worker (options):`: a thread. [`Name::WORKER`](crate::WorkerId) names it to [`only`](crate::Builder::only).
///   * `handlers: [ name: Type = constructor, .. ]`: what it runs. The constructor is an expression that gives the handler
///     or a `Result` with it; it may use `?`. A second instance of one type has an id of its own, `name: Type as Id = ..`, and
///     stands by its name as a source. With the feature `tokio`, `name: async Type = ..` is an `AsyncHandler`, and
///     `name: async Type (mailbox = N) = ..` one with a `Mailbox` for `N` messages that wait, where 64 are too few or too many.
///   * `routes: [ Source, Message: [name, ..], .. ]`: which messages of whom go to which of its handlers, in this order.
/// * `drop: [ Source, Message; .. ]`: what is sent and nobody gets, on purpose.
///
/// # The options of a worker
///
/// | option | default | |
/// |---|---|---|
/// | `wait = spin`, `yield`, `block`, `block_now` | `block` | how it [waits](crate::bus::WaitStrategy) |
/// | `pin = CORE` | any | the core its thread runs on |
/// | `on_panic = stop`, `stop_worker`, `restart(TIMES, per = DURATION)` | `stop` | what follows a [panic](crate::OnPanic) |
/// | `on_error = report`, `stop` | `report` | what follows an [error](crate::OnError) |
/// | `spill = BYTES` | 1 MiB | how much it keeps when the ring is full |
/// | `batch = RECORDS` | 256 | after how many records it says how far it has read; of a pool: how many a member takes at a time |
/// | `pool = true`, `false` | `false` | whether several processes may [run it together](crate::WorkerOptions::pool) |
///
/// A table that is wrong doesn't compile, and says where and why; also one that leaves a message which a handler sends
/// without a receiver or a `drop`.
#[macro_export]
macro_rules! messenger {
    ($($table:tt)*) => { $crate::__macro::messenger_table! { $crate $($table)* } };
}
