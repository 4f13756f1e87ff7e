//! `interrupt-stack`: a kernel whose handlers have stacks of their own.
//!
//! A gate may name one of seven *interrupt stacks* in the TSS. Its handler starts
//! there even if the kernel itself was interrupted, so that it has a stack when the
//! kernel's is the trouble. The kernel here tries several of them, also the last one,
//! with which its TSS ends. Then it makes its TSS end earlier, and is told by #TS that
//! there is no such stack, and whose TSS it was.

use crate::asm::Asm;
use crate::catalogue::{Expected, Guest};
use crate::image::Image;
use crate::kernel::interrupts::vector::{INVALID_OPCODE, INVALID_TSS};
use crate::kernel::interrupts::{self, FULL_LIMIT, Gate, frame};
use crate::kernel::{self, segments};
use crate::random::Random;
use crate::{console, program, x64};

/// The catalogue's entry.
pub(super) const GUEST: Guest = Guest {
    name: "interrupt-stack",
    about: "raises exceptions whose handlers start on stacks of their own",
    vcpus: 1,
    build,
    expected,
};

/// The number of interrupt stacks, of which the first is number 1.
const STACKS: usize = 7;
/// Bytes of each.
const STACK: usize = 1024;
/// Bytes of a gate. The fifth holds the number of the stack.
const GATE: usize = 16;

/// The stacks that are tried: the last one, the first one, and others.
fn tried(seed: u64) -> Vec<usize> {
    let mut random = Random::new(seed);
    let others = random.between(2, 5);
    let others = (0..others).map(|_| random.between(1, STACKS as u64) as usize);
    [STACKS, 1].into_iter().chain(others).collect()
}

fn build(seed: u64) -> Image {
    kernel::build(|asm| {
        let (undefined, invalid_tss) = (asm.new_label(), asm.new_label());
        asm.zeroed("stacks", 16, STACKS * STACK);
        asm.words("top", &[0]);
        segments::load(asm);
        segments::load_task(asm, segments::STACKS_ONLY);
        for number in 1..=STACKS {
            x64!(asm ; lea rax, [->stacks + (number * STACK) as isize]);
            segments::set_interrupt_stack(asm, number);
        }
        interrupts::gate(asm, INVALID_OPCODE, Gate::Interrupt, undefined);
        interrupts::gate(asm, INVALID_TSS, Gate::Interrupt, invalid_tss);
        interrupts::load(asm, FULL_LIMIT);
        for number in tried(seed) {
            raise(asm, number);
            console::text(asm, &line(number));
        }
        segments::reload_task(asm, segments::STACKS_ONLY - 1);
        console::text(asm, BEYOND_THE_END);
        raise(asm, STACKS);
        program::exit(asm, 0);
        x64!(asm ; ->wrong:);
        console::text(asm, "kernel: the handler is on another stack\n");
        program::exit(asm, 1);
        interrupts::handler(asm, "undefined", undefined, INVALID_OPCODE, on_undefined);
        interrupts::handler(asm, "vector_10", invalid_tss, INVALID_TSS, on_invalid_tss);
    })
}

const BEYOND_THE_END: &str = "kernel: the TSS ends before its last stack: ";

/// Raises an exception whose handler has this stack.
fn raise(asm: &mut Asm, number: usize) {
    let gate = (GATE * usize::from(INVALID_OPCODE)) as isize;
    x64!(asm
        ; mov BYTE [->idt + gate + 4], number as i8
        ; lea rax, [->stacks + (number * STACK) as isize]
        ; mov [->top], rax
        ; ud2
    );
}

/// Looks where it is, and skips the instruction, which has two bytes. The stack is
/// empty above the frame.
fn on_undefined(asm: &mut Asm) {
    const BEYOND: i32 = frame::RSP + 16;
    x64!(asm
        ; lea rax, [rbp + BEYOND]
        ; cmp rax, [->top]
        ; jne ->wrong
        ; add QWORD [rbp + frame::RIP], 2
    );
}

/// Says which selector it was told, and skips the instruction. Bit 0 of the error code
/// is about something else.
fn on_invalid_tss(asm: &mut Asm) {
    console::text(asm, "#TS, selector ");
    x64!(asm ; mov rax, [rbp + frame::ERROR_CODE] ; and eax, -2);
    console::hexadecimal(asm, 4);
    console::text(asm, "\n");
    x64!(asm ; add QWORD [rbp + frame::RIP], 2);
}

fn line(number: usize) -> String {
    format!("kernel: back from interrupt stack {number}\n")
}

fn expected(seed: u64) -> Expected {
    let lines: String = tried(seed).into_iter().map(line).collect();
    let told = format!("#TS, selector {:#06x}\n", segments::TASK);
    Expected::exit(lines + BEYOND_THE_END + &told, 0)
}
