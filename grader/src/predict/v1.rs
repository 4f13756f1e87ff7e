//! Questions about version 1: what traps, what becomes an exit, and how it ends.

use super::answer::Name;
use super::draw::Draw;
use super::question::{Question, claim};
use super::quiz::Kind;
use super::reading::{ENDINGS, accesses, ending, exits, grouped, symbol};
use crate::checks::Run;
use common::Trap;
use common::trace::{Device, Event};

pub(super) const KINDS: &[Kind] = &[
    console_exits,
    port_reads,
    first_ring,
    longest_stretch,
    deadlines,
    how_it_ends,
    refused,
];

/// One exit for each byte, and one more.
fn console_exits(draw: &mut Draw) -> Question {
    let name = draw.one_of(&["compute", "entry", "failing"]);
    let scene = draw.guest(name);
    let text = format!(
        "The guest `{name}` prints {} bytes, one by one, and ends. How many `port-out` exits reach \
         the monitor?",
        scene.console().len()
    );
    Question::number("console-exits", scene, text, |run: &Run| {
        let printed = accesses(run.records(), Device::Serial).filter(|access| access.write);
        let ends = accesses(run.records(), Device::ExitPort).count();
        let why = format!(
            "each of the {} bytes is an `out` of its own, which a deprivileged CPU may not run; \
             and {ends} `out` goes to the exit port, by which the guest ends",
            printed.count()
        );
        Some((exits(run, "port-out"), why))
    })
}

/// A port read in each round, and the console's questions.
fn port_reads(draw: &mut Draw) -> Question {
    let scene = draw.guest("keeper");
    let console = scene.console();
    let text = format!(
        "The guest `keeper` says \"{}\". In each round it reads a port once; and before each \
         piece of text it asks the serial port's line status once. How many `port-in` exits are \
         there? (guests/src/v1/keeper.rs: `succeed` says how many pieces that line has.)",
        console.trim_end()
    );
    Question::number("port-reads", scene, text, |run: &Run| {
        let all = exits(run, "port-in");
        let asked = accesses(run.records(), Device::Serial)
            .filter(|access| !access.write)
            .count() as u64;
        let why = format!(
            "{} reads of a port that nobody answers, one in each round, and {asked} of the line \
             status, one before each piece of text. An `in` is an exit like an `out`, and the \
             guest waits for the answer",
            grouped(all - asked)
        );
        Some((all, why))
    })
}

/// The functions of `compute`.
const FUNCTIONS: &[Name] = &[
    function("start"),
    function("sieve"),
    function("count_primes"),
    function("fill"),
    function("crc"),
    function("console_text"),
    function("console_decimal"),
    function("console_hexadecimal"),
];

const fn function(name: &'static str) -> Name {
    Name { name, also: &[] }
}

/// Where the host's timer strikes.
fn first_ring(draw: &mut Draw) -> Question {
    let tick = draw.one_of(&[
        20_000, 90_000, 300_000, 450_000, 520_000, 700_000, 1_000_000,
    ]);
    let tick = tick + draw.between(1, 10_000);
    let scene = draw.guest("compute").on(|order| order.tick(tick));
    let text = format!(
        "The host's timer rings every {} ticks, which are instructions here. In which function \
         of `compute` is the guest when it rings for the first time? (The sieve takes two to \
         three instructions for each number that it strikes out.)",
        grouped(tick)
    );
    Question::name("first-ring", scene, text, FUNCTIONS, |run: &Run| {
        let (_, record, _) = run.traps().find(|(.., trap)| *trap == Trap::Budget)?;
        let name = symbol(run, record.rip);
        let known = FUNCTIONS.iter().find(|one| one.name == name)?;
        let why = format!(
            "at time {} the budget is used up, and RIP is in `{name}`. The guest does not find \
             out: it goes on there with all its registers",
            record.time
        );
        Some((known.name, why))
    })
}

