//! Questions about version 3: who serves the user thread, and what it costs.

use super::draw::Draw;
use super::question::{Question, claim};
use super::quiz::Kind;
use super::reading::{
    ENDINGS, EXCEPTIONS, accesses, ending, exits, handler_behind, injections, traps,
};
use crate::checks::Run;
use common::trace::{Device, Event};
use common::{Fault, SystemInstruction, Trap};

pub(super) const KINDS: &[Kind] = &[
    attempt,
    error_code,
    unreturned,
    base_registers,
    console_exits,
    calls_and_exits,
    ticks_in_the_kernel,
    how_it_ends,
];

/// Something that user code tries, and how to know it in a trace.
#[derive(Clone, Copy)]
struct Attempt {
    words: &'static str,
    is: fn(&Run, Trap) -> bool,
}

const ATTEMPTS: [Attempt; 7] = [
    Attempt {
        words: "says `hlt`",
        is: |_, trap| is_instruction(trap, |one| one == SystemInstruction::Hlt),
    },
    Attempt {
        words: "says `cli`",
        is: |_, trap| is_instruction(trap, |one| one == SystemInstruction::Cli),
    },
    Attempt {
        words: "writes a port with `out`",
        is: |_, trap| is_instruction(trap, |one| matches!(one, SystemInstruction::Out { .. })),
    },
    Attempt {
        words: "says `swapgs`",
        is: |_, trap| is_instruction(trap, |one| one == SystemInstruction::Swapgs),
    },
    Attempt {
        words: "reads a word of its kernel, `secret`",
        is: |run, trap| touches(run, trap, "secret", |code| code & 2 == 0),
    },
    Attempt {
        words: "executes `ud2`",
        is: |_, trap| matches!(trap, Trap::Fault(Fault::InvalidOpcode { .. })),
    },
    Attempt {
        words: "divides by zero",
        is: |_, trap| trap == Trap::Fault(Fault::DivideError),
    },
];

fn is_instruction(trap: Trap, is: impl Fn(SystemInstruction) -> bool) -> bool {
    matches!(trap, Trap::System { instruction, .. } if is(instruction))
}

/// Whether it is a page fault at a symbol, with such an error code.
fn touches(run: &Run, trap: Trap, symbol: &str, is: impl Fn(u32) -> bool) -> bool {
    let wanted = run.observation.image.symbols.address_of(symbol);
    match trap {
        Trap::Fault(fault @ Fault::PageFault { address, .. }) => {
            Some(address) == wanted && fault.error_code().is_some_and(is)
        }
        _ => false,
    }
}

/// The first trap in user code that `is` picks, with its place.
fn in_user_code(run: &Run, is: impl Fn(Trap) -> bool) -> Option<(usize, Trap)> {
    let user = run.user_code();
    let mut traps = run.traps();
    traps
        .find(|(_, record, trap)| user.contains(&record.rip) && is(*trap))
        .map(|(at, _, trap)| (at, trap))
}

fn attempt(draw: &mut Draw) -> Question {
    let Attempt { words, is } = draw.one_of(&ATTEMPTS);
    let scene = draw.guest("intruder");
    let text = format!(
        "The user thread of `intruder` {words}. As which exception does its own kernel hear of \
         that?"
    );
    Question::name("attempt", scene, text, EXCEPTIONS, move |run: &Run| {
        let (at, trap) = in_user_code(run, |trap| is(run, trap))?;
        let name = crate::text::exception(handler_behind(run, at)?);
        let known = EXCEPTIONS.iter().find(|one| one.name == name)?;
        let how = match trap {
            Trap::Fault(_) => "an exception already, and only has to be delivered",
            _ => "a privileged instruction, which is not emulated in user mode but becomes #GP(0)",
        };
        let why = format!(
            "the trap is \"{trap}\": {how}. Behind it the guest goes on in its handler of {name}, \
             and the VM lives on"
        );
        Some((known.name, why))
    })
}

/// An access of user code that its kernel's page tables forbid.
#[derive(Clone, Copy)]
struct Forbidden {
    words: &'static str,
    symbol: &'static str,
    /// Whether such an error code belongs to it.
    is: fn(u32) -> bool,
}

const FORBIDDEN: [Forbidden; 4] = [
    Forbidden {
        words: "reads the kernel's word `secret`",
        symbol: "secret",
        is: |code| code & 2 == 0,
    },
    Forbidden {
        words: "writes the kernel's word `secret`",
        symbol: "secret",
        is: |code| code & 2 != 0,
    },
    Forbidden {
        words: "writes its own text, `user_text`, which it may only read",
        symbol: "user_text",
        is: |_| true,
    },
    Forbidden {
        words: "jumps to its own data, `user_memory`",
        symbol: "user_memory",
        is: |_| true,
    },
];

fn error_code(draw: &mut Draw) -> Question {
    let Forbidden { words, symbol, is } = draw.one_of(&FORBIDDEN);
    let scene = draw.guest("intruder");
    let text = format!(
        "The user thread of `intruder` {words}. The page is there. Which error code comes with \
         the page fault? (SDM vol. 3, \"Page-Fault Exceptions\")"
    );
    Question::number("error-code", scene, text, move |run: &Run| {
        let (_, trap) = in_user_code(run, |trap| touches(run, trap, symbol, is))
            .or_else(|| in_data(run, symbol))?;
        let Trap::Fault(fault) = trap else {
            return None;
        };
        let code = fault.error_code()?;
        let why = format!(
            "the fault is \"{fault}\", and its code {code:#x}: bit 0, the page is there; bit 1, a \
             write ({}); bit 2, from user mode; bit 4, a fetch of code ({})",
            code >> 1 & 1,
            code >> 4 & 1
        );
        Some((code.into(), why))
    })
}

