//! `preempt`: threads that never give up the CPU, so that ticks take it away.
//!
//! Each thread fills all its registers and flags with numbers of its own, runs
//! for several ticks, and looks whether they are still there. A tick
//! switches to another thread, which fills the same registers with other
//! numbers: whatever the switch forgets is lost.

use crate::asm::Asm;
use crate::catalogue::Expected;
use crate::image::Image;
use crate::kernel::user_text::UserText;
use crate::random::Random;
use crate::v4::kernel::{self, Kernel};
use crate::v4::{CAPACITY, Guest, Threads};
use crate::{console, x64};

/// The catalogue's entry.
pub(super) const GUEST: Guest = Guest {
    name: "preempt",
    about: "runs threads that never yield, and checks that no switch loses a register",
    build,
    expected,
};

/// Where in the shared page the number is whose turn it is to report.
const TURN: i32 = 0;
/// How often each thread fills and checks its registers.
const ROUNDS: i32 = 4;
/// How often the loop between turns, with three instructions: several ticks.
const TURNS: i32 = 20_000;
/// So many ticks there are at least: a fast CPU goes on until then.
const LEAST: i32 = 8;
/// The registers: all but RAX and RCX, which the check needs, and RSP, of which
/// R15 is a copy, and which counts the rounds on its stack.
const HELD: [u8; 12] = [2, 3, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14];
/// The flags that `sahf` and `lahf` move, as bits of AH, and the bit that is
/// always 1.
const FLAGS: u64 = 0xd5;
const ALWAYS_SET: u64 = 2;

fn thread_count(seed: u64) -> i32 {
    Random::new(seed).between(3, 7) as i32
}

fn build(threads: &Threads, seed: u64) -> Image {
    let kernel = Kernel {
        threads,
        ticks: true,
        limit: CAPACITY,
    };
    kernel.build(|asm, text| user(asm, text, seed), over)
}

fn user(asm: &mut Asm, text: &mut UserText, seed: u64) {
    let mut random = Random::new(!seed);
    let entries: Vec<_> = (0..thread_count(seed)).map(|_| asm.new_label()).collect();
    for (&entry, number) in entries.iter().zip(0..) {
        kernel::create(asm, entry, number);
    }
    kernel::exit(asm);
    for (entry, number) in entries.into_iter().zip(0..) {
        let values = HELD.map(|register| (register, random.next()));
        let flags = (random.next() & FLAGS | ALWAYS_SET) as i8;
        asm.symbol(format!("thread_{number}"));
        x64!(asm ; =>entry ; push ROUNDS);
        thread(asm, text, number, &values, flags);
    }
}

fn thread(asm: &mut Asm, text: &mut UserText, number: i32, values: &[(u8, u64)], flags: i8) {
    let lost = asm.new_label();
    x64!(asm ; round:);
    for &(register, value) in values {
        x64!(asm ; mov Rq(register), QWORD value as i64);
    }
    x64!(asm
        ; mov r15, rsp
        ; mov ecx, TURNS
        ; mov ah, flags
        ; sahf
        ; turn:                         // this loop changes no flag
        ; lea rcx, [rcx - 1]
        ; jrcxz >over
        ; jmp <turn
        ; over:
        ; lahf
        ; cmp ah, flags
        ; jne =>lost
        ; cmp r15, rsp
        ; jne =>lost
    );
    for &(register, value) in values {
        x64!(asm
            ; mov rax, QWORD value as i64
            ; cmp rax, Rq(register)
            ; jne =>lost
        );
    }
    x64!(asm ; dec DWORD [rsp] ; jnz <round);
    kernel::ticks(asm);
    x64!(asm
        ; mov DWORD [rsp], 1
        ; cmp rax, LEAST
        ; jb <round
    );
    kernel::await_turn(asm, TURN, number);
    text.print(asm, &verdict(number));
    x64!(asm ; jmp >done ; =>lost);
    kernel::await_turn(asm, TURN, number);
    text.print(asm, &format!("preempt: thread {number} lost something\n"));
    x64!(asm ; done: ; inc DWORD [->user_memory + TURN as isize]);
    kernel::exit(asm);
}

fn verdict(thread: i32) -> String {
    format!("preempt: thread {thread} has kept everything\n")
}

/// The kernel's last words.
fn over(asm: &mut Asm) {
    x64!(asm ; cmp DWORD [->preemptions], 0 ; je >never);
    console::text(asm, PREEMPTED);
    x64!(asm ; never:);
    console::text(asm, OVER);
}

const PREEMPTED: &str = "kernel: threads were preempted\n";
const OVER: &str = "kernel: no thread is left\n";

fn expected(seed: u64) -> Expected {
    let verdicts: String = (0..thread_count(seed)).map(verdict).collect();
    Expected::exit(verdicts + PREEMPTED + OVER, 0)
}
