//! Questions about version 7: what siblings do to each other.

use super::draw::Draw;
use super::question::{Question, claim};
use super::quiz::Kind;
use super::reading::{ENDINGS, accesses, apic_in_words, grouped, name_of, percent};
use super::scene::Scene;
use crate::checks::HostRun;
use crate::host_order::HostOrder;
use crate::vm_fate::VmFate;
use common::Exit;
use common::trace::{Device, Event};
use evidence::host::Policy;

pub(super) const KINDS: &[Kind] = &[
    throws,
    broadcast,
    injections,
    how_it_ends,
    entries,
    spin_reports,
    longest_wait,
];

/// What a guest prints on a machine that is right.
fn console(order: &HostOrder) -> String {
    let vm = &order.vms[0];
    let expected = vm.guest.map(|guest| guest.expected(vm.seed).console);
    String::from_utf8_lossy(&expected.unwrap_or_default()).into_owned()
}

fn exits(run: &HostRun, counts: impl Fn(Exit) -> bool) -> u64 {
    let exits = run.records().filter(|(.., record)| match record.event {
        Event::Exit(exit) => counts(exit),
        _ => false,
    });
    exits.count() as u64
}

fn injected(run: &HostRun) -> u64 {
    let all = run.records();
    all.filter(|(.., record)| matches!(record.event, Event::Inject(_)))
        .count() as u64
}

/// The guest of this name alone, on some physical CPUs.
fn alone(draw: &mut Draw, name: &str, pcpus: usize) -> HostOrder {
    let vm = draw.vm(name);
    draw.host([vm]).pcpus(pcpus)
}

/// An interrupt takes two writes, and its end one more.
fn throws(draw: &mut Draw) -> Question {
    let order = alone(draw, "ping-pong", 2);
    let console = console(&order);
    let text = format!(
        "`ping-pong` says \"{}\", and of vCPU 1 the same. How many `mmio` exits are there of both \
         together? (guests/src/v7/ping_pong.rs and guests/src/kernel/apic.rs say what each is.)",
        console.lines().next().unwrap_or_default()
    );
    Question::number("throws", Scene::Vms(order), text, |run: &HostRun| {
        let apic = || accesses(&run.evidence().records, Device::Apic);
        let why = format!(
            "the guest's accesses to its APICs: {}. To throw takes two writes, the destination and \
             the command; to catch takes one, the end of the interrupt",
            apic_in_words(apic())
        );
        Some((exits(run, |exit| matches!(exit, Exit::Mmio(_))), why))
    })
}

fn broadcast(draw: &mut Draw) -> Question {
    let pcpus = draw.between(1, 4) as usize;
    let order = alone(draw, "broadcast", pcpus);
    let counts: Vec<_> = console(&order)
        .lines()
        .map(|line| {
            line.split_once("counted ")
                .map_or("", |(_, counts)| counts)
                .to_string()
        })
        .collect();
    let text = format!(
        "The four vCPUs of `broadcast`, on {}, count what comes to them, by vector: {}. To end the \
         game its sender sends one vector more to all. How many interrupts are injected in all?",
        crate::text::count(pcpus, "physical CPU"),
        counts.join("; ")
    );
    Question::number("broadcast", Scene::Vms(order), text, |run: &HostRun| {
        let sent = accesses(&run.evidence().records, Device::Apic);
        let sent = sent
            .filter(|access| access.write && access.address & 0xfff == 0x300)
            .count();
        let all = injected(run);
        let why = format!(
            "{sent} commands become {all} injections: one write can reach four vCPUs, the sender \
             included, and each target takes its interrupt by itself"
        );
        Some((all, why))
    })
}

/// Who waits for the ball sleeps.
fn injections(draw: &mut Draw) -> Question {
    let order = alone(draw, "ping-pong", 1);
    let console = console(&order);
    let text = format!(
        "On one physical CPU `ping-pong` says \"{}\", and of vCPU 1 the same. There is no timer. \
         How many interrupts are injected in all?",
        console.lines().next().unwrap_or_default()
    );
    Question::number("injections", Scene::Vms(order), text, |run: &HostRun| {
        let halts = exits(run, |exit| exit == Exit::Halted);
        let why = format!(
            "each throw is one, and nothing else wakes anybody. The vCPUs halt {halts} times: who \
             sleeps is woken by the letter, and who has not yet halted finds it before"
        );
        Some((injected(run), why))
    })
}

fn how_it_ends(draw: &mut Draw) -> Question {
    let name = draw.one_of(&["stopper", "last-one-out", "all-asleep", "dying", "together"]);
    let pcpus = draw.between(1, 4) as usize;
    let order = alone(draw, name, pcpus);
    let text = format!("How does the machine `{name}` end, with all its vCPUs?");
    Question::name(
        "how-it-ends",
        Scene::Vms(order),
        text,
        ENDINGS,
        |run: &HostRun| {
            let VmFate::Ended(ending) = run.fate_of(0) else {
                return None;
            };
            let halts = exits(run, |exit| exit == Exit::Halted);
            let why = format!(
                "{}, with {halts} halts of its vCPUs. One that halts for good takes nobody along but \
             the last; one that writes to the exit port, or dies, takes all",
                crate::text::ending(ending)
            );
            Some((name_of(ending), why))
        },
    )
}

