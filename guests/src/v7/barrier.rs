//! `barrier`: a parallel computation in which nobody may run ahead.
//!
//! Each vCPU owns a cell. In each round it makes the cell's new value of its old
//! one and of its neighbour's old one. Before the next round all must have
//! finished this one: that takes a *barrier*. One who passes it too early reads
//! a cell that is not ready, or overwrites one that is still needed, and all
//! numbers from there on are wrong. How long a vCPU works in a round follows
//! from the values, so each time another one is the last.
//!
//! The barrier is the sense-reversing one (Mellor-Crummey and Scott, 1991):
//! whoever comes last resets the count and then turns a flag, the *sense*, and
//! the others wait until the flag is as they want it, which is the other way
//! round in the next round.

use crate::asm::Asm;
use crate::catalogue::{Expected, Guest};
use crate::image::Image;
use crate::kernel::smp;
use crate::random::{self, Random};
use crate::{console, program, x64};

const VCPUS: u8 = 4;
const CELLS: usize = VCPUS as usize;
/// A cell's value decides by its lowest bits how long the work on it takes.
const WORK_MASK: i32 = 0x1ff;

/// The catalogue's entry.
pub(super) const GUEST: Guest = Guest {
    name: "barrier",
    about: "computes in rounds on four vCPUs, which wait for each other after each",
    vcpus: VCPUS,
    build,
    expected,
};

/// How many rounds, and the values before the first.
fn parameters(seed: u64) -> (i32, [u64; CELLS]) {
    let mut random = Random::new(seed);
    let rounds = random.between(100, 200) as i32;
    (rounds, [(); CELLS].map(|()| random.next()))
}

/// There are two rows of cells, and each round reads one and writes the other.
fn build(seed: u64) -> Image {
    let (rounds, start) = parameters(seed);
    smp::build_kernel(VCPUS, |asm| {
        let rows: Vec<u64> = start.into_iter().chain([0; CELLS]).collect();
        asm.words("rows", &rows);
        for variable in ["arrived", "sense"] {
            asm.words(variable, &[0]);
        }
        x64!(asm
            ; lea r12, [->rows]         // R12: the row that is read
            ; lea r13, [r12 + 8 * CELLS as i32] // R13: the row that is written
            ; xor r14d, r14d            // R14: the sense of the last round
            ; mov ebx, rounds
            ; ->round:
        );
        work(asm);
        barrier(asm);
        x64!(asm
            ; xchg r12, r13
            ; dec ebx
            ; jnz ->round
        );
        smp::in_turn(asm, |asm| {
            smp::introduce(asm, "barrier");
            console::text(asm, " ends with ");
            x64!(asm ; mov rax, [r12 + 8 * r15]);
            console::hexadecimal(asm, 16);
            console::text(asm, "\n");
        });
        smp::leave_to_first(asm);
        program::exit(asm, 0);
    })
}

/// Computes the new value of this vCPU's cell: the old one and the right
/// neighbour's, mixed, and sent through so many steps of a generator as its
/// lowest bits say.
fn work(asm: &mut Asm) {
    x64!(asm
        ; mov rax, [r12 + 8 * r15]
        ; mov ecx, eax
        ; and ecx, WORK_MASK
        ; lea rdx, [r15 + 1]
        ; and edx, CELLS as i32 - 1     // behind the last comes the first
        ; add rax, [r12 + 8 * rdx]
        ; jmp >test
        ; step:
    );
    random::advance(asm);
    x64!(asm
        ; test:
        ; dec ecx
        ; jns <step
        ; inc rax                       // so that it does not stay 0
        ; mov [r13 + 8 * r15], rax
    );
}

fn barrier(asm: &mut Asm) {
    x64!(asm
        ; xor r14d, 1
        ; mov eax, 1
        ; lock xadd [->arrived], eax
        ; cmp eax, i32::from(VCPUS - 1)
        ; je >last
        ; wait:
        ; cmp [->sense], r14d
        ; je >passed
        ; pause
        ; jmp <wait
        ; last:
        ; mov DWORD [->arrived], 0
        ; mov [->sense], r14d
        ; passed:
    );
}

fn expected(seed: u64) -> Expected {
    let (rounds, mut cells) = parameters(seed);
    for _ in 0..rounds {
        cells = std::array::from_fn(|cell| {
            let mixed = cells[cell].wrapping_add(cells[(cell + 1) % CELLS]);
            let steps = cells[cell] & WORK_MASK as u64;
            let worked = (0..steps).fold(mixed, |value, _| random::advanced(value));
            worked.wrapping_add(1)
        });
    }
    let line = |(vcpu, value)| format!("barrier: vCPU {vcpu} ends with {value:#018x}\n");
    Expected::exit(cells.iter().enumerate().map(line).collect(), 0)
}
