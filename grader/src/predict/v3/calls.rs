//! What a system call takes, and who hears of it.

use super::is_instruction;
use crate::checks::Run;
use crate::predict::draw::Draw;
use crate::predict::question::{Question, claim};
use crate::predict::reading::traps;
use common::trace::Event;
use common::{SystemInstruction, Trap};

/// Who ends does not return.
pub(super) fn unreturned(draw: &mut Draw) -> Question {
    let name = draw.one_of(&["user", "segments", "intruder"]);
    let scene = draw.guest(name);
    let text = format!(
        "How many of the system calls of the guest `{name}` never come back with `sysretq`? \
         (guests/src/v3 says how its thread ends.)"
    );
    Question::number("unreturned", scene, text, |run: &Run| {
        let calls = traps(run, |one| one == SystemInstruction::Syscall);
        let returns = run.traps().filter(|(_, record, trap)| {
            let is = is_instruction(*trap, |one| matches!(one, SystemInstruction::Sysret { .. }));
            is && !run.user_code().contains(&record.rip)
        });
        let returns = returns.count() as u64;
        let why = format!(
            "{calls} calls and {returns} returns. Only a call that ends the thread does not \
             return; a thread that its kernel kills in an exception has returned from every call"
        );
        Some((calls.checked_sub(returns)?, why))
    })
}

/// The system instructions from the first system call that prints to its
/// `sysretq`, both included.
fn printing_call(run: &Run) -> Option<Vec<SystemInstruction>> {
    let mut call = Vec::new();
    for (.., trap) in run.traps() {
        let Trap::System { instruction, .. } = trap else {
            continue;
        };
        if instruction == SystemInstruction::Syscall {
            call.clear();
        }
        call.push(instruction);
        let returns = matches!(instruction, SystemInstruction::Sysret { .. });
        let prints = |one: &SystemInstruction| matches!(one, SystemInstruction::Out { .. });
        if returns && call[0] == SystemInstruction::Syscall && call.iter().any(prints) {
            return Some(call);
        }
    }
    None
}

/// The way in, the work, the way out.
pub(super) fn price(draw: &mut Draw) -> Question {
    let name = draw.one_of(&["user", "segments", "intruder"]);
    let scene = draw.guest(name);
    let console = scene.console();
    let line = console.lines().find(|line| line.starts_with("user:"));
    let line = line.unwrap_or_default();
    let text = format!(
        "The user thread of `{name}` prints \"{line}\" and a line end, {} bytes, by one system \
         call. How many system instructions trap from its `syscall` to its `sysretq`, both \
         included? (guests/src/kernel/user.rs, user_text.rs and guests/src/console.rs)",
        line.len() + 1
    );
    Question::number("price-of-a-call", scene, text, |run: &Run| {
        let call = printing_call(run)?;
        let count = |counts: fn(&&SystemInstruction) -> bool| call.iter().filter(counts).count();
        let why = format!(
            "`syscall` and `sysretq`, {} `swapgs`, {} `in` to ask the serial port, {} `out` for \
             the bytes. Only the ports make exits; with VT-x or SVM the others would not even trap",
            count(|one| **one == SystemInstruction::Swapgs),
            count(|one| matches!(one, SystemInstruction::In { .. })),
            count(|one| matches!(one, SystemInstruction::Out { .. }))
        );
        Some((call.len() as u64, why))
    })
}

/// What comes right behind each `syscall`.
fn exits_of_calls(run: &Run) -> (usize, usize) {
    let calls = run
        .traps()
        .filter(|(.., trap)| is_instruction(*trap, |one| one == SystemInstruction::Syscall));
    let places: Vec<_> = calls.map(|(at, ..)| at).collect();
    let next = |at: &&usize| {
        let record = run.records().get(**at + 1);
        record.is_some_and(|record| matches!(record.event, Event::Exit(_)))
    };
    (places.len(), places.iter().filter(next).count())
}

pub(super) fn exits(draw: &mut Draw) -> Question {
    let name = draw.one_of(&["user", "segments", "intruder"]);
    let scene = draw.guest(name);
    let text = format!(
        "The user thread of `{name}` makes system calls. What does the monitor hear of a \
         `syscall`?"
    );
    let claims = [
        claim(
            "nothing: the virtual CPU enters the guest's kernel, and no exit comes of it",
            |run| {
                let (calls, exits) = exits_of_calls(run);
                calls > 0 && exits == 0
            },
        ),
        claim(
            "each is an exit, and the monitor sends the guest into its kernel",
            |run| {
                let (calls, exits) = exits_of_calls(run);
                calls > 0 && exits == calls
            },
        ),
        claim(
            "only those that print are exits, since the monitor must know the text",
            |run| {
                let (calls, exits) = exits_of_calls(run);
                exits > 0 && exits < calls
            },
        ),
    ];
    Question::choice("calls-and-exits", scene, text, draw, claims, |run: &Run| {
        let (calls, exits) = exits_of_calls(run);
        format!(
            "behind {calls} traps of `syscall` there are {exits} exits: the guest goes on at once, \
             in its own kernel. What that kernel writes to ports is another matter"
        )
    })
}
