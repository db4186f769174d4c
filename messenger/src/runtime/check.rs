//! What is wrong with a table, found while the program is compiled.

use super::describe::{AppInfo, SourceInfo};
use crate::message::MessageInfo;
use crate::message::text::Text;

/// The longest text of a fault, in bytes.
const MOST_TEXT: usize = 1024;

/// What is wrong with a table that no trait bound can say: ids which two share, routes written twice, messages
/// sent to nobody.
///
/// [`find`](Faults::find) looks once over the whole table; then each place of the table asks for its
/// own fault, so that the compiler's caret stands on the token that is at fault.
pub struct Faults {
    found: [Option<Fault>; Faults::MOST],
    count: usize,
}

#[derive(Clone, Copy)]
struct Fault {
    place: Place,
    text: Text<MOST_TEXT>,
}

#[derive(Clone, Copy)]
enum Place {
    Route(usize, usize),
    RouteMessage(usize, usize),
    Handler(usize, usize),
    Outside(usize),
    Dropped(usize),
    DroppedMessage(usize),
}

impl Place {
    const fn is(self, other: Self) -> bool {
        match (self, other) {
            (Self::Route(a, b), Self::Route(c, d))
            | (Self::RouteMessage(a, b), Self::RouteMessage(c, d))
            | (Self::Handler(a, b), Self::Handler(c, d)) => a == c && b == d,
            (Self::Outside(a), Self::Outside(b))
            | (Self::Dropped(a), Self::Dropped(b))
            | (Self::DroppedMessage(a), Self::DroppedMessage(b)) => a == b,
            _ => false,
        }
    }

    /// Where the message of this place stands.
    const fn message(self) -> Self {
        match self {
            Self::Route(worker, route) => Self::RouteMessage(worker, route),
            Self::Dropped(dropped) => Self::DroppedMessage(dropped),
            other => other,
        }
    }
}

/// In place of a worker's number: an id that nobody has.
const NOBODY: u16 = u16::MAX;
/// In place of a worker's number: an id that an outside source has.
const OUTSIDE: u16 = u16::MAX - 1;

/// A route or a dropped entry.
#[derive(Clone, Copy)]
struct Entry {
    source: u16,
    place: Place,
    /// The next entry with the same message, or 0; entries are counted from 1 here.
    next: usize,
}

/// All entries, and for each message id the first of them.
struct Entries<const N: usize> {
    list: [Entry; N],
    first: [u16; 1 << 16],
}

impl<const N: usize> Entries<N> {
    /// The message that has the id of `message`, if that is not `message` itself.
    const fn another(&self, app: &AppInfo, message: &MessageInfo) -> Option<&'static MessageInfo> {
        let mut at = self.first[message.id.get() as usize] as usize;
        let mut another = None;
        while at != 0 {
            let entry = &self.list[at - 1];
            let known = look_up(app, entry.place).2;
            if is_same(message, known) {
                return None;
            }
            another = Some(known);
            at = entry.next;
        }
        another
    }
}

impl Faults {
    /// How many faults are told at once.
    const MOST: usize = 8;

    /// Looks over a table with `ENTRIES` routes and dropped entries.
    ///
    /// # Panics
    ///
    /// If the table has another number of [entries](AppInfo::entries).
    #[must_use]
    pub const fn find<const ENTRIES: usize>(app: &AppInfo) -> Self {
        assert!(ENTRIES == app.entries(), "`ENTRIES` is `AppInfo::entries`");
        assert!(ENTRIES < 1 << 16, "a table has at most 65,535 entries");
        let mut faults = Self {
            found: [None; Self::MOST],
            count: 0,
        };
        let sources = faults.sources(app);
        let mut entries = Entries::<ENTRIES> {
            list: [Entry {
                source: 0,
                place: Place::Outside(0),
                next: 0,
            }; ENTRIES],
            first: [0; 1 << 16],
        };
        let mut count = 0;
        let mut worker = 0;
        while worker < app.workers.len() {
            let routes = app.workers[worker].routes;
            let mut route = 0;
            while route < routes.len() {
                let place = Place::Route(worker, route);
                faults.is_known(app, &sources, place);
                faults.enter(app, &mut entries, count, place);
                count += 1;
                route += 1;
            }
            worker += 1;
        }
        let mut dropped = 0;
        while dropped < app.dropped.len() {
            let place = Place::Dropped(dropped);
            faults.is_known(app, &sources, place);
            faults.enter(app, &mut entries, count, place);
            count += 1;
            dropped += 1;
        }
        faults.all_sent(app, &entries);
        faults
    }

    const fn add(&mut self, place: Place, text: Text<MOST_TEXT>) {
        if self.count < Self::MOST {
            self.found[self.count] = Some(Fault { place, text });
            self.count += 1;
        }
    }

