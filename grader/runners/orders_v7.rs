//! What is tried with the scheduler of version 7 in many orders of its threads.

use common::devices::Apic;
use common::scripted::{Play, ScriptedVcpu, switched_on};
use common::{Bus, Ending, Exit, Pcpu, Time};
use search::{Scenario, drive};
use std::sync::Arc;
use v5::{Id, Processor};
use v6::Settings;
use v7::{Mitigation, Scheduler};

/// All that is tried.
pub const SCENARIOS: &[Scenario] = &[
    Scenario {
        name: "two vCPUs that wake each other in turn",
        run: ball_game,
    },
    Scenario {
        name: "one vCPU that interrupts all its siblings",
        run: broadcast,
    },
    Scenario {
        name: "one vCPU that switches the machine off while the others sleep",
        run: switching_off,
    },
    Scenario {
        name: "vCPUs that come to their end one by one",
        run: one_by_one,
    },
    Scenario {
        name: "vCPUs that spin and yield to each other",
        run: yielding,
    },
];

/// Slices so short that every turn of a script is several of them.
const SLICE: u64 = 10;
const VECTOR: u8 = 40;
const NAP: [Play; 2] = [Play::Nap, Play::END_OF_INTERRUPT];

type Scripts = Vec<Vec<Play>>;

/// Runs one machine with a vCPU for each script on two physical CPUs, until all
/// is done. How it ended.
fn run(scripts: Scripts, mitigation: Mitigation) -> Option<Ending> {
    let pcpus: Vec<_> = [0, 1].map(|id| Pcpu::new(id, ())).into();
    let kicks = pcpus.iter().map(|pcpu| pcpu.kick.clone());
    let scheduler = Arc::new(Scheduler::new(kicks, SLICE, mitigation));
    let id = start(&scheduler, scripts);
    drive(&scheduler, pcpus, vec![]);
    scheduler.audit().expect("everybody is where they say");
    scheduler.ending(id).expect("it is not destroyed")
}

fn start(scheduler: &Scheduler<ScriptedVcpu>, scripts: Scripts) -> Id {
    let processors = (0..).zip(scripts).map(|(number, script)| {
        let apic = switched_on(Apic::new(number));
        Processor::new(ScriptedVcpu::new(script), apic, ())
    });
    let bus = Bus::new(Box::new(std::io::sink()));
    let id = scheduler.create(processors, bus, Settings::default());
    scheduler.start(id, Time::ZERO).expect("it is new");
    id
}

fn expect(ending: Option<Ending>, expected: Ending) {
    let seen = ending.map_or("the machine is still on".into(), |ending| {
        ending.to_string()
    });
    assert!(
        ending == Some(expected),
        "{seen}, and should have: {expected}"
    );
}

fn ball_game() {
    const ROUNDS: usize = 3;
    let ping = [Play::send(VECTOR, 1), NAP].concat().repeat(ROUNDS);
    let pong = [NAP, Play::send(VECTOR, 0)].concat().repeat(ROUNDS);
    let scripts = vec![
        [ping, vec![Play::SWITCH_OFF]].concat(),
        [pong, vec![Play::Nap]].concat(),
    ];
    expect(run(scripts, Mitigation::None), Ending::Exited(0));
}

/// Number 0 interrupts the three others, and each of them answers once.
fn broadcast() {
    const OTHERS: u32 = 0xc_0000;
    let all = Play::write_apic(
        common::devices::apic::register::COMMAND,
        OTHERS | u32::from(VECTOR),
    );
    let mut first = vec![all];
    // The answers have vectors of their own, or they would merge.
    first.extend(NAP.repeat(3));
    first.push(Play::SWITCH_OFF);
    let answers = (1..4).map(|number| {
        let answer = Play::send(VECTOR + number, 0);
        [&NAP[..], &answer, &[Play::Nap]].concat()
    });
    let scripts = std::iter::once(first).chain(answers).collect();
    expect(run(scripts, Mitigation::None), Ending::Exited(0));
}

fn switching_off() {
    let scripts = vec![
        vec![Play::Nap],
        vec![Play::Compute(60), Play::Nap],
        vec![Play::Compute(25), Play::SWITCH_OFF],
        vec![Play::HALT],
    ];
    expect(run(scripts, Mitigation::None), Ending::Exited(0));
}

fn one_by_one() {
    let scripts = vec![
        vec![Play::Compute(5), Play::HALT],
        vec![Play::Nap],
        [&Play::send(VECTOR, 1)[..], &[Play::HALT]].concat(),
    ];
    // Number 1 wakes, and then its script is over: it halts, too.
    let scripts = scripts
        .into_iter()
        .enumerate()
        .map(|(number, script)| match number {
            1 => [&script[..], &[Play::END_OF_INTERRUPT, Play::HALT]].concat(),
            _ => script,
        })
        .collect();
    expect(run(scripts, Mitigation::None), Ending::Halted);
}

fn yielding() {
    let spins = [Play::Compute(3), Play::Exit(Exit::SpinLoop)].repeat(8);
    let mut last = spins.clone();
    last.push(Play::SWITCH_OFF);
    let rest = [spins, vec![Play::Nap]].concat();
    let scripts = vec![rest.clone(), rest, last];
    expect(run(scripts, Mitigation::SpinExits), Ending::Exited(0));
}
