//! `sieve`: primes below 2^20, after Eratosthenes, one byte for each number.
//!
//! A round clears the table, strikes out all multiples and counts what is left:
//! about 15.2 million instructions (the clearing, a `rep stosq`, counts as one).

use super::{Kernel, SCRATCH_SIZE};
use crate::asm::Asm;
use crate::x64;

pub(super) const KERNEL: Kernel = Kernel {
    name: "sieve",
    emit,
    checksum,
};

/// Each round sieves up to a bound that is smaller by one, and begins anew
/// after this many.
const BOUNDS: u64 = 1024;

fn emit(asm: &mut Asm) {
    let size = SCRATCH_SIZE as i32;
    x64!(asm
        ; mov r8, rdi                   // R8: rounds to go
        ; mov r9, rsi                   // R9: the table
        ; xor r10d, r10d                // R10: checksum
        ; round:
        ; test r8, r8
        ; jz >done

        ; mov rdx, r8                   // RDX: the bound
        ; and edx, BOUNDS as i32 - 1
        ; neg rdx
        ; add rdx, size

        ; mov rdi, r9
        ; xor eax, eax
        ; mov ecx, size / 8
        ; rep stosq

        ; mov ecx, 2
        ; number:
        ; mov rax, rcx
        ; imul rax, rcx
        ; cmp rax, rdx
        ; jae >count
        ; cmp BYTE [r9 + rcx], 0
        ; jne >next
        ; strike:
        ; mov BYTE [r9 + rax], 1
        ; add rax, rcx
        ; cmp rax, rdx
        ; jb <strike
        ; next:
        ; inc rcx
        ; jmp <number

        ; count:
        ; xor eax, eax                  // RAX: how many numbers are left
        ; mov ecx, 2
        ; number:
        ; movzx edi, BYTE [r9 + rcx]
        ; xor edi, 1
        ; add rax, rdi
        ; inc rcx
        ; cmp rcx, rdx
        ; jb <number

        ; rol r10, 5
        ; add r10, rax
        ; dec r8
        ; jmp <round
        ; done:
        ; mov rax, r10
        ; ret
    );
}

fn checksum(rounds: u64) -> u64 {
    let mut prime = vec![true; SCRATCH_SIZE];
    prime[..2].fill(false);
    for number in 2..1 << 10 {
        for multiple in (2 * number..SCRATCH_SIZE).step_by(number) {
            prime[multiple] = false;
        }
    }
    (1..=rounds).rev().fold(0_u64, |sum, round| {
        let bound = SCRATCH_SIZE - (round % BOUNDS) as usize;
        let count = prime[..bound].iter().filter(|prime| **prime).count();
        sum.rotate_left(5).wrapping_add(count as u64)
    })
}
