//! `dead-halt` and `idle-for-ever`: kernels that go to sleep and are never woken.
//!
//! In `dead-halt` everything is prepared for being woken: handler, APIC, a timer
//! that will ring. But `cli` comes before `hlt`, so the tick does not get through.
//! In `idle-for-ever` interrupts are open, but the one-shot timer has rung, and
//! nobody has started it again. Either way the CPU sleeps for ever. A hypervisor
//! must notice, and must not wake it.

use crate::catalogue::{Ending, Expected, Guest, SURVIVED};
use crate::image::Image;
use crate::kernel::apic::{self, TICK, TIMER_VECTOR, Timer};
use crate::kernel::interrupts::{self, FULL_LIMIT, Gate};
use crate::random::Random;
use crate::{console, kernel, program, x64};

/// The catalogue's entries.
pub(super) const GUESTS: [Guest; 2] = [
    Guest {
        name: "dead-halt",
        about: "halts with interrupts closed, although its timer runs and has woken it before",
        vcpus: 1,
        build: |seed| build(&CLOSED, seed),
        expected: |seed| expected(&CLOSED, seed),
    },
    Guest {
        name: "idle-for-ever",
        about: "halts with interrupts open, but its timer, which has woken it before, is not started",
        vcpus: 1,
        build: |seed| build(&UNTIMED, seed),
        expected: |seed| expected(&UNTIMED, seed),
    },
];

/// Why nothing wakes it.
struct Sleep {
    name: &'static str,
    interrupts_are_open: bool,
    farewell: &'static str,
}

const CLOSED: Sleep = Sleep {
    name: "dead-halt",
    interrupts_are_open: false,
    farewell: "halting with interrupts closed",
};

const UNTIMED: Sleep = Sleep {
    name: "idle-for-ever",
    interrupts_are_open: true,
    farewell: "halting with no timer",
};

/// How often it sleeps and is woken before.
fn naps(seed: u64) -> i32 {
    Random::new(seed).between(1, 5) as i32
}

fn build(sleep: &Sleep, seed: u64) -> Image {
    kernel::build(|asm| {
        let tick = asm.new_label();
        interrupts::gate(asm, TIMER_VECTOR, Gate::Interrupt, tick);
        interrupts::load(asm, FULL_LIMIT);
        apic::enable(asm, Timer::OneShot, TICK);
        x64!(asm ; mov ebx, naps(seed) ; nap:);
        apic::start_timer(asm);
        x64!(asm ; sti ; hlt ; cli);
        console::text(asm, &sleep.woken());
        x64!(asm
            ; dec ebx
            ; jnz <nap
        );
        console::text(asm, &sleep.last_words());
        match sleep.interrupts_are_open {
            true => x64!(asm ; sti),
            false => apic::start_timer(asm),
        }
        x64!(asm ; ->deed: ; hlt);
        console::text(asm, &format!("{}: still alive\n", sleep.name));
        program::exit(asm, SURVIVED);
        interrupts::handler(asm, "tick", tick, TIMER_VECTOR, apic::end_of_interrupt);
    })
}

impl Sleep {
    fn woken(&self) -> String {
        format!("{}: woken by a tick\n", self.name)
    }

    fn last_words(&self) -> String {
        format!("{}: {}\n", self.name, self.farewell)
    }
}

fn expected(sleep: &Sleep, seed: u64) -> Expected {
    let woken = sleep.woken().repeat(naps(seed) as usize);
    Expected {
        console: (woken + &sleep.last_words()).into_bytes(),
        ending: Ending::Halt,
    }
}
