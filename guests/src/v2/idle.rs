//! `idle` and `idle-one-shot`: kernels with nothing to do but wait for ticks.
//!
//! How they wait is a classic. They close interrupts, look whether there was
//! something to wait for at all, and then execute `sti; hlt` back to back. The
//! shadow of `sti` covers the `hlt`: a tick that is already due is taken when
//! the CPU sleeps, and wakes it. Without the shadow it could be taken between
//! the two, and the kernel would sleep with nothing left to wake it.

use crate::asm::Asm;
use crate::catalogue::{Expected, Guest};
use crate::image::Image;
use crate::kernel::apic::{self, TICK, TIMER_VECTOR, Timer};
use crate::kernel::interrupts::{self, FULL_LIMIT, Gate};
use crate::random::Random;
use crate::{console, kernel, program, x64};

/// The catalogue's entries.
pub(super) const GUESTS: [Guest; 2] = [
    Guest {
        name: "idle",
        about: "sleeps between the ticks of a periodic timer",
        vcpus: 1,
        build: |seed| build("idle", Timer::Periodic, seed),
        expected: |seed| expected("idle", seed),
    },
    Guest {
        name: "idle-one-shot",
        about: "sleeps between ticks, each of which starts the timer for the next",
        vcpus: 1,
        build: |seed| build("idle-one-shot", Timer::OneShot, seed),
        expected: |seed| expected("idle-one-shot", seed),
    },
];

fn ticks(seed: u64) -> i32 {
    Random::new(seed).between(20, 60) as i32
}

fn build(name: &str, timer: Timer, seed: u64) -> Image {
    kernel::build(|asm| {
        let tick = asm.new_label();
        asm.words("ticks", &[0]);
        interrupts::gate(asm, TIMER_VECTOR, Gate::Interrupt, tick);
        interrupts::load(asm, FULL_LIMIT);
        console::text(asm, &format!("{name}: going to sleep\n"));
        apic::enable(asm, timer, TICK);
        apic::start_timer(asm);
        x64!(asm
            ; ->sleep:
            ; cli
            ; cmp DWORD [->ticks], ticks(seed)
            ; je >over
            ; sti
            ; hlt
            ; jmp ->sleep
            ; over:
        );
        console::text(asm, &format!("{name}: woken by "));
        x64!(asm ; mov eax, [->ticks]);
        console::decimal(asm);
        console::text(asm, " ticks\n");
        program::exit(asm, 0);
        interrupts::handler(asm, "tick", tick, TIMER_VECTOR, |asm| {
            on_tick(asm, timer, seed);
        });
    })
}

/// Counts the tick. Behind the last one nothing must follow; before that, a
/// one-shot timer must be started again.
fn on_tick(asm: &mut Asm, timer: Timer, seed: u64) {
    x64!(asm
        ; cmp DWORD [->ticks], ticks(seed)
        ; je >done                      // one more that was already on its way
        ; inc DWORD [->ticks]
        ; cmp DWORD [->ticks], ticks(seed)
        ; jb >go_on
    );
    apic::stop_timer(asm);
    x64!(asm ; jmp >done ; go_on:);
    if timer == Timer::OneShot {
        apic::start_timer(asm);
    }
    x64!(asm ; done:);
    apic::end_of_interrupt(asm);
}

fn expected(name: &str, seed: u64) -> Expected {
    let ticks = ticks(seed);
    Expected::exit(
        format!("{name}: going to sleep\n{name}: woken by {ticks} ticks\n"),
        0,
    )
}
