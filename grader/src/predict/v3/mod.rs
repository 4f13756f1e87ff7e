//! Questions about version 3: who serves the user thread, and what it costs.

mod calls;
mod intruder;

use super::draw::Draw;
use super::question::{Question, claim};
use super::quiz::Kind;
use super::reading::{ENDINGS, accesses, ending, exits, injections};
use crate::checks::Run;
use common::trace::{Device, Event};
use common::{SystemInstruction, Trap};

pub(super) const KINDS: &[Kind] = &[
    intruder::attempt,
    intruder::error_code,
    calls::unreturned,
    calls::price,
    base_registers,
    console_exits,
    calls::exits,
    ticks_in_the_kernel,
    how_it_ends,
];

fn is_instruction(trap: Trap, is: impl Fn(SystemInstruction) -> bool) -> bool {
    matches!(trap, Trap::System { instruction, .. } if is(instruction))
}

/// The first trap in user code that `is` picks, with its place.
fn in_user_code(run: &Run, is: impl Fn(Trap) -> bool) -> Option<(usize, Trap)> {
    let user = run.user_code();
    let mut traps = run.traps();
    traps
        .find(|(_, record, trap)| user.contains(&record.rip) && is(*trap))
        .map(|(at, _, trap)| (at, trap))
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
