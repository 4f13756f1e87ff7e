//! For tests: a machine with a few records, and a small trace of two vCPUs of one VM
//! and a hog on one physical CPU.

use super::spans::{Life, Machine, Moment};
use super::trace::*;
use common::Image;
use common::trace::{Event as Recorded, VcpuName};

/// Any guest.
pub(super) fn image() -> Image {
    let guest = guests::v1::guest("halt").expect("a guest");
    Image::parse(&guest.build(1).elf()).expect("an image")
}

/// A machine with one VM of two vCPUs, started at 0, of which this is recorded.
pub(super) fn machine(image: &Image, moments: Vec<Moment>, until: u64) -> Machine<'_> {
    let life = Life {
        image,
        vcpus: 2,
        start: Some(0),
        end: None,
        pauses: Vec::new(),
        holds: Vec::new(),
    };
    Machine {
        moments,
        vms: vec![life],
        until,
        has_places: true,
    }
}

/// A record of a vCPU of its VM 0.
pub(super) fn moment(time: u64, pcpu: usize, vcpu: u8, event: Recorded) -> Moment {
    Moment {
        time,
        pcpu,
        rip: 0,
        vcpu: Some(VcpuName { vm: 0, vcpu }),
        event,
    }
}

fn span(vm: u32, vcpu: u8, state: State, (from, to): (u64, u64)) -> Span {
    Span {
        vm,
        vcpu,
        state,
        from,
        to,
        pcpu: (state == State::Running).then_some(0),
        exit: None,
        place: None,
        spins: false,
    }
}

fn event(time: u64, vcpu: u8, kind: Kind, name: &str, text: &str) -> Event {
    Event {
        time,
        pcpu: 0,
        vm: 0,
        vcpu,
        kind,
        name: name.to_string(),
        text: text.to_string(),
        place: String::from("worker+0x04"),
    }
}

fn vm(name: &str, vcpus: u8) -> Vm {
    Vm {
        name: name.to_string(),
        vcpus,
        weight: 100,
        ending: String::from("the guest exited with success"),
        split: Split {
            guest: 590,
            vmm: 10,
            waiting: 500,
            halted: 100,
            paused: 0,
        },
        exits: vec![Count {
            name: String::from("deadline"),
            count: 3,
        }],
        traps: Vec::new(),
        symbols: vec![Symbol {
            address: 0x10_0000,
            name: String::from("worker"),
        }],
    }
}

/// vCPU 0 loses its physical CPU with the lock, and vCPU 1 spins for it.
pub(super) fn example() -> Trace {
    use State::{Halted, Running, Waiting};
    let mut spins = span(0, 1, Running, (600, 900));
    spins.spins = true;
    spins.exit = Some(String::from("deadline"));
    spins.place = Some(String::from("spin_lock+0x06"));
    Trace {
        schema: SCHEMA.to_string(),
        stage: String::from("v7"),
        engine: String::from("interp"),
        again: String::from("cargo lab run v7 --vm contended-pair --vm hog"),
        pcpus: 1,
        until: 1200,
        missing: 0,
        cut: false,
        vms: vec![vm("contended-pair", 2), vm("hog", 1)],
        spans: vec![
            span(0, 0, Running, (0, 300)),
            span(0, 0, Waiting, (300, 900)),
            span(0, 0, Running, (900, 1000)),
            span(0, 0, Halted, (1000, 1200)),
            span(0, 1, Waiting, (0, 600)),
            spins,
            span(1, 0, Waiting, (0, 300)),
            span(1, 0, Running, (300, 600)),
        ],
        interrupts: vec![
            Interrupt {
                vm: 0,
                vcpu: 0,
                vector: 32,
                source: Source::Timer,
                due: 400,
                delivered: Some(900),
                pcpu: Some(0),
                merged: 0,
                words: String::from("tick 32 due at 400, delivered at 900, 500 later"),
            },
            Interrupt {
                vm: 0,
                vcpu: 0,
                vector: 64,
                source: Source::Vcpu { vcpu: 1, pcpu: 0 },
                due: 700,
                delivered: None,
                pcpu: None,
                merged: 0,
                words: String::from("IPI 64 from vcpu 1 sent at 700, never delivered"),
            },
        ],
        holds: vec![Hold {
            vm: 0,
            vcpu: 0,
            from: 300,
            to: 900,
        }],
        events: vec![
            event(100, 0, Kind::Trap, "cli", "after 99 instructions: cli"),
            event(
                300,
                0,
                Kind::Exit,
                "deadline",
                "deadline: the time given is up",
            ),
            event(700, 1, Kind::Device, "apic", "apic command <- 0x40"),
            event(900, 0, Kind::Inject, "32", "vector 32"),
        ],
    }
}
