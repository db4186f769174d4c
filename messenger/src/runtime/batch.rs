//! Several messages by one claim.

use crate::bus::{NotSynced, Publisher, Reservation, SourceId, Tag, record_len};
use crate::message::ExtendedMessage;

/// So many bytes of records are claimed at once, at the most. More gains nothing, what is claimed holds up what others send after it, and
/// so much is still there in a ring that is nearly full.
const LONGEST: usize = 16 << 10;

/// What has become of the first of some messages.
pub(super) struct Run {
    /// How many were to go by one claim; one at the least.
    pub(super) len: usize,
    /// How many of them are sent. The others are to be sent one by one: there was no room for all at once, or there is something wrong
    /// with the next one, which tells that when it is sent.
    pub(super) sent: usize,
    /// Whether those that are sent are synced, where each record is to be.
    pub(super) synced: Result<(), NotSynced>,
}

impl Run {
    /// None of so many is sent.
    pub(super) fn none_of(len: usize) -> Self {
        Self {
            len,
            sent: 0,
            synced: Ok(()),
        }
    }
}

/// Sends by one claim as many of the first messages as one takes, if there is room for them now. Tells `sent` the position of each.
pub(super) fn send_run<M: ExtendedMessage>(
    publisher: &mut Publisher,
    source: SourceId,
    messages: &[M],
    mut sent: impl FnMut(u64),
) -> Run {
    let longest = record_len(publisher.max_payload()).min(LONGEST);
    // Where the lap ends some have room that not all have.
    let longest = longest.min(publisher.left_in_lap());
    let (mut len, mut bytes) = (0, 0);
    for message in messages {
        match message.encoded_len() {
            Ok(more) if more <= longest && record_len(more) <= longest - bytes => {
                bytes += record_len(more);
                len += 1;
            }
            _ => break,
        }
    }
    let mut run = Run::none_of(len.max(1));
    if len < 2 {
        return run;
    }
    let Ok(mut claimed) = publisher.try_reserve(bytes) else {
        return run;
    };
    let tag = Tag::new(source, M::ID);
    let mut last = None;
    for message in &messages[..len] {
        let Some(position) = put(&mut claimed, tag, message) else {
            break;
        };
        sent(position);
        run.sent += 1;
        last = Some(position);
    }
    if let Some(last) = last {
        run.synced = claimed.sync(last);
    }
    run
}

/// Sends the next one of a run; gives its position.
#[inline]
fn put<M: ExtendedMessage>(run: &mut Reservation<'_>, tag: Tag, message: &M) -> Option<u64> {
    let len = message.encoded_len().ok()?;
    let mut claim = run.claim(tag, len).ok()?;
    message.fill(&mut claim.writer()).ok()?;
    claim.commit_unsynced().ok()
}
