//! Questions about version 5: who gets the CPU, when, and what it costs others.

use super::draw::Draw;
use super::question::{Question, claim};
use super::quiz::Kind;
use super::reading::{end_of, grouped, percent, ticks};
use super::scene::Scene;
use crate::checks::HostRun;
use crate::vm_fate::VmFate;
use common::trace::Event;
use common::{Ending, Exit};
use evidence::host::Deed;

pub(super) const KINDS: &[Kind] = &[
    share,
    turns,
    late_start,
    pause,
    successes,
    end_of_a_turn,
    steal,
];

/// The usual length of a turn.
const SLICE: u64 = 10_000;

/// What a VM weighs counts.
fn share(draw: &mut Draw) -> Question {
    let weights = (0..draw.between(2, 4)).map(|_| draw.between(1, 9) as u32 * 50);
    let weights: Vec<_> = weights.collect();
    let asked = draw.between(0, weights.len() as u64) as u32;
    let hogs: Vec<_> = weights
        .iter()
        .map(|weight| draw.hog().weight(*weight))
        .collect();
    let scene = Scene::Vms(draw.host(hogs).limit(2_000_000));
    let all: Vec<_> = weights.iter().map(u32::to_string).collect();
    let text = format!(
        "VMs that always compute share one physical CPU; their weights are {}. What percentage of \
         the time does vm {asked} get?",
        all.join(", ")
    );
    let question = Question::number("share", scene, text, move |run: &HostRun| {
        let (ran, all) = (run.ran(asked), end_of(run).0);
        let why = format!(
            "vm {asked} ran for {} of {} ticks. A turn costs it less the more it weighs, so it \
             comes so much more often: its weight, of {} for all together",
            grouped(ran),
            grouped(all),
            weights.iter().sum::<u32>()
        );
        Some((percent(ran, all), why))
    });
    question.within(2)
}

/// Turns that only the slice ends.
fn turns(draw: &mut Draw) -> Question {
    let slice = draw.between(8, 40) * 500;
    let count = draw.between(20, 60);
    let vms: Vec<_> = (0..draw.between(2, 5)).map(|_| draw.hog()).collect();
    let limit = slice * count;
    let text = format!(
        "{} VMs of equal weight compute for ever on one physical CPU. A turn is {} ticks long, and \
         at {} all is over. How many turns are there, which is to say lines with `runs` in the \
         trace?",
        vms.len(),
        grouped(slice),
        grouped(limit)
    );
    let scene = Scene::Vms(draw.host(vms).slice(slice).limit(limit));
    let question = Question::number("turns", scene, text, |run: &HostRun| {
        let stays = run.stays();
        let longest = stays.iter().map(|stay| stay.to.since(stay.from)).max()?;
        let why = format!(
            "nobody halts, so only the end of the slice ends a turn. There are {} turns, the \
             longest of {} ticks, one VM after the other",
            stays.len(),
            grouped(longest)
        );
        Some((stays.len() as u64, why))
    });
    question.within(1)
}

/// Nobody is paid for the time before.
fn late_start(draw: &mut Draw) -> Question {
    let start = draw.between(4, 15) * 40_000;
    let limit = start + draw.between(4, 15) * 40_000;
    let vms = [draw.hog(), draw.hog().start(start)];
    let text = format!(
        "Vm 0 computes for ever. Vm 1, of the same weight, does, too, but is started at {}. For \
         how many ticks has vm 1 run when all is over, at {}?",
        grouped(start),
        grouped(limit)
    );
    let scene = Scene::Vms(draw.host(vms).limit(limit));
    let question = Question::number("late-start", scene, text, |run: &HostRun| {
        let stays = run.stays();
        let first = stays.iter().find(|stay| stay.vcpu.vm == 1)?.from;
        let rest = end_of(run).since(first);
        let why = format!(
            "vm 1 runs for the first time at {first}, and of the {} ticks that are left it gets \
             {}: half of them. What vm 0 had before is not made up for, or it would get all",
            grouped(rest),
            grouped(run.ran(1))
        );
        Some((run.ran(1), why))
    });
    question.within(2 * SLICE)
}

/// Nor for a pause.
fn pause(draw: &mut Draw) -> Question {
    let from = draw.between(4, 12) * 20_000;
    let to = from + draw.between(4, 12) * 20_000;
    let limit = to + draw.between(4, 12) * 20_000;
    let vms = [draw.hog(), draw.hog()];
    let text = format!(
        "Two VMs of equal weight compute for ever. Vm 1 is paused from {} to {}. For how many \
         ticks has vm 0 run when all is over, at {}?",
        grouped(from),
        grouped(to),
        grouped(limit)
    );
    let order = draw.host(vms).limit(limit);
    let scene = Scene::Vms(order.at(from, Deed::Pause(1)).at(to, Deed::Resume(1)));
    let question = Question::number("pause", scene, text, move |run: &HostRun| {
        let part = |low: u64, high: u64| {
            let stays = run.stays();
            let own = stays.iter().filter(|stay| stay.vcpu.vm == 0);
            own.map(|stay| stay.to.0.min(high).saturating_sub(stay.from.0.max(low)))
                .sum()
        };
        let [before, during, behind] =
            [(0, from), (from, to), (to, limit)].map(|(low, high)| grouped(part(low, high)));
        let why = format!(
            "vm 0 ran for {before} ticks before the pause, {during} in it and {behind} behind it: \
             half, all, half. The pause is not made up for"
        );
        Some((run.ran(0), why))
    });
    question.within(2 * SLICE)
}

/// Guests that do not end well, and the others beside them.
const TROUBLE: [&str; 5] = [
    "no-gate-at-all",
    "halt",
    "failing",
    "broken-stack",
    "dead-halt",
];

