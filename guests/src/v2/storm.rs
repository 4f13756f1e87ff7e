//! `storm`: a timer so fast that the kernel does nothing but handle its ticks.
//!
//! The next tick is due before the handler of the last has returned, so it
//! strikes at the first chance, right behind `iretq`. What the kernel wanted to
//! do makes no progress until the handler has had enough and stops the timer.
//! The hypervisor must not hang, and must not let ticks pile up on the stack.
//! (QEMU cannot be rained on like this, as its timer counts nanoseconds: there
//! the image is given a longer tick.)

use crate::asm::Asm;
use crate::catalogue::{Expected, Guest};
use crate::image::Image;
use crate::kernel::apic::{self, TIMER_VECTOR, Timer};
use crate::kernel::interrupts::{self, FULL_LIMIT, Gate, frame};
use crate::random::Random;
use crate::{console, kernel, program, x64};

/// The catalogue's entry.
pub(super) const GUEST: Guest = Guest {
    name: "storm",
    about: "starts a timer that is faster than its handler, and stops it after many ticks",
    vcpus: 1,
    build,
    expected,
};

/// How many ticks it takes, and how long they are.
fn parameters(seed: u64) -> (i32, u32) {
    let mut random = Random::new(seed);
    (
        random.between(500, 1000) as i32,
        random.between(1, 20) as u32,
    )
}

fn build(seed: u64) -> Image {
    let (ticks, length) = parameters(seed);
    kernel::build(|asm| {
        let tick = asm.new_label();
        for variable in ["ticks", "stack", "piled_up"] {
            asm.words(variable, &[0]);
        }
        interrupts::gate(asm, TIMER_VECTOR, Gate::Interrupt, tick);
        interrupts::load(asm, FULL_LIMIT);
        console::text(asm, BEGIN);
        apic::enable(asm, Timer::Periodic, length);
        apic::start_timer(asm);
        x64!(asm
            ; push 0                    // so that the CPU has to align the handler's stack
            ; mov [->stack], rsp
            ; sti
            ; wait:
            ; cmp DWORD [->ticks], ticks
            ; jb <wait
            ; cli
        );
        console::text(asm, "storm: over after ");
        x64!(asm ; mov eax, [->ticks]);
        console::decimal(asm);
        console::text(asm, " ticks, ");
        x64!(asm ; mov eax, [->piled_up]);
        console::decimal(asm);
        console::text(asm, END);
        program::exit(asm, 0);
        interrupts::handler(asm, "tick", tick, TIMER_VECTOR, |asm| on_tick(asm, ticks));
    })
}

const BEGIN: &str = "storm: here it comes\n";
const END: &str = " of them inside another\n";

/// Counts the tick, and whether it interrupted anything but the kernel's loop.
fn on_tick(asm: &mut Asm, ticks: i32) {
    x64!(asm
        ; mov rax, [rbp + frame::RSP]
        ; cmp rax, [->stack]
        ; je >in_the_loop
        ; inc DWORD [->piled_up]
        ; in_the_loop:
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
    let (ticks, _) = parameters(seed);
    Expected::exit(format!("{BEGIN}storm: over after {ticks} ticks, 0{END}"), 0)
}
