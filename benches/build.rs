//! Writes the routing tables that are measured: a thousand routes are not for typing.

use std::fmt::Write as _;
use std::path::Path;
use std::{env, fs};

/// How many messages there are, and so how many routes a source has at most.
const MESSAGES: usize = 64;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    println!("cargo::rerun-if-changed=build.rs");
    let mut text = String::new();
    for m in 0..MESSAGES {
        writeln!(
            text,
            "/// A message.\n\
             #[derive(Message, Serialize, Deserialize)]\n\
             #[message(id = {id}, codec = bincode)]\n\
             pub(crate) struct M{m} {{ pub(crate) n: u64 }}\n\
             impl Handle<M{m}> for Sink {{\n\
                 #[inline]\n\
                 fn handle(&mut self, m: &M{m}, _: &mut Outbox<'_, Self>) -> Result {{\n\
                     self.sum.take::<{m}>(m.n);\n\
                     Ok(())\n\
                 }}\n\
             }}",
            id = m + 1
        )?;
    }
    for routes in [1, 10, 100, 1000] {
        table(&mut text, routes)?;
    }
    let out = env::var("OUT_DIR")?;
    fs::write(Path::new(&out).join("routes.rs"), text)?;
    Ok(())
}

/// A module with the table of so many routes, and the same as a match on raw ids.
fn table(text: &mut String, routes: usize) -> std::fmt::Result {
    let pairs = || (0..routes).map(|i| (i / MESSAGES, i % MESSAGES));
    let sources = routes.div_ceil(MESSAGES);
    writeln!(text, "pub(crate) mod routes_{routes} {{\nuse super::*;")?;
    for source in 0..sources {
        let sends: Vec<_> = pairs()
            .filter(|&(s, _)| s == source)
            .map(|(_, m)| format!("M{m}"))
            .collect();
        writeln!(
            text,
            "#[derive(Handler)]\n#[handler(id = {}, sends({}))]\npub(crate) struct S{source};",
            source + 1,
            sends.join(", ")
        )?;
    }
    writeln!(
        text,
        "#[derive(Handler)]\n#[handler(id = 101, sends(Begin, End))]\npub(crate) struct Control;"
    )?;
    let outside: Vec<_> = (0..sources).map(|s| format!("S{s}")).collect();
    writeln!(
        text,
        "messenger! {{\npub(crate) Table(wires: Arc<Wires>);\n\
         outside: [ {}, Control ]\n\
         Only:\nhandlers: [ sink: Sink = Sink::new(wires) ]\nroutes: [\n\
         Control, Begin: [sink],\nControl, End: [sink],",
        outside.join(", ")
    )?;
    for (s, m) in pairs() {
        writeln!(text, "S{s}, M{m}: [sink],")?;
    }
    writeln!(text, "]\n}}")?;

    writeln!(text, "const ROUTES: &[Route] = &[")?;
    for (s, m) in pairs() {
        writeln!(text, "Route::of::<S{s}, M{m}>(&[0]),")?;
    }
    writeln!(
        text,
        "];\nstatic TABLE: RouteTable<{{ route_slots({routes}) }}, {{ route_buckets({routes}) }}> = RouteTable::new(ROUTES);\n\
         /// Finds the dense index and matches on it, as the macro's code does.\n\
         #[inline]\n\
         pub(crate) fn by_table(sum: &mut Sum, tag: Tag, n: u64) {{\nmatch TABLE.find(tag) {{"
    )?;
    for i in 0..routes {
        writeln!(text, "Some({i}) => sum.take::<{i}>(n),")?;
    }
    writeln!(
        text,
        "_ => sum.miss(),\n}}\n}}\n\
         /// Matches on the raw ids.\n\
         #[inline]\n\
         pub(crate) fn by_match(sum: &mut Sum, tag: Tag, n: u64) {{\n\
         match (tag.source.get(), tag.message.get()) {{"
    )?;
    for (i, (s, m)) in pairs().enumerate() {
        writeln!(text, "({}, {}) => sum.take::<{i}>(n),", s + 1, m + 1)?;
    }
    writeln!(text, "_ => sum.miss(),\n}}\n}}\n}}")
}
