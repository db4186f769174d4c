//! A zero-copy message that lies otherwise than the journal has it: which part of it does.

use messenger::App;
use messenger::journal::{JournalFault, Schema, SchemaConflict};

use crate::kit::{Dir, small};

/// A program with this `Ball`.
macro_rules! game {
    ($module:ident, $ball:ty, $($item:item)*) => {
        mod $module {
            use messenger::{Handler, Message, messenger};

            $($item)*

            /// Sends it to nobody.
            #[derive(Debug, Handler)]
            #[handler(id = 1, sends($ball))]
            pub(crate) struct Boss;

            messenger! {
                pub(crate) Game;
                One:
                    handlers: [ boss: Boss = Boss ]
                    routes: []
                drop: [ Boss, Ball ]
            }
        }
    };
}

macro_rules! flat {
    ($module:ident, $($fields:tt)*) => {
        game! { $module, Ball,
            #[derive(Clone, Copy, Debug, Message)]
            #[message(id = 7, codec = zero_copy)]
            #[repr(C)]
            pub(crate) struct Ball { $($fields)* }
        }
    };
}

flat!(base, x: u32, y: u32);
flat!(wider, x: u32, y: f32);
flat!(longer, x: u32, y: u32, z: [u16; 2]);
flat!(shorter, x: u32);
flat!(swapped, y: u32, x: u32);

macro_rules! nested {
    ($module:ident, $repr:ident, $($side:tt)*) => {
        game! { $module, Ball,
            #[derive(Clone, Copy, Debug, messenger::Plain)]
            #[repr($repr)]
            pub(crate) enum Side { $($side)* }

            #[derive(Clone, Copy, Debug, messenger::Plain)]
            #[repr(C)]
            pub(crate) struct Player { n: u8, side: Side }

            #[derive(Clone, Copy, Debug, Message)]
            #[message(id = 7, codec = zero_copy)]
            #[repr(C)]
            pub(crate) struct Ball { players: [[Player; 2]; 2] }
        }
    };
}

nested!(sides, u8, Left = 1, Right = 2);
nested!(more_sides, u8, Left = 1, Right = 2, Middle = 3);
nested!(other_sides, u8, Left = 1, Right = 3);

macro_rules! tail {
    ($module:ident, $head:ty, $($item:tt)*) => {
        game! { $module, Ball<'_>,
            #[derive(Clone, Copy, Debug, messenger::Plain)]
            #[repr(C)]
            pub(crate) struct Point { $($item)* }

            #[derive(Debug, Message)]
            #[message(id = 7, codec = zero_copy)]
            pub(crate) struct Ball<'a> { n: &'a $head, way: &'a [Point] }
        }
    };
}

tail!(way, u32, at: u32);
tail!(long_way, u64, at: u32);
tail!(other_way, u32, at: f32);

#[test]
fn the_part_is_named_that_lies_otherwise() {
    let schema = |info| Schema::from(info);
    let cases = [
        (
            base::Game::INFO,
            wider::Game::INFO,
            "the journal has `y: u32` at byte 4, and the program `y: f32` at byte 4",
        ),
        (
            base::Game::INFO,
            longer::Game::INFO,
            "the journal has nothing, and the program `z: [u16;2]` at byte 8",
        ),
        (
            base::Game::INFO,
            shorter::Game::INFO,
            "the journal has `y: u32` at byte 4, and the program nothing",
        ),
        (
            base::Game::INFO,
            swapped::Game::INFO,
            "the journal has `x: u32` at byte 0, and the program `y: u32` at byte 0",
        ),
        (
            sides::Game::INFO,
            more_sides::Game::INFO,
            "the journal has nothing, and the program `players.side.Middle = 3`",
        ),
        (
            sides::Game::INFO,
            other_sides::Game::INFO,
            "the journal has `players.side.Right = 2`, and the program `players.side.Right = 3`",
        ),
        (
            base::Game::INFO,
            sides::Game::INFO,
            "the journal has `x: u32` at byte 0, and the program `players: [[a struct of 2 bytes;2];2]` at byte 0",
        ),
        (
            way::Game::INFO,
            long_way::Game::INFO,
            "the journal has `head: u32`, and the program `head: u64`",
        ),
        (
            way::Game::INFO,
            other_way::Game::INFO,
            "the journal has `tail.at: u32` at byte 0, and the program `tail.at: f32` at byte 0",
        ),
        (
            base::Game::INFO,
            way::Game::INFO,
            "the journal has a struct, and the program a tail",
        ),
    ];
    for (ours, theirs, expected) in cases {
        let dir = Dir::new("layouts");
        let journal = dir.open(small());
        journal.admit(&schema(ours)).unwrap();
        drop(journal);
        let error = dir.open(small()).admit(&schema(theirs)).unwrap_err();
        let text = error.to_string();
        let expected = format!(
            "; the first difference: {expected}: the program would misread what was kept; "
        );
        assert!(text.contains(&expected), "{text}");
        let JournalFault::Conflict(SchemaConflict::Message { part, .. }) = error.fault() else {
            panic!("{text}");
        };
        let part = part.as_ref().unwrap();
        assert!(expected.contains(&part.journal) && expected.contains(&part.program));
    }
}
