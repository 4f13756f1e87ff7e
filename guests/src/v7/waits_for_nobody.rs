//! `waits-for-nobody`: says at the yield port that it waits for vCPUs that do not
//! exist.
//!
//! A hypervisor must not believe what a guest says. Each vCPU goes through a
//! table of numbers that no vCPU of this machine has, some of which another
//! machine's may have, and writes each of them to the port in every width. (Cut
//! to a byte, some are somebody's: its own, or the other one's. That is allowed.)
//! Nothing must come of it.

use crate::asm::Asm;
use crate::catalogue::{Expected, Guest};
use crate::image::Image;
use crate::kernel::smp;
use crate::program::YIELD_PORT;
use crate::random::Random;
use crate::{console, program, x64};

const VCPUS: u8 = 2;
/// Numbers at the borders of what a vCPU's number could be.
const BORDERS: [u64; 8] = [2, 3, 255, 256, 0xffff, 0x1_0000, 0x8000_0000, 0xffff_ffff];

/// The catalogue's entry.
pub(super) const GUEST: Guest = Guest {
    name: "waits-for-nobody",
    about: "says at the yield port that it waits for vCPUs that do not exist",
    vcpus: VCPUS,
    build,
    expected,
};

/// The numbers that it names.
fn numbers(seed: u64) -> Vec<u64> {
    let mut random = Random::new(seed);
    let count = random.between(20, 40);
    let others = (0..count).map(|_| random.between(u64::from(VCPUS), 1 << 32));
    BORDERS.into_iter().chain(others).collect()
}

fn build(seed: u64) -> Image {
    let numbers = numbers(seed);
    smp::build(VCPUS, |asm| {
        asm.words("numbers", &numbers);
        smp::gather(asm);
        x64!(asm
            ; lea rbx, [->numbers]
            ; xor r12d, r12d            // R12: how many it has named
            ; ->name:
            ; mov eax, [rbx + 8 * r12]
            ; out YIELD_PORT as i8, eax
            ; out YIELD_PORT as i8, ax
            ; out YIELD_PORT as i8, al
            ; inc r12d
            ; cmp r12d, numbers.len() as i32
            ; jb ->name
        );
        smp::in_turn(asm, report);
        smp::leave_to_first(asm);
        program::exit(asm, 0);
    })
}

fn report(asm: &mut Asm) {
    smp::introduce(asm, "waits-for-nobody");
    console::text(asm, " named ");
    x64!(asm ; mov rax, r12);
    console::decimal(asm);
    console::text(asm, NUMBERS);
}

const NUMBERS: &str = " numbers that nobody has\n";

fn expected(seed: u64) -> Expected {
    let named = numbers(seed).len();
    let line = |vcpu| format!("waits-for-nobody: vCPU {vcpu} named {named}{NUMBERS}");
    Expected::exit((0..VCPUS).map(line).collect(), 0)
}