/// A fault with RIP at the symbol itself: the thread has jumped there.
fn in_data(run: &Run, symbol: &str) -> Option<(usize, Trap)> {
    let mut traps = run.traps();
    traps
        .find(|(.., trap)| touches(run, *trap, symbol, |code| code & 16 != 0))
        .map(|(at, _, trap)| (at, trap))
}

/// Who ends does not return.
fn unreturned(draw: &mut Draw) -> Question {
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

/// Registers that only a kernel may write.
fn base_registers(draw: &mut Draw) -> Question {
    let scene = draw.guest("segments");
    let console = scene.console();
    let rounds = console
        .lines()
        .filter(|line| line.starts_with("user:"))
        .count();
    let text = format!(
        "The user thread of `segments` prints {rounds} lines. Before each it has its kernel set \
         the bases of FS and GS, which are two machine-specific registers. How many `wrmsr` trap, \
         those by which the kernel sets itself up included? (guests/src/kernel/user.rs)"
    );
    Question::number("base-registers", scene, text, |run: &Run| {
        let writes = |user: bool| {
            let started = |at: usize| first_user(run).is_some_and(|first| at > first);
            let writes = run.traps().filter(|(at, _, trap)| {
                started(*at) == user && is_instruction(*trap, |one| one == SystemInstruction::Wrmsr)
            });
            writes.count() as u64
        };
        let (before, behind) = (writes(false), writes(true));
        let why = format!(
            "{before} before the thread begins (what `syscall` needs, and the kernel's base of \
             GS), and {behind} for the thread, two for each of its lines"
        );
        Some((before + behind, why))
    })
}

/// The first trap of user code.
fn first_user(run: &Run) -> Option<usize> {
    in_user_code(run, |trap| !matches!(trap, Trap::Budget)).map(|(at, _)| at)
}

fn console_exits(draw: &mut Draw) -> Question {
    let name = draw.one_of(&["user", "segments"]);
    let scene = draw.guest(name);
    let console = scene.console();
    let user = console.lines().filter(|line| line.starts_with("user:"));
    let users: usize = user.map(|line| line.len() + 1).sum();
    let text = format!(
        "The user thread of `{name}` prints {users} bytes through system calls, and its kernel \
         prints {} bytes itself. How many `port-out` exits reach the monitor?",
        console.len() - users
    );
    Question::number("console-exits", scene, text, |run: &Run| {
        let printed = accesses(run.records(), Device::Serial).filter(|access| access.write);
        let why = format!(
            "to the monitor user and kernel look the same: {} bytes, each an `out` of the kernel, \
             and one `out` to the exit port. That a byte began in user mode is the guest's affair",
            printed.count()
        );
        Some((exits(run, "port-out"), why))
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

fn calls_and_exits(draw: &mut Draw) -> Question {
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

/// How many ticks struck in user code, or on the way back there, and how many
/// elsewhere.
fn where_ticks_strike(run: &Run) -> (usize, usize) {
    let user = run.user_code();
    let returned = |at: usize| {
        let mut before = run.records()[..at].iter().rev();
        let last = before.find_map(|record| match record.event {
            Event::Trap { trap, .. } => Some(trap),
            _ => None,
        });
        last.is_some_and(|trap| {
            is_instruction(trap, |one| {
                matches!(
                    one,
                    SystemInstruction::Sysret { .. } | SystemInstruction::Iret { .. }
                )
            })
        })
    };
    let (inside, outside): (Vec<_>, Vec<_>) =
        injections(run).partition(|(at, record, _)| user.contains(&record.rip) || returned(*at));
    (inside.len(), outside.len())
}

fn ticks_in_the_kernel(draw: &mut Draw) -> Question {
    let tick = draw.between(900, 2_500) as u32;
    let name = draw.one_of(&["user", "segments"]);
    let scene = draw.guest(name).on(|order| order.guest_tick(tick));
    let text = format!(
        "Some ticks of `{name}` are due while its kernel serves a system call. Where is the guest \
         when they are injected?"
    );
    let claims = [
        claim(
            "back in user code: `syscall` closes interrupts, and the kernel does not open them",
            |run| matches!(where_ticks_strike(run), (1.., 0)),
        ),
        claim(
            "in the kernel: its code is interrupted, and goes on behind the handler",
            |run| matches!(where_ticks_strike(run), (1.., 1..)),
        ),
        claim("nowhere: what is due in the kernel is lost", |run| {
            matches!(where_ticks_strike(run), (0, 0))
        }),
    ];
    Question::choice(
        "ticks-in-the-kernel",
        scene,
        text,
        draw,
        claims,
        |run: &Run| {
            let (inside, outside) = where_ticks_strike(run);
            let held = exits(run, "window-open");
            format!(
                "{inside} ticks strike in user code, or right behind the way back to it, and {outside} \
             elsewhere. {held} of them were held \
             until a window opened: the return to user mode sets the flag again, from R11 or from \
             the frame"
            )
        },
    )
}

fn how_it_ends(draw: &mut Draw) -> Question {
    let name = draw.one_of(&[
        "broken-tss-missing",
        "broken-tss-stack",
        "intruder",
        "segments",
    ]);
    let text = format!("How does the guest `{name}` end on version 3?");
    let scene = draw.guest(name);
    Question::name("how-it-ends", scene, text, ENDINGS, ending)
}
