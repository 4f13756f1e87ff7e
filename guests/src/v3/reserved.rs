//! `reserved-values`: a kernel that writes what its registers cannot hold.
//!
//! A model-specific register has bits without a meaning, and addresses in it must
//! be canonical. A CPU answers a wrong value with #GP and keeps the old one. The
//! kernel here tries several, reports what it was told, and reads each register
//! back.

use crate::asm::Asm;
use crate::catalogue::{Expected, Guest};
use crate::image::Image;
use crate::kernel::interrupts::vector::GENERAL_PROTECTION;
use crate::kernel::interrupts::{self, FULL_LIMIT, Gate, frame};
use crate::kernel::user::{EFER, FS_BASE, GS_BASE, KERNEL_GS_BASE, LSTAR};
use crate::kernel::{self, apic, segments};
use crate::random::Random;
use crate::{console, program, x64};

/// The catalogue's entry.
pub(super) const GUEST: Guest = Guest {
    name: "reserved-values",
    about: "writes to its model-specific registers what no CPU takes",
    vcpus: 1,
    build,
    expected,
};

/// A register, and the bits that are turned round in its value.
struct Attempt {
    name: &'static str,
    register: u32,
    turned: u64,
}

/// Bit 47 alone: an address with it, and no bit above, is not canonical.
const BIT_47: u64 = 1 << 47;

/// All attempts. Long mode cannot end while paging is on, which bit 8 of EFER would
/// do; bit 1 of the APIC's base is reserved.
const ATTEMPTS: [Attempt; 6] = [
    attempt("EFER without long mode", EFER, 1 << 8),
    attempt(
        "the APIC's base with a reserved bit",
        apic::BASE_REGISTER,
        1 << 1,
    ),
    attempt("no canonical address in LSTAR", LSTAR, BIT_47),
    attempt("no canonical base of FS", FS_BASE, BIT_47),
    attempt("no canonical base of GS", GS_BASE, BIT_47),
    attempt("no canonical base for swapgs", KERNEL_GS_BASE, BIT_47),
];

const fn attempt(name: &'static str, register: u32, turned: u64) -> Attempt {
    Attempt {
        name,
        register,
        turned,
    }
}

/// The attempts, beginning with one that the seed chooses.
fn attempts(seed: u64) -> Vec<&'static Attempt> {
    let mut attempts: Vec<&Attempt> = ATTEMPTS.iter().collect();
    let first = Random::new(seed).between(0, attempts.len() as u64);
    attempts.rotate_left(first as usize);
    attempts
}

fn build(seed: u64) -> Image {
    kernel::build(|asm| {
        let protection = asm.new_label();
        segments::load(asm);
        interrupts::gate(asm, GENERAL_PROTECTION, Gate::Interrupt, protection);
        interrupts::load(asm, FULL_LIMIT);
        for attempt in attempts(seed) {
            make(asm, attempt);
        }
        program::exit(asm, 0);
        interrupts::handler(
            asm,
            "vector_13",
            protection,
            GENERAL_PROTECTION,
            on_protection,
        );
    })
}

/// Makes the attempt, and says what came of it.
fn make(asm: &mut Asm, attempt: &Attempt) {
    console::text(asm, &begin(attempt));
    x64!(asm
        ; mov ecx, attempt.register as i32
        ; rdmsr
        ; mov r8, rax                   // the old value
        ; mov r9, rdx
        ; mov r10, QWORD attempt.turned as i64
        ; xor eax, r10d
        ; shr r10, 32
        ; xor edx, r10d
        ; lea r12, [>refused]
        ; wrmsr
    );
    console::text(asm, "taken");
    x64!(asm
        ; refused:
        ; mov ecx, attempt.register as i32
        ; rdmsr
        ; cmp rax, r8
        ; jne >changed
        ; cmp rdx, r9
        ; je >kept
        ; changed:
    );
    console::text(asm, ", and the register has changed");
    x64!(asm ; kept:);
    console::text(asm, "\n");
}

/// Reports the error code, and goes on at R12.
fn on_protection(asm: &mut Asm) {
    console::text(asm, "#GP, error code ");
    x64!(asm ; mov rax, [rbp + frame::ERROR_CODE]);
    console::hexadecimal(asm, 2);
    x64!(asm
        ; mov rax, [rbp + frame::R12]
        ; mov [rbp + frame::RIP], rax
    );
}

fn begin(attempt: &Attempt) -> String {
    format!("kernel: {}: ", attempt.name)
}

fn expected(seed: u64) -> Expected {
    let line = |attempt| begin(attempt) + "#GP, error code 0x00\n";
    Expected::exit(attempts(seed).into_iter().map(line).collect::<String>(), 0)
}
