//! `patterns`: does a vCPU find its registers as it left them?
//!
//! In each round it fills all general registers (RSP too), all vector registers,
//! their control register and all user flags with new numbers, goes through a long
//! stretch of plain code that needs them all, and looks whether each still holds
//! what it should.
//! It makes no port access and takes no interrupt: whatever happens to it, the
//! hypervisor does, by running somebody else on its CPU. A register that is not
//! saved then holds what another machine, or another vCPU, has left in it.
//!
//! It is written for any number of vCPUs: version 7 runs it on several. While
//! all registers are full there is neither a stack nor a register that could
//! point to a vCPU's own memory, so the base of GS does, as in kernels for
//! several CPUs. It has to be kept, too.

use crate::asm::Asm;
use crate::catalogue::{Expected, Guest};
use crate::image::Image;
use crate::kernel::smp;
use crate::random::Random;
use crate::registers::{
    self, ALWAYS_SET, DIRECTION, FLAGS, INCREMENT, MULTIPLIER, OVERFLOW, USER_FLAGS, VECTORS,
};
use crate::{console, program, x64};

/// The catalogue's entry.
pub(super) const GUEST: Guest = Guest {
    name: "patterns",
    about: "keeps every register full for long stretches and checks that none of them changes",
    vcpus: 1,
    build: |seed| build("patterns", 1, seed),
    expected: |seed| expected("patterns", 1, seed),
};

/// How often the stretch of plain code changes each register and changes it back.
const STRETCH: usize = 64;

/// Index of the word for MXCSR, behind those that all guests of this kind have.
const CONTROL: i32 = registers::WORDS;
/// How many words there are.
const WORDS: i32 = CONTROL + 1;

/// Bits of MXCSR that change nothing while nothing is computed: how to round, and
/// what becomes of numbers close to 0 (SDM volume 1, section 10.2.3).
const CONTROL_BITS: i32 = 0xe040;
/// MXCSR after a reset: no exception is reported.
const CONTROL_RESET: i32 = 0x1f80;

/// A vCPU's own memory, as offsets from the base of GS: first the arrays of
/// [`WORDS`] words, then single words.
const GENERATOR: i32 = 0;
const EXPECTED: i32 = GENERATOR + 8 * WORDS;
const FOUND: i32 = EXPECTED + 8 * WORDS;
const SELF: i32 = FOUND + 8 * WORDS;
const NUMBER: i32 = SELF + 8;
const STACK: i32 = NUMBER + 8;
const ROUND: i32 = STACK + 8;
const AREA: i32 = ROUND + 8;

/// The register that holds the base of GS.
const GS_BASE: i32 = 0xc000_0101_u32 as i32;

/// A round is about 3,000 instructions.
fn rounds(seed: u64) -> u64 {
    Random::new(seed).between(130, 150)
}

/// Builds the guest for so many vCPUs, each with patterns of its own.
pub(crate) fn build(name: &str, vcpus: u8, seed: u64) -> Image {
    smp::build(vcpus, |asm| {
        place_data(asm, vcpus, seed);
        claim_area(asm);
        smp::gather(asm);
        x64!(asm ; ->round:);
        choose(asm);
        fill(asm);
        stretch(asm);
        capture(asm);
        compare(asm);
        x64!(asm
            ; gs inc QWORD [ROUND]
            ; gs cmp QWORD [ROUND], rounds(seed) as i32
            ; jb ->round
            ; gs mov r15, [NUMBER]
        );
        succeed(asm, name);
        report_loss(asm, name);
    })
}

/// Each vCPU's memory; the generators start with random words.
fn place_data(asm: &mut Asm, vcpus: u8, seed: u64) {
    let mut random = Random::new(!seed);
    let mut areas = Vec::new();
    for _ in 0..vcpus {
        let area = areas.len();
        areas.extend((0..WORDS).map(|_| random.next()));
        areas.resize(area + AREA as usize / 8, 0);
    }
    asm.words("areas", &areas);
    asm.data("bytes", 1, [0; 3]);
    let mut names = registers::names();
    names.extend(*b"\x05mxcsr\0\0\0\0\0\0\0\0\0\0");
    asm.data("names", 16, names);
    asm.words("complaint", &[0]);
}

/// Lets GS begin at this vCPU's area.
fn claim_area(asm: &mut Asm) {
    x64!(asm
        ; lea rbx, [->areas]
        ; imul rax, r15, AREA
        ; add rax, rbx
        ; mov [rax + SELF], rax
        ; mov [rax + NUMBER], r15
        ; mov rdx, rax
        ; shr rdx, 32
        ; mov ecx, GS_BASE
        ; wrmsr
    );
}

/// Chooses what each register has to hold in this round. RBX is the area.
fn choose(asm: &mut Asm) {
    x64!(asm
        ; gs mov rbx, [SELF]
        ; mov r8, QWORD MULTIPLIER as i64
        ; mov r9, QWORD INCREMENT as i64
        ; xor ecx, ecx
        ; word:
        ; mov rax, [rbx + 8 * rcx + GENERATOR]
        ; imul rax, r8
        ; add rax, r9
        ; mov [rbx + 8 * rcx + GENERATOR], rax
        ; mov [rbx + 8 * rcx + EXPECTED], rax
        ; inc ecx
        ; cmp ecx, WORDS
        ; jb <word
        ; shr rax, 40                   // of a generator like this the upper bits are the
        ; mov ecx, eax                  // random ones
        ; and ecx, CONTROL_BITS
        ; or ecx, CONTROL_RESET
        ; mov [rbx + word(EXPECTED, CONTROL)], rcx
        ; mov rax, [rbx + word(EXPECTED, FLAGS)]
        ; shr rax, 40
        ; and eax, USER_FLAGS
        ; or eax, ALWAYS_SET
        ; mov [rbx + word(EXPECTED, FLAGS)], rax
    );
}

