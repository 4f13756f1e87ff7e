//! `keeper`: does the hypervisor give every register back?
//!
//! In each round the guest fills all sixteen general registers (RSP too), the
//! sixteen vector registers and all seven user flags with new numbers, lets the
//! hypervisor interrupt it, and looks whether each still holds what it was
//! given. The interruptions are of two kinds: port accesses, which the guest
//! asks for, and the host's timer, which strikes anywhere in a long stretch of
//! plain code.
//!
//! A register of the guest is lost easily: the hypervisor forgets one when it
//! saves or restores, uses one for itself, or lets an `out` answer like an `in`.
//! Programs often get over it, which is why this one looks at everything.
//!
//! Two things are done in an unusual way. While all registers are full there is
//! no stack and no scratch register, so that part is one straight line of code
//! that addresses memory relative to RIP. And the flags are written and read
//! without `pushf` and `popf`, which a hypervisor cannot trap: by arithmetic,
//! `sahf`, `lahf`, `seto`, and by the direction that `lodsb` takes.

use crate::asm::Asm;
use crate::catalogue::{Expected, Guest};
use crate::image::Image;
use crate::random::Random;
use crate::registers::{
    self, ALWAYS_SET, DIRECTION, FLAGS, INCREMENT, MULTIPLIER, OVERFLOW, USER_FLAGS, VECTORS, WORDS,
};
use crate::{console, program, x64};

/// The catalogue's entry.
pub(super) const GUEST: Guest = Guest {
    name: "keeper",
    about: "fills every register and every user flag, and checks that interruptions lose nothing",
    vcpus: 1,
    build,
    expected,
};

/// A port that no device claims.
const UNCLAIMED: i8 = 0xe0_u8 as i8;

/// How often the stretch of plain code changes each register and changes it back.
const STRETCH: usize = 16;

fn rounds(seed: u64) -> u64 {
    Random::new(seed).between(1_000, 1_300)
}

fn build(seed: u64) -> Image {
    program::build(|asm| {
        place_data(asm, seed);
        x64!(asm ; ->round:);
        choose(asm);
        fill(asm);
        be_interrupted(asm);
        capture(asm);
        compare(asm);
        x64!(asm
            ; inc QWORD [->rounds]
            ; cmp QWORD [->rounds], rounds(seed) as i32
            ; jb ->round
        );
        succeed(asm);
        report_loss(asm);
    })
}

/// The arrays and variables.
fn place_data(asm: &mut Asm, seed: u64) {
    let mut random = Random::new(!seed);
    let start: Vec<u64> = (0..WORDS).map(|_| random.next()).collect();
    asm.words("generator", &start);
    asm.zeroed("expected", 16, 8 * WORDS as usize);
    asm.zeroed("found", 16, 8 * WORDS as usize);
    asm.words("rounds", &[0]);
    asm.words("stack", &[0]);
    asm.data("bytes", 1, [0; 3]);
    asm.data("names", 16, registers::names());
}

/// Chooses what each register has to hold in this round.
fn choose(asm: &mut Asm) {
    x64!(asm
        ; lea rsi, [->generator]
        ; lea rdi, [->expected]
        ; mov rbx, QWORD MULTIPLIER as i64
        ; mov rdx, QWORD INCREMENT as i64
        ; mov ecx, WORDS
        ; word:
        ; mov rax, [rsi]
        ; imul rax, rbx
        ; add rax, rdx
        ; mov [rsi], rax
        ; mov [rdi], rax
        ; add rsi, 8
        ; add rdi, 8
        ; dec ecx
        ; jnz <word
        ; shr rax, 40                   // the last word is the flags: of a generator like
        ; and eax, USER_FLAGS           // this the upper bits are the random ones
        ; or eax, ALWAYS_SET
        ; mov [->expected + word(FLAGS)], rax
    );
}

/// The distance in bytes of a word from the start of its array.
fn word(index: i32) -> isize {
    8 * index as isize
}

/// Fills vector registers, flags, and general registers, in this order: neither
/// loads nor `lea` change flags, so what comes later keeps what came before.
fn fill(asm: &mut Asm) {
    x64!(asm ; ->fill: ; mov [->stack], rsp);
    for number in 0..16_u8 {
        let half = word(VECTORS + 2 * i32::from(number));
        x64!(asm ; movups Rx(number), [->expected + half]);
    }
    x64!(asm
        ; mov eax, [->expected + word(FLAGS)]
        ; bt eax, DIRECTION
        ; jnc >upwards
        ; std
        ; upwards:
        ; bt eax, OVERFLOW
        ; setc cl
        ; add cl, 0x7f                  // overflows if CL was 1, and not if it was 0
        ; mov ah, al
        ; sahf                          // SF, ZF, AF, PF, CF; leaves OF and DF alone
    );
    for number in 0..16_u8 {
        let place = word(i32::from(number));
        x64!(asm ; mov Rq(number), [->expected + place]);
    }
}