    /// One id for two sources. Gives who has each id: a worker and its handler.
    const fn sources(&mut self, app: &AppInfo) -> [(u16, u16); 1 << 16] {
        let mut first = [(NOBODY, 0_u16); 1 << 16];
        let mut worker = 0;
        while worker < app.workers.len() {
            let handlers = app.workers[worker].handlers;
            let mut handler = 0;
            while handler < handlers.len() {
                let source = &handlers[handler].source;
                let owner = &mut first[source.id.get() as usize];
                if owner.0 == NOBODY {
                    *owner = (worker as u16, handler as u16);
                } else {
                    let other = &app.workers[owner.0 as usize];
                    let name = other.handlers[owner.1 as usize].name;
                    self.add(
                        Place::Handler(worker, handler),
                        shared_source(source)
                            .quoted(name)
                            .text(" of worker ")
                            .quoted(other.name)
                            .text(" has it already. Give one of them another id; a second instance of one type \
                                  takes its own as `name: Type as Id = ..`"),
                    );
                }
                handler += 1;
            }
            worker += 1;
        }
        let mut outside = 0;
        while outside < app.outside.len() {
            let source = &app.outside[outside];
            let owner = &mut first[source.id.get() as usize];
            if owner.0 == NOBODY {
                *owner = (OUTSIDE, outside as u16);
            } else {
                let name = if owner.0 == OUTSIDE {
                    app.outside[owner.1 as usize].name
                } else {
                    app.workers[owner.0 as usize].handlers[owner.1 as usize].name
                };
                self.add(
                    Place::Outside(outside),
                    shared_source(source)
                        .quoted(name)
                        .text(" has it already. Give one of them another id"),
                );
            }
            outside += 1;
        }
        first
    }

    /// A source that is in no place of the table.
    const fn is_known(&mut self, app: &AppInfo, sources: &[(u16, u16); 1 << 16], place: Place) {
        let (source, name, _) = look_up(app, place);
        if sources[source as usize].0 == NOBODY {
            self.add(
                place,
                Text::new()
                    .quoted(name)
                    .text(" is no handler of ")
                    .quoted(app.name)
                    .text(", so nothing comes from it. Put it on a worker, or, if it publishes from outside, into `outside: [ ")
                    .text(name)
                    .text(" ]`"),
            );
        }
    }

    /// Takes a route or a dropped entry into the lists, and compares it with those before it.
    const fn enter<const N: usize>(
        &mut self,
        app: &AppInfo,
        entries: &mut Entries<N>,
        count: usize,
        place: Place,
    ) {
        let (source, source_name, message) = look_up(app, place);
        let slot = message.id.get() as usize;
        let mut other = entries.first[slot] as usize;
        if let Some(known) = entries.another(app, message) {
            self.add(place.message(), shared_message(message, known));
        }
        while other != 0 {
            let entry = entries.list[other - 1];
            if entry.source == source && self.repeats(app, place, entry.place, source_name, message)
            {
                break;
            }
            other = entry.next;
        }
        entries.list[count] = Entry {
            source,
            place,
            next: entries.first[slot] as usize,
        };
        entries.first[slot] = count as u16 + 1;
    }

    /// Whether the entry at `place` says again, or against it, what the one at `before` says.
    const fn repeats(
        &mut self,
        app: &AppInfo,
        place: Place,
        before: Place,
        source_name: &str,
        message: &MessageInfo,
    ) -> bool {
        let text = Text::new()
            .text("`")
            .text(source_name)
            .text(", ")
            .text(message.name)
            .text("` ");
        match (place, before) {
            (Place::Route(worker, _), Place::Route(other, route)) if worker == other => {
                self.add(
                    place,
                    text.text("is routed twice in worker ")
                        .quoted(app.workers[worker].name)
                        .text(", first by its route ")
                        .number(route as i128 + 1)
                        .text(", perhaps in another spelling. Write one route with all receivers"),
                );
                true
            }
            (Place::Dropped(_), Place::Dropped(_)) => {
                self.add(
                    place,
                    text.text("is dropped twice. Take out one of the two"),
                );
                true
            }
            (Place::Dropped(_), Place::Route(worker, _)) => {
                self.add(
                    place,
                    text.text("is dropped here, and worker ")
                        .quoted(app.workers[worker].name)
                        .text(" routes it. Take out one of the two"),
                );
                true
            }
            _ => false,
        }
    }

    /// A message that is sent, and neither routed nor dropped.
    const fn all_sent<const N: usize>(&mut self, app: &AppInfo, entries: &Entries<N>) {
        let mut worker = 0;
        while worker < app.workers.len() {
            let handlers = app.workers[worker].handlers;
            let mut handler = 0;
            while handler < handlers.len() {
                let source = &handlers[handler].source;
                self.sent(app, entries, source, Place::Handler(worker, handler));
                handler += 1;
            }
            worker += 1;
        }
        let mut outside = 0;
        while outside < app.outside.len() {
            let source = &app.outside[outside];
            self.sent(app, entries, source, Place::Outside(outside));
            outside += 1;
        }
    }

