//! Questions about version 6: who runs where, and who moves.

use super::draw::Draw;
use super::question::{Question, claim};
use super::quiz::Kind;
use super::reading::{end_of, grouped, percent, ticks};
use super::scene::Scene;
use crate::checks::HostRun;
use evidence::host::Deed;

pub(super) const KINDS: &[Kind] = &[
    alone,
    visitors,
    bound,
    heavy,
    unplugged,
    late_neighbour,
    where_they_go,
];

/// Until when those run that never end.
const LIMIT: u64 = 400_000;
/// What a few turns are.
const TURNS: u64 = 30_000;

/// Equal VMs on fewer physical CPUs.
fn alone(draw: &mut Draw) -> Question {
    let pcpus = draw.between(2, 5);
    let vms = pcpus + draw.between(0, pcpus + 1);
    let hogs: Vec<_> = (0..vms).map(|_| draw.hog().home(0)).collect();
    let order = draw.host(hogs).pcpus(pcpus as usize);
    let scene = Scene::Vms(order.limit(LIMIT));
    let text = format!(
        "{vms} VMs of equal weight compute for ever on {pcpus} physical CPUs; all are placed on \
         pcpu 0 at first. How many of them have a physical CPU nearly to themselves (for nine \
         tenths of the time at least)?"
    );
    Question::number("alone", scene, text, |run: &HostRun| {
        let all = end_of(run).0;
        let ran: Vec<_> = run.vms().map(|vm| run.ran(vm)).collect();
        let alone = ran.iter().filter(|&&ran| ran * 10 >= all * 9).count() as u64;
        let shown: Vec<_> = ran.iter().map(|&ran| grouped(ran)).collect();
        let why = format!(
            "at {} they have run for {} ticks. What does not bring two loads closer is not moved, \
             so where the numbers do not divide, some share and some do not",
            grouped(all),
            shown.join(", ")
        );
        Some((alone, why))
    })
}

/// How many VMs run on a physical CPU at any time.
fn visitors(draw: &mut Draw) -> Question {
    let (pcpus, each) = draw.one_of(&[(2, 1), (2, 2), (2, 3), (3, 1), (3, 2), (4, 1), (4, 2)]);
    let asked = draw.between(0, pcpus);
    let vms = pcpus * each;
    let hogs: Vec<_> = (0..vms).map(|_| draw.hog().home(0)).collect();
    let order = draw.host(hogs).pcpus(pcpus as usize);
    let scene = Scene::Vms(order.limit(LIMIT));
    let text = format!(
        "{vms} VMs of equal weight compute for ever on {pcpus} physical CPUs; all are placed on \
         pcpu 0 at first. How many of them are on pcpu {asked} in the second half of the \
         {} ticks?",
        grouped(LIMIT)
    );
    Question::number("visitors", scene, text, move |run: &HostRun| {
        let stays = run.stays();
        let there = |vm: u32| {
            let mut own = stays.iter().filter(|stay| stay.vcpu.vm == vm);
            own.any(|stay| stay.pcpu as u64 == asked && stay.from.0 >= LIMIT / 2)
        };
        let count = run.vms().filter(|vm| there(*vm)).count() as u64;
        let moved: usize = run.vms().map(|vm| run.migrations(vm).len()).sum();
        let why = format!(
            "a pcpu that has nothing fetches, and one that has less does, until the loads are \
             equal: {count} are there. After that nobody moves ({moved} moves of VMs that had run \
             already)"
        );
        Some((count, why))
    })
}

/// Who may run on one physical CPU only.
fn bound(draw: &mut Draw) -> Question {
    let count = draw.between(2, 6);
    let free = draw.between(1, 3);
    let mut vms: Vec<_> = (0..count).map(|_| draw.hog().home(0).affinity(1)).collect();
    vms.extend((0..free).map(|_| draw.hog().home(1)));
    let scene = Scene::Vms(draw.host(vms).pcpus(2).limit(LIMIT));
    let text = format!(
        "{count} VMs may run on pcpu 0 only (`affinity=1`), and {free} on both; all compute for \
         ever with the same weight, and the free ones begin on pcpu 1. What percentage of pcpu 0 \
         does vm 0 get?"
    );
    let question = Question::number("bound", scene, text, move |run: &HostRun| {
        let stays = run.stays();
        let on_zero = ticks(&stays, |stay| stay.pcpu == 0);
        let own = ticks(&stays, |stay| stay.pcpu == 0 && stay.vcpu.vm == 0);
        let guests = ticks(&stays, |stay| {
            stay.pcpu == 0 && u64::from(stay.vcpu.vm) >= count
        });
        let why = format!(
            "on pcpu 0 vm 0 ran for {} of {} ticks, and the free ones for {}. However long its \
             queue is, nobody else may fetch the bound ones",
            grouped(own),
            grouped(on_zero),
            grouped(guests)
        );
        Some((percent(own, on_zero), why))
    });
    question.within(2)
}

