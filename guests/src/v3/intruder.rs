//! `intruder`: user code that tries everything it must not do.
//!
//! Every attempt ends in an exception that goes to the guest's own kernel, and
//! not to the hypervisor: the virtual machine is none the worse for it. The
//! kernel reports what it was told and lets the thread go on, until it has seen
//! enough and kills it.
//!
//! By convention between this kernel and its user, R12 is where to go on after
//! an attempt, and R13 is what RIP should be in the report: the instruction
//! itself, or the place it jumped to.

use crate::asm::{Asm, DynamicLabel};
use crate::catalogue::{Expected, Guest};
use crate::image::Image;
use crate::kernel::interrupts::vector::{
    DIVIDE_ERROR, GENERAL_PROTECTION, INVALID_OPCODE, PAGE_FAULT,
};
use crate::kernel::interrupts::{self, Gate, frame};
use crate::kernel::user::{self, BAD_ADDRESS, NO_SUCH_CALL};
use crate::kernel::user_text::{UserText, WRITE};
use crate::random::Random;
use crate::v3::kernel;
use crate::{console, program, x64};

/// The catalogue's entry.
pub(super) const GUEST: Guest = Guest {
    name: "intruder",
    about: "runs user code that tries to break out, and is reported and killed by its kernel",
    vcpus: 1,
    build,
    expected,
};

const VECTORS: [u8; 4] = [DIVIDE_ERROR, INVALID_OPCODE, GENERAL_PROTECTION, PAGE_FAULT];

/// Error codes of page faults (SDM volume 3, "Page-Fault Exceptions"): bit 0 if
/// the page is there but not for this, 1 for a write, 2 from user mode, 4 for
/// fetching an instruction.
const ABSENT: u64 = 0b0_0100;
const NOT_TO_READ: u64 = 0b0_0101;
const NOT_TO_WRITE: u64 = 0b0_0111;
const NOT_TO_EXECUTE: u64 = 0b1_0101;

/// Something that user code tries.
struct Attempt {
    emit: fn(&mut Asm),
    /// What the kernel is told: the vector, the error code, and for a page
    /// fault the symbol or the address that CR2 names.
    vector: u8,
    error_code: u64,
    address: Address,
}

#[derive(Clone, Copy)]
enum Address {
    None,
    Symbol(&'static str),
    Number(u64),
}

/// An address that is canonical and not mapped.
const NOWHERE: u64 = 0x1234_5678_9000;
/// An address that is not canonical.
const NON_CANONICAL: u64 = 0x8000_0000_0000;

/// An attempt that is answered with #GP and no more said.
const fn privileged(emit: fn(&mut Asm)) -> Attempt {
    Attempt {
        emit,
        vector: GENERAL_PROTECTION,
        error_code: 0,
        address: Address::None,
    }
}

const fn page_fault(emit: fn(&mut Asm), error_code: u64, address: Address) -> Attempt {
    Attempt {
        emit,
        vector: PAGE_FAULT,
        error_code,
        address,
    }
}

const fn plain(emit: fn(&mut Asm), vector: u8) -> Attempt {
    Attempt {
        emit,
        vector,
        error_code: 0,
        address: Address::None,
    }
}

/// All attempts. At `=>deed` RAX is the operand, if there is one.
static ATTEMPTS: [Attempt; 24] = [
    privileged(|asm| x64!(asm ; cli)),
    privileged(|asm| x64!(asm ; sti)),
    privileged(|asm| x64!(asm ; hlt)),
    privileged(|asm| x64!(asm ; in al, dx)),
    privileged(|asm| x64!(asm ; out dx, al)),
    privileged(|asm| x64!(asm ; wrmsr)),
    privileged(|asm| x64!(asm ; rdmsr)),
    privileged(|asm| x64!(asm ; mov rax, cr3)),
    privileged(|asm| x64!(asm ; mov cr0, rax)),
    privileged(|asm| x64!(asm ; swapgs)),
    privileged(|asm| x64!(asm ; lidt [->user_memory])),
    privileged(|asm| x64!(asm ; lgdt [->user_memory])),
    privileged(|asm| x64!(asm ; ltr ax)),
    privileged(|asm| x64!(asm ; invlpg [->user_memory])),
    privileged(|asm| asm.extend(user::SYSRETQ)),
    privileged(|asm| x64!(asm ; mov rax, [rbx])),
    page_fault(
        |asm| x64!(asm ; mov rax, [->secret]),
        NOT_TO_READ,
        Address::Symbol("secret"),
    ),
    page_fault(
        |asm| x64!(asm ; mov [->secret], rax),
        NOT_TO_WRITE,
        Address::Symbol("secret"),
    ),
    page_fault(
        |asm| x64!(asm ; mov [->user_text], rax),
        NOT_TO_WRITE,
        Address::Symbol("user_text"),
    ),
    page_fault(
        |asm| x64!(asm ; mov rax, [rdi]),
        ABSENT,
        Address::Number(NOWHERE),
    ),
    page_fault(
        |asm| x64!(asm ; jmp ->exit),
        NOT_TO_EXECUTE,
        Address::Symbol("exit"),
    ),
    page_fault(
        |asm| x64!(asm ; jmp ->user_memory),
        NOT_TO_EXECUTE,
        Address::Symbol("user_memory"),
    ),
    plain(|asm| x64!(asm ; ud2), INVALID_OPCODE),
    plain(|asm| x64!(asm ; div esi), DIVIDE_ERROR),
];

/// The attempts in the order of this seed.
fn attempts(seed: u64) -> Vec<&'static Attempt> {
    let mut random = Random::new(seed);
    let mut attempts: Vec<&Attempt> = ATTEMPTS.iter().collect();
    for place in (1..attempts.len()).rev() {
        attempts.swap(place, random.between(0, place as u64 + 1) as usize);
    }
    attempts
}

