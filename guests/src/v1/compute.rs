//! `compute`: something worth printing.
//!
//! The guest sieves the primes below a bound, then fills a piece of memory from
//! a generator and prints its CRC-32. It runs one to two million instructions
//! and hardly ever needs the hypervisor, so the host's timer interrupts it in
//! the midst of its work, hundreds of times. If one interruption loses one
//! register, the numbers come out wrong.

use crate::asm::Asm;
use crate::catalogue::{Expected, Guest};
use crate::image::Image;
use crate::random::{self, Random};
use crate::{console, program, x64};

/// The catalogue's entry.
pub(super) const GUEST: Guest = Guest {
    name: "compute",
    about: "finds primes and the CRC-32 of its memory while the host's timer interrupts it",
    vcpus: 1,
    build,
    expected,
};

/// What the seed decides.
struct Parameters {
    /// Primes are sought below this number.
    bound: u64,
    /// Size in bytes of the memory that is filled, a multiple of 8.
    size: u64,
    /// Where the generator starts; not 0, or all its numbers would be 0.
    start: u64,
}

impl Parameters {
    fn new(seed: u64) -> Self {
        let mut random = Random::new(seed);
        Self {
            bound: random.between(30_000, 60_000),
            size: random.between(2_000, 3_000) * 8,
            start: random.next() | 1,
        }
    }
}

/// CRC-32's polynomial with its bits reversed, as the usual right-shifting
/// computation needs it (IEEE 802.3, also zip and PNG).
const POLYNOMIAL: u32 = 0xedb8_8320;

fn build(seed: u64) -> Image {
    let parameters = Parameters::new(seed);
    program::build(|asm| {
        asm.zeroed("composite", 16, parameters.bound as usize);
        asm.zeroed("area", 16, parameters.size as usize);
        print_primes(asm, &parameters);
        print_crc(asm, &parameters);
        program::exit(asm, 0);
        sieve(asm, &parameters);
        count_primes(asm, &parameters);
        fill(asm, &parameters);
        crc(asm, &parameters);
    })
}

fn print_primes(asm: &mut Asm, parameters: &Parameters) {
    x64!(asm
        ; call ->sieve
        ; call ->count_primes
    );
    console::text(
        asm,
        &format!("compute: primes below {}: ", parameters.bound),
    );
    x64!(asm ; mov rax, rbx);
    console::decimal(asm);
    console::text(asm, ", the largest is ");
    x64!(asm ; mov rax, r12);
    console::decimal(asm);
    console::text(asm, ", their sum is ");
    x64!(asm ; mov rax, r13);
    console::decimal(asm);
    console::text(asm, "\n");
}

fn print_crc(asm: &mut Asm, parameters: &Parameters) {
    x64!(asm
        ; call ->fill
        ; call ->crc
        ; mov ebx, eax
    );
    let size = parameters.size;
    console::text(asm, &format!("compute: crc-32 of {size} bytes: "));
    x64!(asm ; mov eax, ebx);
    console::hexadecimal(asm, 8);
    console::text(asm, "\n");
}

/// `sieve`: marks each composite number below the bound in the bytes of
/// `composite`, after Eratosthenes.
fn sieve(asm: &mut Asm, parameters: &Parameters) {
    let bound = parameters.bound as i32;
    x64!(asm
        ; ->sieve:
        ; lea rdi, [->composite]
        ; mov ecx, 2                    // RCX: the number whose multiples are struck out
        ; number:
        ; mov rax, rcx
        ; imul rax, rcx                 // smaller multiples have a smaller factor
        ; cmp rax, bound
        ; jae >done
        ; cmp BYTE [rdi + rcx], 0
        ; jne >next                     // composite: its multiples are struck out already
        ; strike:
        ; mov BYTE [rdi + rax], 1
        ; add rax, rcx
        ; cmp rax, bound
        ; jb <strike
        ; next:
        ; inc rcx
        ; jmp <number
        ; done:
        ; ret
    );
}

