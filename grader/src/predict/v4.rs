//! Questions about version 4: what threads are to the VMM.

use super::draw::Draw;
use super::question::{Question, claim};
use super::quiz::Kind;
use super::reading::{accesses, exits, injections, symbol, traps};
use crate::checks::Run;
use common::trace::{Device, Event};
use common::{SystemInstruction, Trap};

pub(super) const KINDS: &[Kind] = &[
    unreturned,
    interrupted,
    second_nap,
    refused,
    console_exits,
    switches,
    price_of_a_bomb,
];

/// Each thread ends with a call that never returns.
fn unreturned(draw: &mut Draw) -> Question {
    let scene = draw.guest("cooperate");
    let console = scene.console();
    let threads = console.matches("cooperate: thread").count();
    let text = format!(
        "The first thread of `cooperate` makes {threads} others. How many more `syscall` than \
         `sysretq` are there, when all threads have ended?"
    );
    Question::number("unreturned", scene, text, |run: &Run| {
        let calls = traps(run, |one| one == SystemInstruction::Syscall);
        let returns = traps(run, |one| matches!(one, SystemInstruction::Sysret { .. }));
        let why = format!(
            "{calls} calls, {returns} returns: the call that ends a thread does not return, and \
             each thread makes one, the first one, too. (A new thread begins with `iretq`.)"
        );
        Some((calls.checked_sub(returns)?, why))
    })
}

/// Round robin, seen from outside.
fn interrupted(draw: &mut Draw) -> Question {
    let tick = draw.between(900, 1_600) as u32;
    let place = draw.between(5, 45);
    let scene = draw.guest("preempt").on(|order| order.guest_tick(tick));
    let threads = scene.console().matches("preempt: thread").count();
    let text = format!(
        "The first thread of `preempt` makes the threads 0 to {} and ends. They compute, and each \
         tick hands the CPU to the next. The ticks that strike in one of these threads, counted \
         from 1: which thread does number {place} strike?",
        threads - 1
    );
    Question::number("interrupted", scene, text, move |run: &Run| {
        let struck = injections(run).filter_map(|(_, record, _)| {
            let name = symbol(run, record.rip).strip_prefix("thread_")?;
            name.parse::<u64>().ok()
        });
        let struck: Vec<_> = struck.take(place as usize).collect();
        let last = *struck.get(place as usize - 1)?;
        let first: Vec<_> = struck.iter().take(8).map(u64::to_string).collect();
        let why = format!(
            "the ticks strike the threads {}, and so on in turn; number {place} strikes {last}",
            first.join(", ")
        );
        Some((last, why))
    })
}

/// The lines of those who wake.
fn wakings(console: &str) -> Vec<u64> {
    let threads = console.lines().filter_map(|line| {
        let rest = line.strip_prefix("sleepers: thread ")?;
        rest.split(' ').next()?.parse().ok()
    });
    threads.collect()
}

fn second_nap(draw: &mut Draw) -> Question {
    let tick = draw.between(900, 1_600) as u32;
    let scene = draw.guest("sleepers").on(|order| order.guest_tick(tick));
    let order = wakings(&scene.console());
    let threads = order.len() / 2;
    let place = draw.between(0, threads as u64) as usize;
    let first: Vec<_> = order[..threads].iter().map(u64::to_string).collect();
    let text = format!(
        "The threads of `sleepers` wake from their first nap in the order {}. Each sleeps until a \
         tick of its own, and from then on until a tick that is equally later for all. Which \
         thread is number {} to wake from the second nap?",
        first.join(", "),
        place + 1
    );
    Question::number("second-nap", scene, text, move |run: &Run| {
        let console = String::from_utf8_lossy(&run.observation.evidence.console).into_owned();
        let woken = wakings(&console);
        let thread = *woken.get(threads + place)?;
        let halts = exits(run, "halted");
        let ticks = injections(run).count();
        let why = format!(
            "who wakes is decided by the tick that a thread waits for, and not by its number. \
             Nearly all of the time nobody is ready, and the whole VM sleeps: {halts} halts in \
             {ticks} ticks"
        );
        Some((thread, why))
    })
}

/// The numbers in a text.
fn numbers(text: &str) -> Vec<u64> {
    let digits = text.split(|letter: char| !letter.is_ascii_digit());
    digits.filter_map(|digits| digits.parse().ok()).collect()
}

fn refused(draw: &mut Draw) -> Question {
    let tick = draw.between(700, 1_500) as u32;
    let scene = draw.guest("fork-bomb").on(|order| order.guest_tick(tick));
    let room = numbers(&scene.console()).first().copied().unwrap_or(0);
    let text = format!(
        "The table of threads in the kernel of `fork-bomb` has room for {room}. Every thread makes \
         others until its kernel refuses it, once. How many times does the kernel refuse?"
    );
    Question::number("refused", scene, text, |run: &Run| {
        let console = String::from_utf8_lossy(&run.observation.evidence.console).into_owned();
        let &[created, refused, ..] = &numbers(&console)[..] else {
            return None;
        };
        let why = format!(
            "the kernel counts {created} threads and {refused} refusals. No refusal is an exit: \
             the table is the guest's, and so is its end"
        );
        Some((refused, why))
    })
}