fn build(seed: u64) -> Image {
    kernel::build(
        |asm| {
            let labels = VECTORS.map(|_| asm.new_label());
            for (vector, label) in VECTORS.into_iter().zip(labels) {
                interrupts::gate(asm, vector, Gate::Interrupt, label);
            }
            asm.words("secret", &[Random::new(!seed).next()]);
            asm.words("attempts", &[0]);
            console::text(asm, BEGIN);
            labels
        },
        |asm, text| thread(asm, text, seed),
        |asm, labels| {
            for (vector, label) in VECTORS.into_iter().zip(labels) {
                user::handler(asm, &format!("vector_{vector}"), label, vector, |asm| {
                    x64!(asm ; call ->report);
                });
            }
            report_routine(asm);
            x64!(asm ; ->user_exit:);
            console::text(asm, "kernel: the user thread has survived\n");
            program::exit(asm, 1);
        },
    )
}

const BEGIN: &str = "kernel: starting the intruder\n";
const KILLED: &str = "kernel: enough; the user thread is killed\n";

/// The user code: bad pointers first, which are no exception, then everything.
fn thread(asm: &mut Asm, text: &mut UserText, seed: u64) {
    for bad in BAD_POINTERS {
        bad_pointer(asm, bad);
    }
    x64!(asm
        ; mov eax, 1000
        ; syscall                       // no such system call
        ; cmp rax, NO_SUCH_CALL
        ; jne ->not_refused
    );
    text.print(asm, REFUSED);
    x64!(asm ; jmp >begin ; ->not_refused:);
    text.print(asm, "user: the kernel took a bad pointer\n");
    kernel::exit_thread(asm, 1);
    x64!(asm ; begin:);
    for attempt in attempts(seed) {
        let (deed, next) = (asm.new_label(), asm.new_label());
        x64!(asm ; lea r12, [=>next]);
        place_of(asm, attempt, deed);
        x64!(asm
            ; mov rbx, QWORD NON_CANONICAL as i64
            ; mov rdi, QWORD NOWHERE as i64
            ; xor esi, esi
            ; xor edx, edx
            ; xor eax, eax
            ; xor ecx, ecx
            ; =>deed
        );
        (attempt.emit)(asm);
        x64!(asm ; jmp ->survived ; =>next);
    }
    x64!(asm ; ->survived:);
    kernel::exit_thread(asm, 2);
}

const REFUSED: &str = "user: the kernel refused every bad pointer\n";