fn successes(draw: &mut Draw) -> Question {
    let mut names: Vec<&str> = (0..draw.between(1, 4))
        .map(|_| draw.one_of(&TROUBLE))
        .collect();
    let well = draw.between(1, 4);
    names.extend((0..well).map(|_| draw.one_of(&["hog", "talker", "compute", "idle"])));
    let names = draw.shuffled(names);
    let vms: Vec<_> = names.iter().map(|name| draw.vm(name)).collect();
    let text = format!(
        "These VMs share one physical CPU: {}. How many of them end with success?",
        names.join(", ")
    );
    let scene = Scene::Vms(draw.host(vms));
    Question::number("successes", scene, text, |run: &HostRun| {
        let good = VmFate::Ended(Ending::Exited(0));
        let well = run.vms().filter(|vm| run.fate_of(*vm) == good).count();
        let others = run.vms().filter(|vm| run.fate_of(*vm) != good);
        let ending = |vm| match run.fate_of(vm) {
            VmFate::Ended(ending) => ending.to_string(),
            other => other.to_string(),
        };
        let others: Vec<_> = others
            .map(|vm| format!("vm {vm}: {}", ending(vm)))
            .collect();
        let why = format!(
            "the others end as they would alone ({}), and it costs nobody else anything but the \
             time that they ran",
            others.join("; ")
        );
        Some((well as u64, why))
    })
}

/// How many turns ended with a halt, at the end of the slice, and before it.
fn ends_of_turns(run: &HostRun) -> [usize; 3] {
    let slice = run.order.scenario.slice;
    let records = &run.evidence().records;
    let mut ends = [0; 3];
    for stay in run.stays() {
        let turn = records[stay.at + 1..].iter();
        let turn = turn.take_while(|one| !matches!(one.event, Event::Runs(_) | Event::Idle));
        let exits = turn.filter_map(|record| match record.event {
            Event::Exit(exit) => Some(exit),
            _ => None,
        });
        match exits.last() {
            Some(Exit::Halted) => ends[0] += 1,
            Some(Exit::PortOut { .. }) => {} // its VM's end, and not only the turn's
            _ if stay.to.since(stay.from) >= slice => ends[1] += 1,
            _ => ends[2] += 1,
        }
    }
    ends
}

fn end_of_a_turn(draw: &mut Draw) -> Question {
    let vms: Vec<_> = (0..draw.between(2, 4)).map(|_| draw.vm("talker")).collect();
    let text = format!(
        "{} talkers share one physical CPU, and a turn is a thousand million ticks long. What ends \
         their turns, nearly always?",
        vms.len()
    );
    let scene = Scene::Vms(draw.host(vms).slice(1_000_000_000));
    let claims = [
        claim("a halt: who sleeps leaves the CPU to the others", |run| {
            let [halts, slices, ticks] = ends_of_turns(run);
            halts > 3 * (slices + ticks)
        }),
        claim(
            "the host's timer, which rings at the end of the slice",
            |run| {
                let [halts, slices, ticks] = ends_of_turns(run);
                slices > 3 * (halts + ticks)
            },
        ),
        claim(
            "the tick of whoever sleeps: it pushes the one that runs away",
            |run| {
                let [halts, slices, ticks] = ends_of_turns(run);
                ticks > 3 * (halts + slices)
            },
        ),
    ];
    Question::choice(
        "end-of-a-turn",
        scene,
        text,
        draw,
        claims,
        |run: &HostRun| {
            let [halts, slices, ticks] = ends_of_turns(run);
            format!(
                "{halts} turns end with a `halted` exit, {slices} with the slice, and {ticks} before \
             that, as a sleeper's tick was due. No timer of the host is needed for guests that are \
             polite"
            )
        },
    )
}

/// For how long a VM that never sleeps waited, and for how long all others ran
/// until it ended.
fn waited_and_others(run: &HostRun, vm: u32) -> Option<(u64, u64)> {
    let until = run.ended_at(vm)?;
    let others = ticks(&run.stays(), |stay| stay.vcpu.vm != vm && stay.from < until);
    Some((run.account(vm)?.waiting, others))
}

fn steal(draw: &mut Draw) -> Question {
    let talkers = draw.between(1, 4) as usize;
    let mut vms: Vec<_> = (0..talkers).map(|_| draw.vm("talker")).collect();
    vms.push(draw.vm("hog"));
    let hog = talkers as u32;
    let text = format!(
        "A hog computes (vm {hog}) beside {}. It never sleeps. What stands in its column \
         `waiting`, which its customer sees as steal?",
        crate::text::count(talkers, "talker")
    );
    let scene = Scene::Vms(draw.host(vms));
    let is_slices = move |run: &HostRun| {
        let stays = run.stays();
        let own = stays.iter().filter(|stay| stay.vcpu.vm == hog).count() as u64;
        waited_and_others(run, hog).is_some_and(|(waited, _)| waited >= (own - 1) * SLICE)
    };
    let claims = [
        claim("exactly what the others ran until it ended", move |run| {
            waited_and_others(run, hog).is_some_and(|(waited, others)| waited == others)
        }),
        claim(
            "a slice of 10,000 ticks for each time that it lost the CPU",
            is_slices,
        ),
        claim(
            "nothing: who always computes is always the one that runs",
            move |run| waited_and_others(run, hog).is_some_and(|(waited, _)| waited == 0),
        ),
    ];
    Question::choice("steal", scene, text, draw, claims, move |run: &HostRun| {
        let (waited, others) = waited_and_others(run, hog).unwrap_or_default();
        format!(
            "it waited for {} ticks, and until then the others ran for {}. A talker runs for a \
             moment and halts; it does not use up its slice, so nobody waits for one",
            grouped(waited),
            grouped(others)
        )
    })
}