/// What stands in the runqueue.
fn entries(draw: &mut Draw) -> Question {
    let hogs = draw.between(1, 5) as usize;
    let mut vms = vec![draw.vm("patterns-smp")];
    vms.extend((0..hogs).map(|_| draw.hog()));
    let order = draw.host(vms).limit(8_000_000);
    let text = format!(
        "On one physical CPU run `patterns-smp`, which computes on four vCPUs, and {} with one \
         each; all weigh the same. What percentage of the time does `patterns-smp` get until it \
         ends?",
        crate::text::count(hogs, "hog")
    );
    let question = Question::number("entries", Scene::Vms(order), text, move |run: &HostRun| {
        let until = run.ended_at(0)?;
        let ran = run.ran(0);
        let why = format!(
            "it ran for {} of {} ticks. What stands in the queue are vCPUs, and it has four of \
             {} there",
            grouped(ran),
            until,
            4 + hogs
        );
        Some((percent(ran, until.0), why))
    });
    question.within(3)
}

const POLICIES: [(Policy, &str); 4] = [
    (Policy::None, "nothing is done about spinning"),
    (Policy::SpinExits, "the policy is spin exits"),
    (Policy::YieldPort, "the policy is the yield port"),
    (Policy::CoScheduling, "the policy is co-scheduling"),
];

fn spins(run: &HostRun) -> u64 {
    exits(run, |exit| exit == Exit::SpinLoop)
}

fn yields(run: &HostRun) -> u64 {
    accesses(&run.evidence().records, Device::YieldPort).count() as u64
}

fn spin_reports(draw: &mut Draw) -> Question {
    let (policy, words) = draw.one_of(&POLICIES);
    let name = draw.one_of(&["contended", "contended-yield"]);
    let vms = [draw.vm("hog"), draw.vm(name)];
    let order = draw.host(vms).policy(policy);
    let text = format!(
        "A hog and `{name}` share one physical CPU, and {words}. What does the monitor hear of \
         vCPUs that wait for the lock? (Look what kind of lock this guest has.)"
    );
    let claims = [
        claim("`spin-loop` exits: the CPU notices", |run| spins(run) > 0),
        claim(
            "writes to the yield port: the guest says for whom it waits",
            |run| spins(run) == 0 && yields(run) > 0,
        ),
        claim(
            "nothing: to it a vCPU that spins is one that computes",
            |run| spins(run) == 0 && yields(run) == 0,
        ),
    ];
    Question::choice(
        "spin-reports",
        Scene::Vms(order),
        text,
        draw,
        claims,
        |run: &HostRun| {
            format!(
                "{} `spin-loop` exits and {} writes to the yield port. The CPU reports a loop of \
             `pause` only where the policy has put a filter into the context; and a guest names \
             the holder if it was written to, whatever the host makes of it",
                spins(run),
                yields(run)
            )
        },
    )
}

/// The longest wait for the lock of a VM.
fn longest(run: &HostRun, vm: u32) -> Option<u64> {
    run.probe(vm, "lock_wait_max")?.first().copied()
}

fn longest_wait(draw: &mut Draw) -> Question {
    // Four vCPUs on four physical CPUs, or too few.
    let (name, pcpus, hogs) = draw.one_of(&[
        ("contended", 4, 0),
        ("contended", 1, 1),
        ("contended-pair", 2, 0),
        ("contended-pair", 1, 1),
        ("contended", 2, 2),
    ]);
    let mut vms = vec![draw.vm(name)];
    vms.extend((0..hogs).map(|_| draw.vm("hog")));
    let order = draw.host(vms).pcpus(pcpus);
    let vcpus = order.vms[0].setup.vcpus;
    let text = format!(
        "The {vcpus} vCPUs of `{name}` take one spin lock again and again, for some 200 \
         instructions each time, on {}{}. Nothing is done about spinning; a turn has 10,000 ticks. \
         How long is the longest wait for the lock, and why?",
        crate::text::count(pcpus, "physical CPU"),
        match hogs {
            0 => String::new(),
            _ => format!(", beside {}", crate::text::count(hogs, "hog")),
        }
    );
    let claims = [
        claim(
            "a few critical sections at most: whoever has the lock runs, and is done in a moment",
            |run| longest(run, 0).is_some_and(|longest| longest < 5_000),
        ),
        claim(
            "most of a turn, or several: the holder can lose its physical CPU, and no sibling can \
             go on before it is back",
            |run| longest(run, 0).is_some_and(|longest| (5_000..1_000_000).contains(&longest)),
        ),
        claim(
            "as long as the guest lives: the first to wait is forgotten, and others overtake it",
            |run| longest(run, 0).is_some_and(|longest| longest >= 1_000_000),
        ),
    ];
    Question::choice(
        "longest-wait",
        Scene::Vms(order),
        text,
        draw,
        claims,
        |run: &HostRun| {
            let total = run
                .probe(0, "lock_wait_total")
                .and_then(|total| total.first());
            format!(
                "the guest itself measured it: {} ticks at most, {} in all its waits together. It is \
             long only where a vCPU can lose its physical CPU between taking the lock and giving \
             it back",
                grouped(longest(run, 0).unwrap_or_default()),
                grouped(total.copied().unwrap_or_default())
            )
        },
    )
}
