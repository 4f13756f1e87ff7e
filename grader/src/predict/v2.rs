//! Questions about version 2: what the timer asks for, and what the guest gets.

use super::draw::Draw;
use super::question::{Question, claim};
use super::quiz::Kind;
use super::reading::{
    ENDINGS, EXCEPTIONS, accesses, apic_in_words, ending, exits, grouped, injections,
};
use crate::checks::Run;
use crate::fate::Fate;
use common::trace::{Device, Event};
use common::{Chain, Ending, Exit, SystemInstruction, Trap};

pub(super) const KINDS: &[Kind] = &[
    apic_accesses,
    merged,
    shadow,
    between_ticks,
    windows,
    error_code,
    first_of_chain,
    how_it_ends,
];

/// Each tick ends with one, and there is some setting up.
fn apic_accesses(draw: &mut Draw) -> Question {
    let name = draw.one_of(&["ticks", "idle", "idle-one-shot"]);
    let scene = draw.guest(name);
    let console = scene.console();
    let text = format!(
        "The last line of the guest `{name}` is \"{}\". How many `mmio` exits are there? \
         (guests/src/v2 and guests/src/kernel/apic.rs say what each of them is.)",
        console.lines().last().unwrap_or_default()
    );
    Question::number("apic-accesses", scene, text, |run: &Run| {
        let apic = || accesses(run.records(), Device::Apic);
        let why = format!(
            "each access to the APIC is an exit, since its registers are no memory: {}",
            apic_in_words(apic())
        );
        Some((exits(run, "mmio"), why))
    })
}

/// A request is one bit.
fn merged(draw: &mut Draw) -> Question {
    let tick = draw.between(1_500, 4_000) as u32;
    let scene = draw.guest("masked").on(|order| order.guest_tick(tick));
    let lines = scene.console().replace("masked: ", "");
    let lines: Vec<_> = lines.lines().collect();
    let text = format!(
        "In each round the guest `masked` starts its timer with interrupts closed, watches some \
         periods pass (`p`), stops the timer, and opens interrupts. Its rounds are {}. How often \
         is vector 32 injected in all?",
        lines.join(", ")
    );
    Question::number("merged", scene, text, |run: &Run| {
        let count = injections(run).count() as u64;
        let console = &run.observation.evidence.console;
        let periods = console.iter().filter(|&&byte| byte == b'p').count();
        // The name of the guest is no letter of a round.
        let why = format!(
            "the timer came to its end at least {periods} times. But a request is one bit in the \
             APIC: it is held until it is taken, and a second one finds it set. So each of the \
             rounds ends with one tick: {count}"
        );
        Some((count, why))
    })
}

/// How many instructions retired between the last `sti` and each injection.
fn behind_sti(run: &Run) -> Vec<u64> {
    let mut since = None;
    let mut all = Vec::new();
    for record in run.records() {
        match record.event {
            Event::Trap { trap, retired } => {
                since = since.map(|since: u64| since + retired);
                if is_sti(trap) {
                    since = Some(0);
                }
            }
            Event::Inject(_) => all.extend(since.take()),
            _ => {}
        }
    }
    all
}

fn is_sti(trap: Trap) -> bool {
    let instruction = match trap {
        Trap::System { instruction, .. } => instruction,
        _ => return false,
    };
    instruction == SystemInstruction::Sti
}

fn shadow(draw: &mut Draw) -> Question {
    let tick = draw.between(1_500, 4_000) as u32;
    let scene = draw.guest("masked").on(|order| order.guest_tick(tick));
    let text = "A tick has been held while the guest `masked` had interrupts closed. Now comes \
                `sti`. When is the tick injected?";
    let all = |run: &Run, holds: fn(u64) -> bool| {
        let seen = behind_sti(run);
        !seen.is_empty() && seen.into_iter().all(holds)
    };
    let claims = [
        claim(
            "at once: the next instruction is the handler's",
            move |run| all(run, |retired| retired == 0),
        ),
        claim("one instruction later, and before the second", move |run| {
            all(run, |retired| retired == 1)
        }),
        claim(
            "when the host's timer rings for the next time",
            move |run| all(run, |retired| retired > 1),
        ),
    ];
    Question::choice("shadow", scene, text, draw, claims, |run: &Run| {
        let seen = behind_sti(run);
        format!(
            "each of the {} ticks comes {} instruction behind `sti`: it opens interrupts only \
             behind the next one. A kernel that says `sti; hlt` must be asleep when the tick comes",
            seen.len(),
            seen.first().copied().unwrap_or_default()
        )
    })
}

/// While the guest sleeps, time jumps.
fn between_ticks(draw: &mut Draw) -> Question {
    let tick = draw.between(3_000, 30_000);
    let last = draw.between(4, 15);
    let scene = draw.guest("idle");
    let scene = scene.on(|order| order.guest_tick(tick as u32));
    let text = format!(
        "The guest `idle` sleeps between the ticks of its timer, which are {} apart. How many \
         ticks of time lie between the first injection and number {last}?",
        grouped(tick)
    );
    Question::number("between-ticks", scene, text, move |run: &Run| {
        let times: Vec<_> = injections(run).map(|(_, record, _)| record.time).collect();
        let (first, last_time) = (*times.first()?, *times.get(last as usize - 1)?);
        let why = format!(
            "the first comes at {first}, number {last} at {last_time}. A periodic timer counts on \
             while the handler runs, and while the guest sleeps nothing else does: its clock \
             jumps to the next tick"
        );
        Some((last_time.since(first), why))
    })
}

