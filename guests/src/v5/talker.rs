//! `talker`: computes a little, says a line, sleeps a tick, and again.
//!
//! While it sleeps its CPU is free for others. Two of them on one CPU take turns
//! at their halts: no timer of the hypervisor is needed to get from one to the
//! other.

use crate::asm::Asm;
use crate::catalogue::{Expected, Guest};
use crate::image::Image;
use crate::kernel::apic::{self, TICK, TIMER_VECTOR, Timer};
use crate::kernel::interrupts::{self, FULL_LIMIT, Gate};
use crate::random::{self, Random};
use crate::{console, kernel, program, x64};

/// The catalogue's entry.
pub(super) const GUEST: Guest = Guest {
    name: "talker",
    about: "computes a little, prints a line and sleeps until its timer's tick, again and again",
    vcpus: 1,
    build,
    expected,
};

/// What the seed decides.
struct Parameters {
    lines: i32,
    /// How many steps of the generator each line takes.
    steps: i32,
    /// Where the generator starts; not 0.
    start: u64,
}

impl Parameters {
    fn new(seed: u64) -> Self {
        let mut random = Random::new(seed);
        Self {
            lines: random.between(8, 16) as i32,
            steps: random.between(100, 400) as i32,
            start: random.next() | 1,
        }
    }
}

fn build(seed: u64) -> Image {
    let Parameters {
        lines,
        steps,
        start,
    } = Parameters::new(seed);
    kernel::build(|asm| {
        let tick = asm.new_label();
        asm.words("ticks", &[0]);
        interrupts::gate(asm, TIMER_VECTOR, Gate::Interrupt, tick);
        interrupts::load(asm, FULL_LIMIT);
        apic::enable(asm, Timer::OneShot, TICK);
        x64!(asm
            ; mov r12, QWORD start as i64
            ; xor ebx, ebx              // EBX: how many lines were said
            ; ->line:
            ; inc ebx
            ; mov rax, r12
            ; mov ecx, steps
            ; step:
        );
        random::advance(asm);
        x64!(asm
            ; dec ecx
            ; jnz <step
            ; mov r12, rax
        );
        say(asm);
        x64!(asm ; cmp ebx, lines ; je ->done);
        sleep(asm);
        x64!(asm ; jmp ->line ; ->done:);
        program::exit(asm, 0);
        interrupts::handler(asm, "tick", tick, TIMER_VECTOR, |asm| {
            x64!(asm ; inc DWORD [->ticks]);
            apic::end_of_interrupt(asm);
        });
    })
}

/// Prints the line of number EBX with the value R12.
fn say(asm: &mut Asm) {
    console::text(asm, "talker: line ");
    x64!(asm ; mov eax, ebx);
    console::decimal(asm);
    console::text(asm, ": ");
    x64!(asm ; mov rax, r12);
    console::hexadecimal(asm, 16);
    console::text(asm, "\n");
}

/// Sleeps until tick number EBX.
fn sleep(asm: &mut Asm) {
    apic::start_timer(asm);
    x64!(asm
        ; not_yet:
        ; sti
        ; hlt
        ; cli
        ; cmp [->ticks], ebx
        ; jb <not_yet
    );
}

fn expected(seed: u64) -> Expected {
    let Parameters {
        lines,
        steps,
        start,
    } = Parameters::new(seed);
    let mut value = start;
    let line = |number| {
        value = (0..steps).fold(value, |value, _| random::advanced(value));
        format!("talker: line {number}: {value:#018x}\n")
    };
    Expected::exit((1..=lines).map(line).collect(), 0)
}
