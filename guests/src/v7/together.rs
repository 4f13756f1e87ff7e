//! `together`: several vCPUs change the same memory at the same time.
//!
//! They draw tickets from one counter, by `lock xadd`, which gives each vCPU a
//! number that nobody else gets; and each marks its tickets as drawn. Beside it
//! stands a counter that is changed in three plain steps (load, add, store):
//! right only because a spin lock lets one vCPU at a time do so. At the end
//! every ticket must have been drawn once, and both counters must agree.

use crate::asm::Asm;
use crate::catalogue::{Expected, Guest};
use crate::image::Image;
use crate::kernel::smp;
use crate::random::Random;
use crate::{console, program, x64};

const VCPUS: u8 = 4;

/// The catalogue's entry.
pub(super) const GUEST: Guest = Guest {
    name: "together",
    about: "draws tickets on four vCPUs, with an atomic counter and a spin lock",
    vcpus: VCPUS,
    build,
    expected,
};

/// How many tickets each vCPU draws.
fn tickets(seed: u64) -> [u64; VCPUS as usize] {
    let mut random = Random::new(seed);
    [(); VCPUS as usize].map(|()| random.between(500, 2_000))
}

fn build(seed: u64) -> Image {
    let tickets = tickets(seed);
    let all: u64 = tickets.iter().sum();
    smp::build(VCPUS, |asm| {
        asm.words("tickets", &tickets);
        for variable in ["next_ticket", "guarded", "guard"] {
            asm.words(variable, &[0]);
        }
        asm.zeroed("drawn", 16, all as usize);
        x64!(asm
            ; lea rax, [->tickets]
            ; mov r14, [rax + 8 * r15]  // R14: how many I draw
            ; mov rbx, r14
        );
        smp::gather(asm);
        x64!(asm ; ->draw:);
        draw_ticket(asm);
        add_guarded(asm);
        x64!(asm ; dec rbx ; jnz ->draw);
        smp::in_turn(asm, |asm| {
            smp::introduce(asm, "together");
            console::text(asm, " drew ");
            x64!(asm ; mov rax, r14);
            console::decimal(asm);
            console::text(asm, " tickets\n");
        });
        smp::leave_to_first(asm);
        report(asm, all as i32);
    })
}

/// Draws a ticket and marks it.
fn draw_ticket(asm: &mut Asm) {
    x64!(asm
        ; mov eax, 1
        ; lock xadd [->next_ticket], rax
        ; lea rdx, [->drawn]
        ; inc BYTE [rdx + rax]
    );
}

/// Adds 1 to the counter that the lock guards.
fn add_guarded(asm: &mut Asm) {
    x64!(asm ; lea rdi, [->guard]);
    smp::lock(asm);
    x64!(asm
        ; mov rax, [->guarded]
        ; inc rax
        ; mov [->guarded], rax
    );
    smp::unlock(asm);
}

/// Counts the tickets that were drawn once, prints the numbers, and ends the
/// guest.
fn report(asm: &mut Asm, all: i32) {
    x64!(asm
        ; lea rsi, [->drawn]
        ; mov ecx, all
        ; xor ebx, ebx
        ; ticket:
        ; cmp BYTE [rsi + rcx - 1], 1
        ; jne >not_once
        ; inc ebx
        ; not_once:
        ; dec ecx
        ; jnz <ticket
    );
    console::text(asm, "together: ");
    x64!(asm ; mov rax, [->next_ticket]);
    console::decimal(asm);
    console::text(asm, " tickets, ");
    x64!(asm ; mov eax, ebx);
    console::decimal(asm);
    console::text(asm, " of them drawn once; the guarded counter says ");
    x64!(asm ; mov rax, [->guarded]);
    console::decimal(asm);
    console::text(asm, "\n");
    program::exit(asm, 0);
}

fn expected(seed: u64) -> Expected {
    let tickets = tickets(seed);
    let all: u64 = tickets.iter().sum();
    let line = |(vcpu, drawn)| format!("together: vCPU {vcpu} drew {drawn} tickets\n");
    let mut console: String = tickets.iter().enumerate().map(line).collect();
    console += &format!(
        "together: {all} tickets, {all} of them drawn once; the guarded counter says {all}\n"
    );
    Expected::exit(console, 0)
}
