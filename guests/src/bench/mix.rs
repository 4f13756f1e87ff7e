//! `mix`: integer arithmetic of all kinds on a stream of numbers.
//!
//! A step advances a xorshift generator, multiplies, rotates and shifts by
//! varying counts, exchanges a word with 256 KiB of memory and, one time in
//! sixteen, divides. A round is 2^19 steps: about 12.8 million instructions.

use super::Kernel;
use crate::asm::Asm;
use crate::x64;

pub(super) const KERNEL: Kernel = Kernel {
    name: "mix",
    emit,
    checksum,
};

const STEPS: i32 = 1 << 19;
/// Words of memory; a power of two.
const WORDS: i32 = 32 << 10;
const START: u64 = 0x0123_4567_89ab_cdef;
/// The golden ratio in 64 bits, an odd number with bits everywhere.
const FACTOR: u64 = 0x9e37_79b9_7f4a_7c15;

fn emit(asm: &mut Asm) {
    x64!(asm
        ; mov r8, rdi                   // R8: rounds to go
        ; mov rdi, rsi                  // clear the memory
        ; xor eax, eax
        ; mov ecx, WORDS
        ; rep stosq
        ; mov r9, QWORD START as i64    // R9: the generator
        ; xor r10d, r10d                // R10: checksum
        ; mov r11, QWORD FACTOR as i64
        ; round:
        ; test r8, r8
        ; jz >done
        ; mov edi, STEPS                // EDI: steps to go
        ; step:
    );
    step(asm);
    x64!(asm
        ; dec edi
        ; jnz <step
        ; dec r8
        ; jmp <round
        ; done:
        ; mov rax, r10
        ; ret
    );
}

/// One step. RSI is the memory.
fn step(asm: &mut Asm) {
    x64!(asm
        ; mov rax, r9                   // xorshift64
        ; shl rax, 13
        ; xor r9, rax
        ; mov rax, r9
        ; shr rax, 7
        ; xor r9, rax
        ; mov rax, r9
        ; shl rax, 17
        ; xor r9, rax

        ; mov rax, r9                   // checksum = rotate(checksum, number) ^ number * factor
        ; imul rax, r11
        ; mov ecx, r9d
        ; rol r10, cl
        ; xor r10, rax

        ; mov edx, r9d                  // exchange a word with the checksum
        ; shr edx, 7
        ; and edx, WORDS - 1
        ; mov rax, [rsi + 8 * rdx]
        ; mov [rsi + 8 * rdx], r10
        ; add r10, rax

        ; test r9b, 0xf                 // checksum += checksum / (number's low half | 1)
        ; jnz >undivided
        ; mov ecx, r9d
        ; or ecx, 1
        ; mov rax, r10
        ; xor edx, edx
        ; div rcx
        ; add r10, rax
        ; undivided:
    );
}

fn checksum(rounds: u64) -> u64 {
    let mut memory = vec![0; WORDS as usize];
    let (mut number, mut sum) = (START, 0_u64);
    for _ in 0..rounds * STEPS as u64 {
        number ^= number << 13;
        number ^= number >> 7;
        number ^= number << 17;
        sum = sum.rotate_left(number as u32 & 63) ^ number.wrapping_mul(FACTOR);
        let word: &mut u64 = &mut memory[(number as u32 >> 7) as usize % WORDS as usize];
        let before = std::mem::replace(word, sum);
        sum = sum.wrapping_add(before);
        if number.is_multiple_of(16) {
            sum = sum.wrapping_add(sum / u64::from(number as u32 | 1));
        }
    }
    sum
}