/// Four port accesses and two stretches of plain code, all registers being full.
fn be_interrupted(asm: &mut Asm) {
    x64!(asm ; ->access: ; out UNCLAIMED, ax);
    stretch(asm);
    x64!(asm ; out UNCLAIMED, al);
    stretch(asm);
    x64!(asm
        ; out UNCLAIMED, eax
        ; in al, UNCLAIMED              // all ones: the lowest byte of RAX changes
    );
}

/// Plain code that needs each register at every moment and leaves all of them,
/// and the flags, as they were.
fn stretch(asm: &mut Asm) {
    for _ in 0..STRETCH {
        for step in [1, -1] {
            for number in 0..16_u8 {
                x64!(asm ; lea Rq(number), [Rq(number) + step]);
            }
        }
    }
}

/// Stores what the registers hold into `found`. Up to `cld` no instruction may
/// change the flags.
fn capture(asm: &mut Asm) {
    x64!(asm ; ->capture:);
    for number in 0..16_u8 {
        let place = word(i32::from(number));
        x64!(asm ; mov [->found + place], Rq(number));
    }
    x64!(asm
        ; mov rsp, [->stack]
        ; lahf                          // AH: SF, ZF, AF, PF, CF as in RFLAGS
        ; seto al
        ; mov ebx, eax
        ; lea rsi, [->bytes + 1]
        ; lodsb                         // RSI goes up if DF is 0, down if it is 1
        ; cld

        ; lea rax, [->bytes + 1]
        ; cmp rsi, rax
        ; setb al
        ; movzx eax, al
        ; shl eax, DIRECTION
        ; movzx ecx, bl
        ; shl ecx, OVERFLOW
        ; or eax, ecx
        ; movzx ecx, bh
        ; or eax, ecx
        ; mov [->found + word(FLAGS)], rax
    );
    for number in 0..16_u8 {
        let half = word(VECTORS + 2 * i32::from(number));
        x64!(asm ; movups [->found + half], Rx(number));
    }
}

/// Compares `found` with `expected`; RCX is the index of the word.
fn compare(asm: &mut Asm) {
    x64!(asm
        ; or BYTE [->expected], 0xff_u8 as i8   // the lowest byte of RAX, by `in al`
        ; lea rsi, [->expected]
        ; lea rdi, [->found]
        ; xor ecx, ecx
        ; word:
        ; mov rax, [rsi + 8 * rcx]
        ; cmp rax, [rdi + 8 * rcx]
        ; jne ->lost
        ; inc ecx
        ; cmp ecx, WORDS
        ; jb <word
    );
}

/// Ends the guest: everything was kept in all rounds.
fn succeed(asm: &mut Asm) {
    console::text(asm, "keeper: ");
    x64!(asm ; mov rax, [->rounds]);
    console::decimal(asm);
    console::text(asm, SUCCESS);
    program::exit(asm, 0);
}

const SUCCESS: &str = " rounds: 16 general registers, 16 vector registers, 7 flags kept\n";

/// `lost`: tells which word was lost, RCX being its index, and ends the guest.
fn report_loss(asm: &mut Asm) {
    x64!(asm ; ->lost: ; mov rbx, rcx);
    console::text(asm, "keeper: round ");
    x64!(asm ; mov rax, [->rounds]);
    console::decimal(asm);
    console::text(asm, ": ");
    x64!(asm
        ; lea rsi, [->names]
        ; mov rax, rbx
        ; shl rax, 4
        ; add rsi, rax
        ; movzx ecx, BYTE [rsi]
        ; inc rsi
        ; call ->console_text
    );
    console::text(asm, " lost: expected ");
    x64!(asm ; lea rsi, [->expected] ; mov rax, [rsi + 8 * rbx]);
    console::hexadecimal(asm, 16);
    console::text(asm, ", found ");
    x64!(asm ; lea rsi, [->found] ; mov rax, [rsi + 8 * rbx]);
    console::hexadecimal(asm, 16);
    console::text(asm, "\n");
    program::exit(asm, 1);
}

fn expected(seed: u64) -> Expected {
    Expected::exit(format!("keeper: {}{SUCCESS}", rounds(seed)), 0)
}