/// R13: what RIP should be in the report.
fn place_of(asm: &mut Asm, attempt: &Attempt, deed: DynamicLabel) {
    match (attempt.error_code, attempt.address) {
        (NOT_TO_EXECUTE, Address::Symbol("exit")) => x64!(asm ; lea r13, [->exit]),
        (NOT_TO_EXECUTE, _) => x64!(asm ; lea r13, [->user_memory]),
        _ => x64!(asm ; lea r13, [=>deed]),
    }
}

/// A pointer that is not the user's, and a length.
enum BadPointer {
    Kernel,
    Nowhere,
    NonCanonical,
    /// It begins in the user's memory and ends behind it.
    TooLong,
    /// It begins so high that its end is a low address again.
    WrapsAround,
}

const BAD_POINTERS: [BadPointer; 5] = [
    BadPointer::Kernel,
    BadPointer::Nowhere,
    BadPointer::NonCanonical,
    BadPointer::TooLong,
    BadPointer::WrapsAround,
];

/// Asks the kernel to print what the user may not read.
fn bad_pointer(asm: &mut Asm, bad: BadPointer) {
    match bad {
        BadPointer::Kernel => x64!(asm ; lea rdi, [->secret] ; mov esi, 8),
        BadPointer::Nowhere => x64!(asm ; mov rdi, QWORD NOWHERE as i64 ; mov esi, 8),
        BadPointer::NonCanonical => x64!(asm ; mov rdi, QWORD NON_CANONICAL as i64 ; mov esi, 8),
        BadPointer::TooLong => x64!(asm ; lea rdi, [->user_text] ; mov esi, 0x10_0000),
        BadPointer::WrapsAround => x64!(asm ; mov rdi, -16 ; mov esi, 0x20_0000),
    }
    x64!(asm
        ; mov eax, WRITE as i32
        ; syscall
        ; cmp rax, BAD_ADDRESS
        ; jne ->not_refused
    );
}

/// Emits the routine `report`: prints what the CPU tells about an attempt, and
/// lets the thread go on, unless this was the last.
fn report_routine(asm: &mut Asm) {
    x64!(asm ; ->report:);
    console::text(asm, "kernel: vector ");
    x64!(asm ; mov rax, [rbp + frame::VECTOR]);
    console::decimal(asm);
    console::text(asm, ", error code ");
    x64!(asm ; mov rax, [rbp + frame::ERROR_CODE]);
    console::hexadecimal(asm, 2);
    x64!(asm
        ; cmp DWORD [rbp + frame::VECTOR], i32::from(PAGE_FAULT)
        ; jne >no_address
    );
    console::text(asm, ", address ");
    x64!(asm ; mov rax, cr2);
    console::hexadecimal(asm, 12);
    x64!(asm
        ; no_address:
        ; test BYTE [rbp + frame::CS], 3
        ; jz >kernel_mode
    );
    console::text(asm, ", from user mode");
    x64!(asm
        ; kernel_mode:
        ; mov rax, [rbp + frame::RIP]
        ; cmp rax, [rbp + frame::R13]
        ; je >in_place
    );
    console::text(asm, ", but elsewhere");
    x64!(asm ; in_place:);
    console::text(asm, "\n");
    x64!(asm
        ; mov rax, [rbp + frame::R12]
        ; mov [rbp + frame::RIP], rax
        ; inc DWORD [->attempts]
        ; cmp DWORD [->attempts], ATTEMPTS.len() as i32
        ; je >enough
        ; ret
        ; enough:
    );
    console::text(asm, KILLED);
    program::exit(asm, 0);
}

fn expected(seed: u64) -> Expected {
    let image = build(seed);
    let line = |attempt: &Attempt| {
        let (vector, code) = (attempt.vector, attempt.error_code);
        let address = match attempt.address {
            Address::None => None,
            Address::Number(address) => Some(address),
            Address::Symbol(name) => image.symbol(name).map(|symbol| symbol.address),
        };
        let address = address.map(|address| format!(", address {address:#014x}"));
        let address = address.unwrap_or_default();
        format!("kernel: vector {vector}, error code {code:#04x}{address}, from user mode\n")
    };
    let lines: String = attempts(seed).into_iter().map(line).collect();
    Expected::exit(format!("{BEGIN}{REFUSED}{lines}{KILLED}"), 0)
}