/// `count_primes`: RBX is how many numbers were not struck out, R12 the largest
/// of them, R13 their sum.
fn count_primes(asm: &mut Asm, parameters: &Parameters) {
    let bound = parameters.bound as i32;
    x64!(asm
        ; ->count_primes:
        ; lea rdi, [->composite]
        ; xor ebx, ebx
        ; xor r13d, r13d
        ; mov ecx, 2
        ; number:
        ; cmp BYTE [rdi + rcx], 0
        ; jne >next
        ; inc rbx
        ; mov r12, rcx
        ; add r13, rcx
        ; next:
        ; inc rcx
        ; cmp rcx, bound
        ; jb <number
        ; ret
    );
}

/// `fill`: fills `area` with Marsaglia's xorshift64 generator.
fn fill(asm: &mut Asm, parameters: &Parameters) {
    x64!(asm
        ; ->fill:
        ; lea rdi, [->area]
        ; mov ecx, (parameters.size / 8) as i32
        ; mov rax, QWORD parameters.start as i64
        ; word:
    );
    random::advance(asm);
    x64!(asm
        ; mov [rdi], rax
        ; add rdi, 8
        ; dec ecx
        ; jnz <word
        ; ret
    );
}

/// `crc`: EAX is the CRC-32 of `area`, computed bit by bit.
fn crc(asm: &mut Asm, parameters: &Parameters) {
    x64!(asm
        ; ->crc:
        ; lea rsi, [->area]
        ; lea rdi, [rsi + parameters.size as i32]
        ; mov eax, -1
        ; byte:
        ; movzx edx, BYTE [rsi]
        ; xor eax, edx
        ; mov ecx, 8
        ; bit:
        ; shr eax, 1
        ; jnc >even
        ; xor eax, POLYNOMIAL as i32
        ; even:
        ; dec ecx
        ; jnz <bit
        ; inc rsi
        ; cmp rsi, rdi
        ; jne <byte
        ; not eax
        ; ret
    );
}

fn expected(seed: u64) -> Expected {
    let Parameters { bound, size, start } = Parameters::new(seed);
    let primes = primes_below(bound);
    let (count, sum) = (primes.len(), primes.iter().sum::<u64>());
    let largest = primes.last().expect("a prime below the bound");
    let crc = crc32(&generated(start, size));
    Expected::exit(
        format!(
            "compute: primes below {bound}: {count}, the largest is {largest}, their sum is {sum}\n\
             compute: crc-32 of {size} bytes: {crc:#010x}\n"
        ),
        0,
    )
}

/// All primes below `bound`, by trial division.
fn primes_below(bound: u64) -> Vec<u64> {
    let mut primes: Vec<u64> = Vec::new();
    for number in 2..bound {
        let mut factors = primes.iter().take_while(|prime| *prime * *prime <= number);
        if factors.all(|prime| !number.is_multiple_of(*prime)) {
            primes.push(number);
        }
    }
    primes
}

/// `size` bytes of xorshift64, whose first number follows `start`.
fn generated(start: u64, size: u64) -> Vec<u8> {
    let next = |state: &u64| Some(random::advanced(*state));
    std::iter::successors(next(&start), next)
        .take(size as usize / 8)
        .flat_map(u64::to_le_bytes)
        .collect()
}

/// The CRC-32 of `bytes`, by a table of the remainders of all bytes.
fn crc32(bytes: &[u8]) -> u32 {
    let table: [u32; 256] = std::array::from_fn(|byte| {
        (0..8).fold(byte as u32, |remainder, _| {
            (remainder >> 1) ^ (POLYNOMIAL * (remainder & 1))
        })
    });
    let step = |crc: u32, byte: &u8| table[usize::from(crc as u8 ^ byte)] ^ (crc >> 8);
    !bytes.iter().fold(!0, step)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_model_finds_the_primes() {
        assert_eq!(primes_below(30), [2, 3, 5, 7, 11, 13, 17, 19, 23, 29]);
        assert_eq!(primes_below(10_000).len(), 1229);
    }

    #[test]
    fn the_model_computes_the_published_check_value_of_crc_32() {
        assert_eq!(crc32(b"123456789"), 0xcbf4_3926);
    }

    #[test]
    fn another_seed_gives_other_answers() {
        assert_ne!(expected(1), expected(2));
    }
}