/// An entry's budget.
fn longest_stretch(draw: &mut Draw) -> Question {
    let tick = draw.between(1_000, 9_000);
    let scene = draw.guest("compute").on(|order| order.tick(tick));
    let text = format!(
        "With a host's timer that rings every {} ticks: how many instructions of `compute` \
         retire at most between one entry and the next trap?",
        grouped(tick)
    );
    Question::number("longest-stretch", scene, text, |run: &Run| {
        let retired = run
            .records()
            .iter()
            .filter_map(|record| match record.event {
                Event::Trap { retired, .. } => Some(retired),
                _ => None,
            });
        let (entries, longest) = (retired.clone().count(), retired.max()?);
        let why = format!(
            "a deadline becomes a budget of instructions, and computing needs nobody: of {entries} \
             entries the longest has {} instructions",
            grouped(longest)
        );
        Some((longest, why))
    })
}

/// How often the host gets its CPU back.
fn deadlines(draw: &mut Draw) -> Question {
    let tick = draw.between(30, 90) * 100;
    let limit = tick * draw.between(8, 30) + tick / 2;
    let scene = draw.guest("endless");
    let scene = scene.on(|order| order.tick(tick).limit(limit));
    let text = format!(
        "The guest `endless` says one line and loops for ever. The host's timer rings every {} \
         ticks, and at {} its time is over, which is a deadline as well. How many `deadline` \
         exits are there?",
        grouped(tick),
        grouped(limit)
    );
    Question::number("deadlines", scene, text, |run: &Run| {
        let count = exits(run, "deadline");
        let last = run.exits().next_back().map(|(_, record, _)| record.time)?;
        let why = format!(
            "nothing in the guest gives the CPU back, so only the deadline does: {count} times, \
             for the last time at {last}, when all is over"
        );
        Some((count, why))
    })
}

fn how_it_ends(draw: &mut Draw) -> Question {
    let name = draw.one_of(&[
        "halt",
        "failing",
        "privileged",
        "divide",
        "compute",
        "wild-jump",
    ]);
    let text = format!("How does the guest `{name}` end on version 1?");
    let scene = draw.guest(name);
    Question::name("how-it-ends", scene, text, ENDINGS, ending)
}

/// What a VMM does with what it does not understand.
fn refused(draw: &mut Draw) -> Question {
    let name = draw.one_of(&["privileged", "divide", "undefined"]);
    let scene = draw.guest(name);
    let text = format!(
        "At the symbol `deed` the guest `{name}` comes to an instruction that version 1 does not \
         emulate. Where is RIP when all is over, and why?"
    );
    let claims = [
        claim(
            "at `deed`: the trap is reported as it came, and nothing is moved",
            at_deed,
        ),
        claim(
            "behind `deed`: the VMM has skipped the instruction and gone on",
            behind_deed,
        ),
        claim(
            "in a handler of the guest: the VMM has delivered an exception",
            |run| last_rip(run).is_some_and(|rip| symbol(run, rip).starts_with("vector_")),
        ),
    ];
    Question::choice("refused", scene, text, draw, claims, |run: &Run| {
        let last = run.exits().next_back().map(|(.., exit)| exit.to_string());
        format!(
            "the last exit is \"{}\", with RIP at `deed`. To skip it would make the guest believe \
             what is not true, and handlers come with version 2",
            last.unwrap_or_default()
        )
    })
}

fn last_rip(run: &Run) -> Option<u64> {
    Some(run.observation.evidence.end.as_ref()?.registers.rip)
}

fn deed(run: &Run) -> Option<u64> {
    run.observation.image.symbols.address_of("deed")
}

fn at_deed(run: &Run) -> bool {
    last_rip(run).is_some_and(|rip| Some(rip) == deed(run))
}

fn behind_deed(run: &Run) -> bool {
    let behind = |rip| deed(run).is_some_and(|deed| rip > deed && symbol(run, rip) == "deed");
    last_rip(run).is_some_and(behind)
}
