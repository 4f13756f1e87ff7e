//! Exceptions, with their error codes.
//!
//! Not here: #SS and `int n`, of which QEMU's CPU makes something else than
//! hardware, and steps by the trap flag, which version 2 does not support.

use crate::{Case, HALT, Step, out};
use common::boot::PDPT;
use common::{Gpr, Size};
use guests::asm::Asm;
use guests::kernel::interrupts::{self, FULL_LIMIT, Gate, has_error_code};
use guests::x64;
use kvm::Ability;

/// Vectors that have a handler: the exceptions, and an interrupt.
const VECTORS: [u8; 8] = [0, 1, 3, 6, 8, 13, 14, 0x40];

/// An address where no page is.
const UNMAPPED: u64 = 0x5_0000_1234;
const NOT_CANONICAL: u64 = 1 << 60;
/// `mov ds, cx`, which the assembler writes the wrong way round.
const MOV_DS_CX: [u8; 2] = [0x8e, 0xd9];
/// A bit of an entry of a page table.
const WRITABLE: i8 = 1 << 1;

/// Sets up a handler table, then does what `body` emits. Each handler writes its
/// error code to port 0x70, if it has one, and its vector to port 0x71, and
/// halts. The one of #PF also writes the low half of CR2 to port 0x72.
pub fn with_handlers(asm: &mut Asm, body: fn(&mut Asm)) {
    let labels = VECTORS.map(|_| asm.new_label());
    for (vector, label) in VECTORS.into_iter().zip(labels) {
        interrupts::gate(asm, vector, Gate::Interrupt, label);
    }
    interrupts::load(asm, FULL_LIMIT);
    x64!(asm ; xor eax, eax);
    body(asm);
    for (vector, label) in VECTORS.into_iter().zip(labels) {
        x64!(asm ; =>label);
        if has_error_code(vector) {
            x64!(asm ; pop rax ; out 0x70, eax);
        }
        x64!(asm ; mov al, vector as i8 ; out 0x71, al);
        if vector == 14 {
            x64!(asm ; mov rax, cr2 ; out 0x72, eax);
        }
        x64!(asm ; hlt);
    }
}

const fn code(code: u32) -> Step {
    out(0x70, Size::Dword, code)
}

const fn vector(vector: u32) -> Step {
    out(0x71, Size::Byte, vector)
}

const fn address(address: u64) -> Step {
    out(0x72, Size::Dword, address as u32)
}

fn case(name: &'static str, code: fn(&mut Asm), script: Vec<Step>) -> Case {
    Case {
        name,
        code,
        start: vec![(Gpr::Rsi, UNMAPPED), (Gpr::Rdi, NOT_CANONICAL)],
        script,
        end: vec![],
        needs: None,
        handlers: true,
    }
}

pub fn cases() -> Vec<Case> {
    vec![
        case(
            "a division by zero is #DE",
            |asm| with_handlers(asm, |asm| x64!(asm ; xor ecx, ecx ; div ecx)),
            vec![vector(0), HALT],
        ),
        case(
            "int3 is #BP",
            |asm| with_handlers(asm, |asm| x64!(asm ; int3)),
            vec![vector(3), HALT],
        ),
        case(
            "ud2 is #UD",
            |asm| with_handlers(asm, |asm| x64!(asm ; ud2)),
            vec![vector(6), HALT],
        ),
        case(
            "an address that is not canonical is #GP(0)",
            |asm| {
                with_handlers(
                    asm,
                    |asm| x64!(asm ; mov rbx, QWORD NOT_CANONICAL as i64 ; mov rax, [rbx]),
                );
            },
            vec![code(0), vector(13), HALT],
        ),
        case(
            "a selector outside the table is #GP with its number",
            |asm| with_handlers(asm, |asm| x64!(asm ; mov ecx, 0x3f8 ; .bytes MOV_DS_CX)),
            vec![code(0x3f8), vector(13), HALT],
        ),
        case(
            "a jump to where no page is, is #PF with the code of a fetch",
            |asm| {
                with_handlers(
                    asm,
                    |asm| x64!(asm ; mov rbx, QWORD UNMAPPED as i64 ; jmp rbx),
                );
            },
            vec![code(0x10), vector(14), address(UNMAPPED), HALT],
        ),
        case(
            "a write to a page that is there to be read is #PF with the code for it",
            |asm| {
                with_handlers(asm, |asm| {
                    x64!(asm
                        ; and BYTE [PDPT as i32 + 2 * 8], !WRITABLE
                        ; mov ebx, 0x8000_0000_u32 as i32 ; mov [rbx], eax
                    );
                });
            },
            vec![code(3), vector(14), address(0x8000_0000), HALT],
        ),
        case(
            "a read where no page is, is #PF with its address",
            |asm| {
                with_handlers(
                    asm,
                    |asm| x64!(asm ; mov rbx, QWORD UNMAPPED as i64 ; mov rax, [rbx]),
                );
            },
            vec![code(0), vector(14), address(UNMAPPED), HALT],
        ),
        case(
            "a write where no page is, is #PF with the code of a write",
            |asm| {
                with_handlers(
                    asm,
                    |asm| x64!(asm ; mov rbx, QWORD UNMAPPED as i64 ; mov [rbx], rax),
                );
            },
            vec![code(2), vector(14), address(UNMAPPED), HALT],
        ),
        Case {
            handlers: false,
            ..case(
                "an exception without any handler shuts the cpu down",
                |asm| x64!(asm ; out 0x70, al ; ud2),
                vec![out(0x70, Size::Byte, 0), Step::Kind("shutdown")],
            )
        },
        Case {
            needs: Some(Ability::MissingGate),
            ..case(
                "an exception without a gate, and none for #NP, is #DF(0)",
                |asm| {
                    with_handlers(
                        asm,
                        |asm| x64!(asm ; mov BYTE [->idt + 6 * 16 + 5], 0x0e ; ud2),
                    );
                },
                vec![code(0), vector(8), HALT],
            )
        },
    ]
}
