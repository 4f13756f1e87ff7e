//! `interrupt-heavy`: thousands of ticks, each with a handler of a few lines.
//!
//! It does hardly any work between two ticks, and it asks much of the
//! hypervisor: each tick is a delivery, an access to the APIC and a return. On a
//! shared CPU that time is its own, and must not be taken from the others.
//! (QEMU does not keep up with such a tick: there the image is given a longer
//! one.)

use crate::asm::Asm;
use crate::catalogue::{Expected, Guest};
use crate::image::Image;
use crate::kernel::apic::{self, TIMER_VECTOR, Timer};
use crate::kernel::interrupts::{self, FULL_LIMIT, Gate};
use crate::random::Random;
use crate::{console, kernel, program, x64};

/// The catalogue's entry.
pub(super) const GUEST: Guest = Guest {
    name: "interrupt-heavy",
    about: "takes thousands of timer ticks with hardly any work between them",
    vcpus: 1,
    build,
    expected,
};

/// Ticks of time between two interrupts: a few times as long as the handler.
const PERIOD: u32 = 400;

fn ticks(seed: u64) -> i32 {
    Random::new(seed).between(2_000, 4_000) as i32
}

fn build(seed: u64) -> Image {
    let ticks = ticks(seed);
    kernel::build(|asm| {
        let tick = asm.new_label();
        asm.words("ticks", &[0]);
        interrupts::gate(asm, TIMER_VECTOR, Gate::Interrupt, tick);
        interrupts::load(asm, FULL_LIMIT);
        console::text(asm, BEGIN);
        apic::enable(asm, Timer::Periodic, PERIOD);
        apic::start_timer(asm);
        x64!(asm
            ; sti
            ; wait:
            ; cmp DWORD [->ticks], ticks
            ; jb <wait
            ; cli
        );
        console::text(asm, "interrupt-heavy: took ");
        x64!(asm ; mov eax, [->ticks]);
        console::decimal(asm);
        console::text(asm, END);
        program::exit(asm, 0);
        interrupts::handler(asm, "tick", tick, TIMER_VECTOR, |asm| on_tick(asm, ticks));
    })
}

const BEGIN: &str = "interrupt-heavy: at your service\n";
const END: &str = " ticks\n";

/// Counts the tick; behind the last one it stops the timer.
fn on_tick(asm: &mut Asm, ticks: i32) {
    x64!(asm
        ; cmp DWORD [->ticks], ticks
        ; je >done                      // one more that was already on its way
        ; inc DWORD [->ticks]
        ; cmp DWORD [->ticks], ticks
        ; jb >done
    );
    apic::stop_timer(asm);
    x64!(asm ; done:);
    apic::end_of_interrupt(asm);
}

fn expected(seed: u64) -> Expected {
    let ticks = ticks(seed);
    Expected::exit(format!("{BEGIN}interrupt-heavy: took {ticks}{END}"), 0)
}
