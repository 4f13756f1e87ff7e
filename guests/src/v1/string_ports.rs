//! `string-ports`: port access from and to memory, with and without `rep`.
//!
//! `outsb` sends the byte at RSI, `insb` stores a byte at RDI, and the pointer
//! moves by one element, up or down as the direction flag says; `rep` does it
//! RCX times, or never if RCX is 0. To a hypervisor one `rep outsb` is many
//! exits, and in between RSI and RCX must be true, since an interrupt may come
//! after each element (SDM volume 2, INS and OUTS).

use crate::asm::Asm;
use crate::catalogue::{Expected, Guest};
use crate::image::Image;
use crate::random::Random;
use crate::{console, program, x64};

/// The catalogue's entry.
pub(super) const GUEST: Guest = Guest {
    name: "string-ports",
    about: "moves strings between ports and memory, forwards and backwards",
    vcpus: 1,
    build,
    expected,
};

/// A port that no device claims, so it reads as all ones.
const UNCLAIMED: i32 = 0x240;

/// What the seed decides.
struct Parameters {
    /// Letters to print.
    letters: String,
    /// A byte that goes through the scratch register.
    byte: u8,
    /// How many elements are read from a port; their bytes fit into 32.
    count: u64,
}

impl Parameters {
    fn new(seed: u64) -> Self {
        let mut random = Random::new(seed);
        let length = random.between(8, 40);
        Self {
            letters: (0..length)
                .map(|_| char::from(random.between(0x61, 0x7b) as u8))
                .collect(),
            byte: random.between(1, 255) as u8,
            count: random.between(1, 8),
        }
    }
}

/// The widths of an element read from a port: size in bytes and name.
const READS: [(u64, &str); 3] = [(1, "insb"), (2, "insw"), (4, "insd")];

fn build(seed: u64) -> Image {
    let parameters = Parameters::new(seed);
    program::build(|asm| {
        asm.data("letters", 16, parameters.letters.as_bytes());
        asm.zeroed("buffer", 16, 32);
        write_forwards(asm, &parameters);
        write_backwards(asm, &parameters);
        write_nothing(asm);
        read_scratch(asm, &parameters);
        for (size, name) in READS {
            read_unclaimed(asm, &parameters, size, name);
        }
        program::exit(asm, 0);
    })
}

/// Prints the letters by one `outsb` and one `rep outsb`.
fn write_forwards(asm: &mut Asm, parameters: &Parameters) {
    console::text(asm, "string-ports: forwards ");
    x64!(asm
        ; mov edx, console::COM1 as i32
        ; lea rsi, [->letters]
        ; outsb
        ; mov ecx, parameters.letters.len() as i32 - 1
        ; rep outsb
        ; lea rbx, [->letters]
        ; sub rsi, rbx
        ; mov rbx, rsi
        ; mov rbp, rcx
    );
    print_number(asm, ", rsi moved by ");
    x64!(asm ; mov rbx, rbp);
    print_number(asm, ", rcx is ");
    console::text(asm, "\n");
}

/// Prints the letters from the last to the first.
fn write_backwards(asm: &mut Asm, parameters: &Parameters) {
    let length = parameters.letters.len() as i32;
    console::text(asm, "string-ports: backwards ");
    x64!(asm
        ; mov edx, console::COM1 as i32
        ; lea rsi, [->letters + length as isize - 1]
        ; mov ecx, length
        ; std
        ; rep outsb
        ; cld
        ; lea rbx, [->letters]
        ; sub rbx, rsi                  // RSI has passed the first letter by one
    );
    print_number(asm, ", rsi ends before the first by ");
    console::text(asm, "\n");
}

/// Prints nothing, since RCX is 0.
fn write_nothing(asm: &mut Asm) {
    console::text(asm, "string-ports: no time");
    x64!(asm
        ; mov edx, console::COM1 as i32
        ; lea rsi, [->letters]
        ; xor ecx, ecx
        ; rep outsb
        ; lea rbx, [->letters]
        ; sub rbx, rsi
    );
    print_number(asm, ", rsi moved by ");
    console::text(asm, "\n");
}

/// Reads a byte eight times from the scratch register into the buffer.
fn read_scratch(asm: &mut Asm, parameters: &Parameters) {
    x64!(asm
        ; mov edx, console::SCRATCH as i32
        ; mov al, parameters.byte as i8
        ; out dx, al
        ; lea rdi, [->buffer]
        ; insb
        ; mov ecx, 7
        ; rep insb
    );
    console::text(asm, "string-ports: scratch");
    print_buffer(asm);
}

/// Reads elements of all ones into the cleared buffer and prints it.
fn read_unclaimed(asm: &mut Asm, parameters: &Parameters, size: u64, name: &str) {
    x64!(asm
        ; xor eax, eax
        ; lea rdi, [->buffer]
        ; mov ecx, 4
        ; rep stosq
        ; mov edx, UNCLAIMED
        ; lea rdi, [->buffer]
        ; mov ecx, parameters.count as i32
    );
    match size {
        1 => x64!(asm ; rep insb),
        2 => x64!(asm ; rep insw),
        _ => x64!(asm ; rep insd),
    }
    x64!(asm
        ; mov rbx, rdi
        ; lea rax, [->buffer]
        ; sub rbx, rax
    );
    console::text(asm, &format!("string-ports: {name}"));
    print_number(asm, ", rdi moved by ");
    print_buffer(asm);
}

/// Prints a text and RBX in decimal.
fn print_number(asm: &mut Asm, text: &str) {
    console::text(asm, text);
    x64!(asm ; mov rax, rbx);
    console::decimal(asm);
}

/// Prints the buffer as four numbers of 64 bits, and ends the line.
fn print_buffer(asm: &mut Asm) {
    for offset in [0, 8, 16, 24] {
        console::text(asm, " ");
        x64!(asm ; mov rax, [->buffer + offset]);
        console::hexadecimal(asm, 16);
    }
    console::text(asm, "\n");
}

fn expected(seed: u64) -> Expected {
    let Parameters {
        letters,
        byte,
        count,
    } = Parameters::new(seed);
    let length = letters.len();
    let backwards: String = letters.chars().rev().collect();
    let mut console = format!(
        "string-ports: forwards {letters}, rsi moved by {length}, rcx is 0\n\
         string-ports: backwards {backwards}, rsi ends before the first by 1\n\
         string-ports: no time, rsi moved by 0\n"
    );
    let mut buffer = [0; 32];
    buffer[..8].fill(byte);
    console += &format!("string-ports: scratch{}\n", numbers(&buffer));
    for (size, name) in READS {
        let moved = (count * size) as usize;
        let mut buffer = [0; 32];
        buffer[..moved].fill(0xff);
        let numbers = numbers(&buffer);
        console += &format!("string-ports: {name}, rdi moved by {moved}{numbers}\n");
    }
    Expected::exit(console, 0)
}

/// The buffer as `print_buffer` prints it.
fn numbers(buffer: &[u8; 32]) -> String {
    let (numbers, _) = buffer.as_chunks::<8>();
    numbers
        .iter()
        .map(|number| format!(" {:#018x}", u64::from_le_bytes(*number)))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_read_fits_into_the_buffer() {
        for seed in 0..100 {
            assert!(Parameters::new(seed).count * 4 <= 32);
        }
    }

    #[test]
    fn numbers_are_little_endian() {
        let mut buffer = [0; 32];
        buffer[8] = 1;
        let zero = " 0x0000000000000000";
        let one = " 0x0000000000000001";
        assert_eq!(numbers(&buffer), [zero, one, zero, zero].concat());
    }
}