fn console_exits(draw: &mut Draw) -> Question {
    let name = draw.one_of(&["cooperate", "sleepers", "fork-bomb"]);
    let scene = draw.guest(name);
    let console = scene.console();
    let text = format!(
        "The threads and the kernel of `{name}` print {} bytes in all. How many `port-out` exits \
         reach the monitor?",
        console.len()
    );
    Question::number("console-exits", scene, text, |run: &Run| {
        let printed = accesses(run.records(), Device::Serial).filter(|access| access.write);
        let why = format!(
            "{} bytes and one `out` to the exit port, as with a guest that has no threads at all: \
             the monitor cannot tell",
            printed.count()
        );
        Some((exits(run, "port-out"), why))
    })
}

/// Traps in the code that switches from one thread to another.
fn traps_of_switches(run: &Run) -> usize {
    let in_switch = |rip| ["switch_threads", "pick_thread"].contains(&symbol(run, rip));
    run.traps()
        .filter(|(_, record, trap)| *trap != Trap::Budget && in_switch(record.rip))
        .count()
}

fn is_task_register(one: SystemInstruction) -> bool {
    matches!(one, SystemInstruction::Ltr { .. })
}

fn is_page_table(one: SystemInstruction) -> bool {
    matches!(one, SystemInstruction::WriteControl { control: 3, .. })
}

fn times(number: u64) -> String {
    crate::text::count(number as usize, "time")
}

fn switches(draw: &mut Draw) -> Question {
    let tick = draw.between(900, 1_600) as u32;
    let name = draw.one_of(&["cooperate", "preempt", "sleepers"]);
    let scene = draw.guest(name).on(|order| order.guest_tick(tick));
    let text = format!(
        "The kernel of `{name}` switches from one thread to another, many times. How does the VMM \
         notice a switch?"
    );
    let claims = [
        claim(
            "not at all: registers and a word of the TSS are moved, and nothing traps",
            |run| traps_of_switches(run) == 0,
        ),
        claim(
            "the task register is loaded anew for each thread, and `ltr` traps",
            |run| traps(run, is_task_register) > 1,
        ),
        claim(
            "each thread has page tables of its own, and the write to CR3 traps",
            |run| traps(run, is_page_table) > 1,
        ),
    ];
    Question::choice("switches", scene, text, draw, claims, |run: &Run| {
        format!(
            "{} traps come from `pick_thread` and `switch_threads`. `ltr` traps {} and CR3 is \
             written {}, before the first thread runs. A store into the TSS is a store",
            traps_of_switches(run),
            times(traps(run, is_task_register)),
            times(traps(run, is_page_table))
        )
    })
}

/// Traps of `swapgs`, `iretq` and the APIC behind each tick, up to the way out of
/// its handler.
fn traps_of_ticks(run: &Run) -> Vec<usize> {
    let mut all = Vec::new();
    let mut open = None;
    for record in run.records() {
        match record.event {
            Event::Inject(_) => open = Some(0),
            Event::Trap { trap, .. } if trap != Trap::Budget => {
                let Some(count) = &mut open else {
                    continue;
                };
                *count += 1;
                if is_return(trap) {
                    all.extend(open.take());
                }
            }
            _ => {}
        }
    }
    all
}

fn is_return(trap: Trap) -> bool {
    let Trap::System { instruction, .. } = trap else {
        return false;
    };
    matches!(
        instruction,
        SystemInstruction::Iret { .. } | SystemInstruction::Sysret { .. }
    )
}

/// The most traps of one tick, in the first half of the run and in the second.
fn most_of_a_tick(run: &Run) -> (usize, usize) {
    let ticks = traps_of_ticks(run);
    let (early, late) = ticks.split_at(ticks.len() / 2);
    let most = |part: &[usize]| part.iter().max().copied().unwrap_or(0);
    (most(early), most(late))
}

fn price_of_a_bomb(draw: &mut Draw) -> Question {
    let tick = draw.between(700, 1_500) as u32;
    let scene = draw.guest("fork-bomb").on(|order| order.guest_tick(tick));
    let text = "The bomb goes off, and the kernel of `fork-bomb` has ever more threads. What does \
                the VMM have to do for one tick, from the injection to the return from the \
                handler?";
    let claims = [
        claim(
            "as much as with one thread: it does not depend on how many there are",
            |run| {
                let (early, late) = most_of_a_tick(run);
                early > 0 && late <= early
            },
        ),
        claim(
            "more and more, as each thread's registers have to be moved by it",
            |run| {
                let (early, late) = most_of_a_tick(run);
                late > early
            },
        ),
        claim(
            "nothing: a tick in user mode goes to the guest's kernel without a trap",
            |run| most_of_a_tick(run) == (0, 0),
        ),
    ];
    Question::choice("price-of-a-bomb", scene, text, draw, claims, |run: &Run| {
        let (early, late) = most_of_a_tick(run);
        format!(
            "at most {early} traps for a tick in the first half of the run, and {late} in the \
             second. A thread is a row in the guest's table, and the VMM has one virtual CPU"
        )
    })
}
