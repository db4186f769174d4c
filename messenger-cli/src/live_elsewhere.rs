//! Where processes can't share a bus.

use messenger::journal::Schema;

use crate::command::{clean::Clean, ls::Ls, stat::Stat, tail::Tail, top::Top};
use crate::fail::{Exit, Fail};
use crate::out::Out;
use crate::subject::Bus;

fn needs_linux() -> Fail {
    Fail::error("buses that processes share are there on Linux only")
}

pub(crate) fn ls(_: &Ls, _: &mut Out) -> Result<Exit, Fail> {
    Err(needs_linux())
}

pub(crate) fn top(_: &Top, _: &mut Out) -> Result<Exit, Fail> {
    Err(needs_linux())
}

pub(crate) fn clean(_: &Clean, _: &mut Out) -> Result<Exit, Fail> {
    Err(needs_linux())
}

pub(crate) fn tail(_: &Tail, _: &Bus, _: &mut Out) -> Result<Exit, Fail> {
    Err(needs_linux())
}

pub(crate) fn stat(_: &Stat, _: &Bus, _: &mut Out) -> Result<Exit, Fail> {
    Err(needs_linux())
}

pub(crate) fn schema(_: &Bus) -> Result<Schema, Fail> {
    Err(needs_linux())
}