    const fn sent<const N: usize>(
        &mut self,
        app: &AppInfo,
        entries: &Entries<N>,
        source: &SourceInfo,
        place: Place,
    ) {
        let mut sent = 0;
        while sent < source.sends.len() {
            let message = &source.sends[sent];
            let mut at = entries.first[message.id.get() as usize] as usize;
            if let Some(known) = entries.another(app, message) {
                self.add(place, shared_message(message, known));
            }
            while at != 0 && entries.list[at - 1].source != source.id.get() {
                at = entries.list[at - 1].next;
            }
            if at == 0 {
                self.add(
                    place,
                    Text::new()
                        .quoted(source.label())
                        .text(" sends ")
                        .quoted(message.name)
                        .text(", and ")
                        .quoted(app.name)
                        .text(" routes it to nobody. Write a route `")
                        .text(source.label())
                        .text(", ")
                        .text(message.name)
                        .text(": [..]`, or say that it is dropped: `drop: [ ")
                        .text(source.label())
                        .text(", ")
                        .text(message.name)
                        .text(" ]`"),
                );
            }
            sent += 1;
        }
    }

    /// Tells the faults of the source of a worker's route, and of the route itself.
    ///
    /// # Panics
    ///
    /// While the program is compiled, if there is one.
    #[track_caller]
    pub const fn route(&self, worker: usize, route: usize) {
        self.tell(Place::Route(worker, route));
    }

    /// Tells the faults of the message of a worker's route.
    ///
    /// # Panics
    ///
    /// While the program is compiled, if there is one.
    #[track_caller]
    pub const fn route_message(&self, worker: usize, route: usize) {
        self.tell(Place::RouteMessage(worker, route));
    }

    /// Tells the faults of a worker's handler.
    ///
    /// # Panics
    ///
    /// While the program is compiled, if there is one.
    #[track_caller]
    pub const fn handler(&self, worker: usize, handler: usize) {
        self.tell(Place::Handler(worker, handler));
    }

    /// Tells the faults of an outside source.
    ///
    /// # Panics
    ///
    /// While the program is compiled, if there is one.
    #[track_caller]
    pub const fn outside(&self, outside: usize) {
        self.tell(Place::Outside(outside));
    }

    /// Tells the faults of the source of an entry of `drop`, and of the entry itself.
    ///
    /// # Panics
    ///
    /// While the program is compiled, if there is one.
    #[track_caller]
    pub const fn dropped(&self, dropped: usize) {
        self.tell(Place::Dropped(dropped));
    }

    /// Tells the faults of the message of an entry of `drop`.
    ///
    /// # Panics
    ///
    /// While the program is compiled, if there is one.
    #[track_caller]
    pub const fn dropped_message(&self, dropped: usize) {
        self.tell(Place::DroppedMessage(dropped));
    }

    #[track_caller]
    const fn tell(&self, place: Place) {
        let mut i = 0;
        while i < self.count {
            if let Some(fault) = &self.found[i] {
                assert!(!fault.place.is(place), "{}", fault.text.as_str());
            }
            i += 1;
        }
    }
}

/// The source, its name and the message of a route or a dropped entry.
const fn look_up(app: &AppInfo, place: Place) -> (u16, &'static str, &'static MessageInfo) {
    match place {
        Place::Route(worker, route) | Place::RouteMessage(worker, route) => {
            let route = &app.workers[worker].routes[route];
            (route.source.get(), route.source_name, &route.message)
        }
        Place::Dropped(dropped) | Place::DroppedMessage(dropped) => {
            let dropped = &app.dropped[dropped];
            (dropped.source.get(), dropped.source_name, &dropped.message)
        }
        Place::Handler(..) | Place::Outside(_) => {
            panic!("only routes and dropped entries are listed")
        }
    }
}

/// Whether two mentions of an id mean one type. A hand-written message may leave its path unsaid.
const fn is_same(a: &MessageInfo, b: &MessageInfo) -> bool {
    let (a_path, b_path) = (a.schema.path, b.schema.path);
    same(a.name, b.name)
        && (same(a_path, b_path) || a_path.is_empty() || b_path.is_empty())
        && a.schema.layout == b.schema.layout
}

/// What to call a message type where its name alone may not tell it from another.
const fn full_name(message: &MessageInfo) -> &'static str {
    if message.schema.path.is_empty() {
        message.name
    } else {
        message.schema.path
    }
}

const fn shared_source(source: &SourceInfo) -> Text<MOST_TEXT> {
    Text::new()
        .quoted(source.label())
        .text(" has the source id ")
        .number(source.id.get() as i128)
        .text(", and ")
}

const fn shared_message(message: &MessageInfo, known: &MessageInfo) -> Text<MOST_TEXT> {
    Text::new()
        .quoted(full_name(message))
        .text(" has the message id ")
        .number(message.id.get() as i128)
        .text(", and ")
        .quoted(full_name(known))
        .text(" has it already. Give one of them another id")
}

/// Whether two texts are the same.
const fn same(a: &str, b: &str) -> bool {
    let (a, b) = (a.as_bytes(), b.as_bytes());
    if a.len() != b.len() {
        return false;
    }
    let mut i = 0;
    while i < a.len() {
        if a[i] != b[i] {
            return false;
        }
        i += 1;
    }
    true
}