/// Loads are weights, and not heads.
fn heavy(draw: &mut Draw) -> Question {
    let light = draw.between(2, 5);
    let weight = 100 * light as u32;
    let mut vms = vec![draw.hog().home(0).weight(weight)];
    vms.extend((0..light).map(|_| draw.hog().home(0)));
    let asked = draw.between(0, 2) as u32;
    let scene = Scene::Vms(draw.host(vms).pcpus(2).limit(LIMIT));
    let text = format!(
        "Vm 0 has a weight of {weight}, and {light} others have 100 each. All compute for ever, on \
         two physical CPUs; all are placed on pcpu 0 at first. For what percentage of the {} ticks \
         does vm {asked} run?",
        grouped(LIMIT)
    );
    let question = Question::number("heavy", scene, text, move |run: &HostRun| {
        let all = end_of(run).0;
        let ran: Vec<_> = run.vms().map(|vm| grouped(run.ran(vm))).collect();
        let why = format!(
            "they ran for {} ticks. What is balanced is weight: {weight} on one side, and {light} \
             times 100 on the other",
            ran.join(", ")
        );
        Some((percent(run.ran(asked), all), why))
    });
    question.within(4)
}

/// A physical CPU that goes.
fn unplugged(draw: &mut Draw) -> Question {
    let at = draw.between(3, 12) * 20_000;
    let limit = at + draw.between(5, 15) * 20_000;
    let vms = [0, 1].map(|home| draw.hog().home(home));
    let order = draw.host(vms).pcpus(2);
    let scene = Scene::Vms(order.limit(limit).at(at, Deed::Unplug(1)));
    let text = format!(
        "Two VMs compute for ever, at home on pcpu 0 and on pcpu 1. At {} pcpu 1 is taken away for \
         good. For how many ticks has vm 1 run when all is over, at {}?",
        grouped(at),
        grouped(limit)
    );
    let question = Question::number("unplugged", scene, text, |run: &HostRun| {
        let stays = run.stays();
        let [first, then] = [1, 0]
            .map(|pcpu| grouped(ticks(&stays, |stay| stay.vcpu.vm == 1 && stay.pcpu == pcpu)));
        let why = format!(
            "{first} ticks on pcpu 1, which it had alone, and {then} on pcpu 0, which the two \
             share from then on"
        );
        Some((run.ran(1), why))
    });
    question.within(TURNS)
}

/// A physical CPU idles until somebody comes.
fn late_neighbour(draw: &mut Draw) -> Question {
    let start = draw.between(3, 20) * 20_000;
    let vms = [draw.hog().home(0), draw.hog().home(0).start(start)];
    let order = draw.host(vms).pcpus(2);
    let scene = Scene::Vms(order.limit(LIMIT));
    let text = format!(
        "Two physical CPUs, and one VM that computes for ever on pcpu 0. At {} a second one of the \
         same kind is started, at home on pcpu 0, too. For how many of the {} ticks does pcpu 1 \
         run anybody?",
        grouped(start),
        grouped(LIMIT)
    );
    let question = Question::number("late-neighbour", scene, text, |run: &HostRun| {
        let stays = run.stays();
        let first = stays.iter().find(|stay| stay.pcpu == 1)?;
        let used = ticks(&stays, |stay| stay.pcpu == 1);
        let why = format!(
            "pcpu 1 sleeps until {}, when {} comes. To move the only VM that computes would bring \
             the loads no closer; and when there are two, one wakes it or is fetched",
            first.from, first.vcpu
        );
        Some((used, why))
    });
    question.within(TURNS)
}

/// Where VM 1 was after its physical CPU had gone at `at` and before it came back.
fn away(run: &HostRun, at: u64, back: u64) -> (u64, u64) {
    let stays = run.stays();
    let part = |pcpu: usize| {
        let own = stays
            .iter()
            .filter(|stay| stay.vcpu.vm == 1 && stay.pcpu == pcpu);
        own.map(|stay| stay.to.0.min(back).saturating_sub(stay.from.0.max(at)))
            .sum()
    };
    (part(0), part(1))
}

fn where_they_go(draw: &mut Draw) -> Question {
    let at = draw.between(3, 8) * 20_000;
    let back = at + draw.between(5, 10) * 20_000;
    let vms = [0, 1].map(|home| draw.hog().home(home));
    let order = draw.host(vms).pcpus(2).limit(LIMIT);
    let order = order.at(at, Deed::Unplug(1)).at(back, Deed::Plug(1));
    let text = format!(
        "Two VMs compute for ever, at home on pcpu 0 and on pcpu 1. Pcpu 1 is away from {} to {}. \
         What becomes of vm 1 in between?",
        grouped(at),
        grouped(back)
    );
    // A pcpu that goes may finish the step that it is in.
    let step = 3_000;
    let claims = [
        claim(
            "it goes on, on pcpu 0, and shares that with vm 0",
            move |run| matches!(away(run, at + step, back), (1.., 0)),
        ),
        claim(
            "it goes on where it is, to the end of its work: only new ones are refused",
            move |run| matches!(away(run, at + step, back), (_, 1..)),
        ),
        claim(
            "it waits in the queue of pcpu 1 until that is back",
            move |run| away(run, at + step, back) == (0, 0),
        ),
    ];
    Question::choice(
        "where-they-go",
        Scene::Vms(order),
        text,
        draw,
        claims,
        move |run: &HostRun| {
            let (on_zero, _) = away(run, at, back);
            let returns = run.migrations(1);
            let returns: Vec<_> = returns
                .iter()
                .map(|stay| format!("to pcpu {} at {}", stay.pcpu, stay.from))
                .collect();
            format!(
                "while pcpu 1 is away vm 1 runs on pcpu 0 for {} ticks. It moves {}",
                grouped(on_zero),
                returns.join(", ")
            )
        },
    )
}
