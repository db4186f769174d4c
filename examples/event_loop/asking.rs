//! The event loop.

use std::env;
use std::error::Error;
use std::io::Read as _;
use std::process::{self, Command, Stdio};
use std::task::{Context, Poll};

use messenger::bus::Start;
use messenger::shared::{Doorbell, SharedBus};
use rustix::event::{PollFd, PollFlags, Timespec, poll};

use crate::squares::{Answer, Asker, Question, Squares};

/// How many numbers are to be squared.
const NUMBERS: u64 = 10_000;
/// How many questions are on their way at most: by far not as many as the ring has room for, so the loop never waits for room.
const AHEAD: u64 = 16;
/// How long nothing may happen at all.
const PATIENCE: Timespec = Timespec {
    tv_sec: 120,
    tv_nsec: 0,
};

pub(crate) fn ask() -> Result<(), Box<dyn Error>> {
    let name = format!("event-loop-{}", process::id());
    let shared = SharedBus::create(&name, 1 << 16)?;
    // None of the table's workers runs here.
    let squares = Squares::builder(&shared).outside().run()?;
    let mut questions = squares.publisher::<Asker>()?;
    let mut answers = squares.subscribe_gating::<(Answer,)>(Start::Newest)?;
    let mut child = Command::new(env::current_exe()?)
        .arg(&name)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()?;
    let mut output = child.stdout.take().ok_or("no pipe from the child")?;

    let doorbell = Doorbell::new()?;
    let waker = doorbell.waker();
    let mut task = Context::from_waker(&waker);
    let mut hears = false;
    let (mut asked, mut answered, mut sum) = (0, 0, 0);
    loop {
        // In this order: what comes after all was read rings, and `poll` returns at once.
        doorbell.clear()?;
        while let Poll::Ready(answer) = answers.poll_next(&mut task)? {
            let answer = answer.ok_or("stopped too early")?;
            let answer = answer.get::<Answer>().ok_or("another message")??;
            answered += 1;
            sum += answer.square;
        }
        if answered == NUMBERS {
            // The child ends when its input does.
            drop(child.stdin.take());
        }
        while hears && asked < NUMBERS.min(answered + AHEAD) {
            asked += 1;
            questions.send(&Question { number: asked })?;
        }

        let mut awaited = [
            PollFd::new(&doorbell, PollFlags::IN),
            PollFd::new(&output, PollFlags::IN),
        ];
        if poll(&mut awaited, Some(&PATIENCE))? == 0 {
            return Err("nothing happens any more".into());
        }
        let [_, speaks] = awaited.map(|it| !it.revents().is_empty());
        if speaks {
            match output.read(&mut [0; 64])? {
                0 => break,
                _ => hears = true,
            }
        }
    }

    let status = child.wait()?;
    squares.stop()?;
    println!("{answered} answers, whose sum is {sum}; the child: {status}");
    assert!(status.success());
    assert_eq!(answered, NUMBERS);
    assert_eq!(sum, (1..=NUMBERS).map(|number| number * number).sum());
    Ok(())
}