/// The injections right behind a window.
fn in_windows(run: &Run) -> usize {
    let before = injections(run).filter_map(|(at, ..)| {
        let mut before = run.records()[..at].iter().rev();
        before.find_map(|record| match record.event {
            Event::Exit(exit) => Some(exit),
            _ => None,
        })
    });
    before.filter(|exit| *exit == Exit::WindowOpen).count()
}

fn windows(draw: &mut Draw) -> Question {
    let tick = draw.between(2_000, 6_000) as u32;
    let scene = draw.guest("ticks").on(|order| order.guest_tick(tick));
    let text = "The guest `ticks` closes interrupts again and again for a critical section. \
                Some of its ticks come with a `window-open` exit, and others without. Which, and \
                why?";
    let exits_and_ticks = |run: &Run| (exits(run, "window-open") as usize, injections(run).count());
    let claims = [
        claim(
            "without: those that are due while interrupts are open; the window is for those that \
             had to be held, one each",
            move |run| {
                let (windows, ticks) = exits_and_ticks(run);
                windows == in_windows(run) && 0 < windows && windows < ticks
            },
        ),
        claim(
            "without: those that follow another tick so soon that one window serves both",
            move |run| {
                let (windows, _) = exits_and_ticks(run);
                windows < in_windows(run)
            },
        ),
        claim(
            "with: every tick; what comes without was asked for by the guest itself",
            move |run| {
                let (windows, ticks) = exits_and_ticks(run);
                windows == ticks
            },
        ),
    ];
    Question::choice("windows", scene, text, draw, claims, move |run: &Run| {
        let (windows, ticks) = exits_and_ticks(run);
        format!(
            "of {ticks} ticks {windows} found interrupts closed, were held, and came in a window \
             of their own. The other {} were injected as soon as they were due",
            ticks - windows
        )
    })
}

/// The bits of a page fault's code.
fn error_code(draw: &mut Draw) -> Question {
    let scene = draw.guest("exceptions");
    let console = scene.console();
    let faults: Vec<_> = console
        .lines()
        .filter(|line| line.contains("vector 14"))
        .collect();
    let place = draw.between(0, faults.len() as u64) as usize;
    let deed = match faults[place].contains("0x02") {
        true => "stores to",
        false => "loads from",
    };
    let text = format!(
        "With its page fault number {}, the kernel of `exceptions` {deed} an address where \
         nothing is mapped. Which error code does its handler get? (SDM vol. 3, \"Page-Fault \
         Exceptions\")",
        place + 1
    );
    Question::number("error-code", scene, text, move |run: &Run| {
        let mut faults = run.traps().filter_map(|(.., trap)| match trap {
            Trap::Fault(fault) if fault.vector() == 14 => Some(fault),
            _ => None,
        });
        let fault = faults.nth(place)?;
        let code = fault.error_code()?;
        let why = format!(
            "the fault is \"{fault}\": bit 0 is 0, as nothing is mapped; bit 1 is {}, and says \
             whether it was a write; bit 2 is 0, as the kernel did it",
            code >> 1 & 1
        );
        Some((code.into(), why))
    })
}

const BROKEN: [&str; 5] = [
    "no-gate-at-all",
    "broken-selector",
    "broken-stack",
    "broken-idt-limit",
    "broken-handler-unmapped",
];

/// The chain of faults that a guest died of.
fn chain(run: &Run) -> Option<Chain> {
    match run.fate {
        Fate::Ended(Ending::Died(Exit::Shutdown(chain))) => Some(chain),
        _ => None,
    }
}

fn first_of_chain(draw: &mut Draw) -> Question {
    let name = draw.one_of(&BROKEN);
    let scene = draw.guest(name);
    let text = format!(
        "At `deed` the guest `{name}` executes `ud2`, and dies of a triple fault. Which exception \
         is the first in the chain that the shutdown reports, the one whose delivery failed \
         again? (guests/src/v2: `{name}` says what is broken.)"
    );
    Question::name("first-of-chain", scene, text, EXCEPTIONS, |run: &Run| {
        let chain = chain(run)?;
        let name = crate::text::exception(chain.first.vector());
        let known = EXCEPTIONS.iter().find(|one| one.name == name)?;
        let why = format!(
            "the chain is \"{}\": each is what went wrong while the one before it was being \
             delivered",
            Exit::Shutdown(chain)
        );
        Some((known.name, why))
    })
}

fn how_it_ends(draw: &mut Draw) -> Question {
    let name = draw.one_of(&[
        "dead-halt",
        "double-fault",
        "no-gate",
        "ud2-in-handler",
        "idle",
    ]);
    let text = format!("How does the guest `{name}` end on version 2?");
    let scene = draw.guest(name);
    Question::name("how-it-ends", scene, text, ENDINGS, ending)
}
