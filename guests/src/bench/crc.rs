//! `crc`: CRC-32 by a table of 256 entries, one byte at a time.
//!
//! At first the table is computed and 512 KiB are filled by xorshift64 (less
//! than a million instructions together); a round then takes the CRC of all
//! these bytes three times, each time going on with the result of the last:
//! about 12.6 million instructions.

use super::Kernel;
use crate::asm::Asm;
use crate::{random, x64};

pub(super) const KERNEL: Kernel = Kernel {
    name: "crc",
    emit,
    checksum,
};

/// The bytes whose CRC is taken stand behind the table.
const DATA: i32 = 4096;
const DATA_SIZE: i32 = 512 << 10;
const PASSES: i32 = 3;
/// CRC-32's polynomial, bits reversed.
const POLYNOMIAL: u32 = 0xedb8_8320;
/// Where xorshift64 starts.
const START: u64 = 0x0123_4567_89ab_cdef;

fn emit(asm: &mut Asm) {
    make_table(asm);
    fill_data(asm);
    x64!(asm
        ; xor eax, eax                  // EAX: the CRC so far
        ; lea r8, [rsi + DATA]
        ; lea r9, [rsi + DATA + DATA_SIZE]
        ; round:
        ; test rdi, rdi
        ; jz >done
        ; mov r10d, PASSES
        ; pass:
        ; not eax
        ; mov rcx, r8
        ; byte:
        ; movzx edx, BYTE [rcx]
        ; movzx r11d, al
        ; xor edx, r11d
        ; shr eax, 8
        ; xor eax, [rsi + 4 * rdx]
        ; inc rcx
        ; cmp rcx, r9
        ; jne <byte
        ; not eax
        ; dec r10d
        ; jnz <pass
        ; dec rdi
        ; jmp <round
        ; done:
        ; ret
    );
}

/// The remainder of each byte, at the start of the scratch memory (RSI).
fn make_table(asm: &mut Asm) {
    x64!(asm
        ; xor ecx, ecx
        ; entry:
        ; mov eax, ecx
        ; mov edx, 8
        ; bit:
        ; shr eax, 1
        ; jnc >even
        ; xor eax, POLYNOMIAL as i32
        ; even:
        ; dec edx
        ; jnz <bit
        ; mov [rsi + 4 * rcx], eax
        ; inc ecx
        ; cmp ecx, 256
        ; jne <entry
    );
}

/// Fills the data with Marsaglia's xorshift64.
fn fill_data(asm: &mut Asm) {
    x64!(asm
        ; lea r8, [rsi + DATA]
        ; mov ecx, DATA_SIZE / 8
        ; mov rax, QWORD START as i64
        ; word:
    );
    random::advance(asm);
    x64!(asm
        ; mov [r8], rax
        ; add r8, 8
        ; dec ecx
        ; jnz <word
    );
}

/// Bit by bit, without a table.
fn checksum(rounds: u64) -> u64 {
    let mut data = Vec::new();
    let mut state = START;
    while data.len() < DATA_SIZE as usize {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        data.extend(state.to_le_bytes());
    }
    let step = |crc: u32, byte: &u8| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| {
            (crc >> 1) ^ (POLYNOMIAL * (crc & 1))
        })
    };
    let passes = rounds * PASSES as u64;
    (0..passes)
        .fold(0, |crc: u32, _| !data.iter().fold(!crc, step))
        .into()
}
