//! `dead-halt`: a kernel that goes to sleep with interrupts closed.
//!
//! Everything is prepared for being woken: handler, APIC, a timer that will ring.
//! But `cli` comes before `hlt`, so the tick does not get through, and the CPU
//! sleeps for ever. A hypervisor must notice, and must not wake it.

use crate::catalogue::{Ending, Expected, Guest, SURVIVED};
use crate::image::Image;
use crate::kernel::apic::{self, TICK, TIMER_VECTOR, Timer};
use crate::kernel::interrupts::{self, FULL_LIMIT, Gate};
use crate::random::Random;
use crate::{console, kernel, program, x64};

/// The catalogue's entry.
pub(super) const GUEST: Guest = Guest {
    name: "dead-halt",
    about: "halts with interrupts closed, although its timer runs and has woken it before",
    vcpus: 1,
    build,
    expected,
};

/// How often it sleeps and is woken before.
fn naps(seed: u64) -> i32 {
    Random::new(seed).between(1, 5) as i32
}

fn build(seed: u64) -> Image {
    kernel::build(|asm| {
        let tick = asm.new_label();
        interrupts::gate(asm, TIMER_VECTOR, Gate::Interrupt, tick);
        interrupts::load(asm, FULL_LIMIT);
        apic::enable(asm, Timer::OneShot, TICK);
        x64!(asm ; mov ebx, naps(seed) ; nap:);
        apic::start_timer(asm);
        x64!(asm ; sti ; hlt ; cli);
        console::text(asm, NAP);
        x64!(asm
            ; dec ebx
            ; jnz <nap
        );
        console::text(asm, FAREWELL);
        apic::start_timer(asm);
        x64!(asm ; ->deed: ; hlt);
        console::text(asm, "dead-halt: still alive\n");
        program::exit(asm, SURVIVED);
        interrupts::handler(asm, "tick", tick, TIMER_VECTOR, apic::end_of_interrupt);
    })
}

const NAP: &str = "dead-halt: woken by a tick\n";
const FAREWELL: &str = "dead-halt: halting with interrupts closed\n";

fn expected(seed: u64) -> Expected {
    Expected {
        console: (NAP.repeat(naps(seed) as usize) + FAREWELL).into_bytes(),
        ending: Ending::Halt,
    }
}
