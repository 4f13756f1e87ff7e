//! `user`: a user thread that prints through system calls while timer ticks
//! interrupt it.
//!
//! Before each system call, and before each stretch of waiting for a tick, the
//! thread fills its registers and flags with numbers, and afterwards it looks
//! whether they are still there. A system call may change RAX, RCX and R11; an
//! interrupt may change nothing. At the end the kernel says how it went: ticks
//! must have come in user mode, and none in the kernel, which keeps interrupts
//! closed.

use crate::asm::Asm;
use crate::catalogue::{Expected, Guest};
use crate::image::Image;
use crate::kernel::user_text::UserText;
use crate::random::Random;
use crate::v3::kernel::{self, TICKS};
use crate::{console, x64};

/// The catalogue's entry.
pub(super) const GUEST: Guest = Guest {
    name: "user",
    about: "runs a user thread that prints through system calls and is interrupted by ticks",
    vcpus: 1,
    build,
    expected,
};

/// Numbers of the registers that a system call must keep and that do not hold
/// its arguments.
const KEPT: [u8; 11] = [2, 3, 5, 8, 9, 10, 12, 13, 14, 15, 6];
/// How often a stretch of plain code turns, with three instructions each.
const TURNS: i32 = 3000;
/// The flags that `sahf` and `lahf` move, as bits of AH, and the bit that is
/// always 1.
const FLAGS: u64 = 0xd5;
const ALWAYS_SET: u64 = 2;

/// What the thread says.
fn words(seed: u64) -> Vec<u64> {
    let mut random = Random::new(seed);
    let lines = random.between(6, 12);
    (0..lines).map(|_| random.next()).collect()
}

fn build(seed: u64) -> Image {
    kernel::build(
        |asm| console::text(asm, BEGIN),
        |asm, text| thread(asm, text, seed),
        |asm, ()| on_exit(asm),
    )
}

const BEGIN: &str = "kernel: starting the user thread\n";

fn thread(asm: &mut Asm, text: &mut UserText, seed: u64) {
    let mut random = Random::new(!seed);
    for word in words(seed) {
        let mut values = || KEPT.map(|register| (register, random.next()));
        let (across_call, across_ticks) = (values(), values());
        let flags = (random.next() & FLAGS | ALWAYS_SET) as i8;
        text.print(asm, &line(word));
        fill(asm, &across_call, flags);
        x64!(asm ; mov eax, TICKS as i32 ; syscall);
        check(asm, &across_call, flags);
        fill(asm, &across_ticks, flags);
        x64!(asm
            ; mov esp, 0                // no stack at all: the kernel must not rely on it
            ; mov ecx, TURNS
            ; turn:                     // this loop changes no flag
            ; lea rcx, [rcx - 1]
            ; jrcxz >over
            ; jmp <turn
            ; over:
            ; mov rcx, rsp
            ; jrcxz >none
            ; jmp ->lost
            ; none:
            ; mov rsp, rdi
        );
        check(asm, &across_ticks, flags);
        kernel::await_tick(asm);
    }
    kernel::exit_thread(asm, 0);
    x64!(asm ; ->lost:);
    text.print(asm, "user: a register or flag was lost\n");
    kernel::exit_thread(asm, 1);
}

fn line(word: u64) -> String {
    format!("user: {word:#018x}\n")
}

/// Fills registers and flags. RDI holds the stack pointer, which must be kept,
/// too.
fn fill(asm: &mut Asm, values: &[(u8, u64)], flags: i8) {
    for &(register, value) in values {
        x64!(asm ; mov Rq(register), QWORD value as i64);
    }
    x64!(asm
        ; mov rdi, rsp
        ; mov ah, flags
        ; sahf
    );
}

/// Looks whether registers and flags are as they were.
fn check(asm: &mut Asm, values: &[(u8, u64)], flags: i8) {
    x64!(asm
        ; lahf
        ; cmp ah, flags
        ; jne ->lost
        ; cmp rdi, rsp
        ; jne ->lost
    );
    for &(register, value) in values {
        x64!(asm
            ; mov rax, QWORD value as i64
            ; cmp rax, Rq(register)
            ; jne ->lost
        );
    }
}

/// The kernel's last words.
fn on_exit(asm: &mut Asm) {
    x64!(asm ; ->user_exit:);
    console::text(asm, "kernel: the user thread exited with ");
    x64!(asm ; mov rax, rbx);
    console::decimal(asm);
    x64!(asm ; cmp DWORD [->user_ticks], 0 ; je >no_ticks);
    console::text(asm, INTERRUPTED);
    x64!(asm ; no_ticks:);
    console::text(asm, ", ");
    x64!(asm ; mov eax, [->kernel_ticks]);
    console::decimal(asm);
    console::text(asm, IN_KERNEL);
    kernel::end_with_user(asm);
}

const INTERRUPTED: &str = "; ticks came in user mode";
const IN_KERNEL: &str = " in the kernel\n";

fn expected(seed: u64) -> Expected {
    let lines: String = words(seed).into_iter().map(line).collect();
    let end = format!("kernel: the user thread exited with 0{INTERRUPTED}, 0{IN_KERNEL}");
    Expected::exit(format!("{BEGIN}{lines}{end}"), 0)
}