/// The offset of a word of the array that begins at `array`.
fn word(array: i32, index: i32) -> i32 {
    array + 8 * index
}

/// Fills vector registers and MXCSR, flags, and general registers, in this order: neither
/// loads nor `lea` change flags, so what comes later keeps what came before.
fn fill(asm: &mut Asm) {
    x64!(asm ; ->fill: ; gs mov [STACK], rsp);
    for number in 0..16_u8 {
        let half = word(EXPECTED, VECTORS + 2 * i32::from(number));
        x64!(asm ; gs movups Rx(number), [half]);
    }
    x64!(asm
        ; gs ldmxcsr [word(EXPECTED, CONTROL)]
        ; gs mov eax, [word(EXPECTED, FLAGS)]
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
        let place = word(EXPECTED, number.into());
        x64!(asm ; gs mov Rq(number), [place]);
    }
}

/// Plain code that needs each register at every moment and leaves all of them,
/// and the flags, as they were.
fn stretch(asm: &mut Asm) {
    x64!(asm ; ->stretch:);
    for _ in 0..STRETCH {
        for step in [1, -1] {
            for number in 0..16_u8 {
                x64!(asm ; lea Rq(number), [Rq(number) + step]);
            }
        }
    }
}

/// Stores what the registers hold into the area. Up to `cld` no instruction may
/// change the flags.
fn capture(asm: &mut Asm) {
    x64!(asm ; ->capture:);
    for number in 0..16_u8 {
        let place = word(FOUND, number.into());
        x64!(asm ; gs mov [place], Rq(number));
    }
    x64!(asm
        ; gs mov rsp, [STACK]
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
        ; gs mov [word(FOUND, FLAGS)], rax
    );
    for number in 0..16_u8 {
        let half = word(FOUND, VECTORS + 2 * i32::from(number));
        x64!(asm ; gs movups [half], Rx(number));
    }
    // The upper half of its word stays 0.
    x64!(asm ; gs stmxcsr [word(FOUND, CONTROL)]);
}

/// Compares what was found with what is expected; RCX is the index of the word.
fn compare(asm: &mut Asm) {
    x64!(asm
        ; gs mov rbx, [SELF]
        ; xor ecx, ecx
        ; word:
        ; mov rax, [rbx + 8 * rcx + EXPECTED]
        ; cmp rax, [rbx + 8 * rcx + FOUND]
        ; jne ->lost
        ; inc ecx
        ; cmp ecx, WORDS
        ; jb <word
    );
}

/// Each vCPU says that it has kept everything, and vCPU 0 ends the guest.
fn succeed(asm: &mut Asm, name: &str) {
    smp::in_turn(asm, |asm| {
        smp::introduce(asm, name);
        console::text(asm, " kept 50 words in each of ");
        x64!(asm ; gs mov rax, [ROUND]);
        console::decimal(asm);
        console::text(asm, SUCCESS);
    });
    smp::leave_to_first(asm);
    program::exit(asm, 0);
}

const SUCCESS: &str = " rounds: general registers, vector registers, flags, mxcsr\n";

/// `lost`: tells which word was lost, RCX being its index and RBX the area, and
/// ends the guest. Whoever comes here first does not give the lock back.
fn report_loss(asm: &mut Asm, name: &str) {
    x64!(asm
        ; ->lost:
        ; mov r12, rcx
        ; mov r15, [rbx + NUMBER]
        ; lea rdi, [->complaint]
    );
    smp::lock(asm);
    smp::introduce(asm, name);
    console::text(asm, ", round ");
    x64!(asm ; mov rax, [rbx + ROUND]);
    console::decimal(asm);
    console::text(asm, ": ");
    x64!(asm
        ; lea rsi, [->names]
        ; mov rax, r12
        ; shl rax, 4
        ; add rsi, rax
        ; movzx ecx, BYTE [rsi]
        ; inc rsi
        ; call ->console_text
    );
    console::text(asm, " lost: expected ");
    x64!(asm ; mov rax, [rbx + 8 * r12 + EXPECTED]);
    console::hexadecimal(asm, 16);
    console::text(asm, ", found ");
    x64!(asm ; mov rax, [rbx + 8 * r12 + FOUND]);
    console::hexadecimal(asm, 16);
    console::text(asm, "\n");
    program::exit(asm, 1);
}

/// What the guest does where nothing is lost.
pub(crate) fn expected(name: &str, vcpus: u8, seed: u64) -> Expected {
    let rounds = rounds(seed);
    let line = |vcpu| format!("{name}: vCPU {vcpu} kept 50 words in each of {rounds}{SUCCESS}");
    Expected::exit((0..vcpus).map(line).collect(), 0)
}
