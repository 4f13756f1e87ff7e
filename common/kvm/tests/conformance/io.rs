//! Ports, memory without RAM, and `hlt`.

use crate::{Case, HALT, NOWHERE, input, load, out, store};
use common::{Gpr, Size};
use guests::x64;

const GARBAGE: u64 = 0x1111_2222_3333_4444;

/// Where strings are.
const TEXT: u64 = 0x20_0000;

pub fn cases() -> Vec<Case> {
    vec![
        Case {
            name: "a write to a port shows its width and no more of the register",
            code: |asm| x64!(asm ; out 0x70, al ; out 0x70, ax ; out 0x70, eax ; out dx, al ; hlt),
            start: vec![(Gpr::Rax, GARBAGE), (Gpr::Rdx, 0x3f8)],
            script: vec![
                out(0x70, Size::Byte, 0x44),
                out(0x70, Size::Word, 0x4444),
                out(0x70, Size::Dword, 0x3333_4444),
                out(0x3f8, Size::Byte, 0x44),
                HALT,
            ],
            end: vec![(Gpr::Rax, GARBAGE)],
            needs: None,
            handlers: false,
        },
        Case {
            name: "a read from a port changes as much of the register as its width says",
            code: |asm| {
                x64!(asm
                    ; in al, 0x70 ; mov rbx, rax
                    ; in ax, 0x70 ; mov rcx, rax
                    ; in eax, dx ; hlt
                );
            },
            start: vec![(Gpr::Rax, GARBAGE), (Gpr::Rdx, 0x1234)],
            script: vec![
                input(0x70, Size::Byte, 0xab),
                input(0x70, Size::Word, 0xcdef),
                input(0x1234, Size::Dword, 0x89ab_cdef),
                HALT,
            ],
            end: vec![
                (Gpr::Rbx, 0x1111_2222_3333_44ab),
                (Gpr::Rcx, 0x1111_2222_3333_cdef),
                (Gpr::Rax, 0x89ab_cdef),
            ],
            needs: None,
            handlers: false,
        },
        Case {
            name: "a port whose number is in dx has all widths and both directions, too",
            code: |asm| {
                x64!(asm
                    ; out dx, ax ; out dx, eax
                    ; in al, dx ; mov rbx, rax
                    ; in ax, dx ; hlt
                );
            },
            start: vec![(Gpr::Rax, GARBAGE), (Gpr::Rdx, 0xfedc)],
            script: vec![
                out(0xfedc, Size::Word, 0x4444),
                out(0xfedc, Size::Dword, 0x3333_4444),
                input(0xfedc, Size::Byte, 0xab),
                input(0xfedc, Size::Word, 0xcdef),
                HALT,
            ],
            end: vec![
                (Gpr::Rbx, 0x1111_2222_3333_44ab),
                (Gpr::Rax, 0x1111_2222_3333_cdef),
            ],
            needs: None,
            handlers: false,
        },
        Case {
            name: "every item of a string that is written is an exit of its own",
            code: |asm| x64!(asm ; mov DWORD [rsi], 0x4443_4241 ; rep outsb ; hlt),
            start: vec![(Gpr::Rsi, TEXT), (Gpr::Rcx, 3), (Gpr::Rdx, 0x3f8)],
            script: vec![
                out(0x3f8, Size::Byte, 0x41),
                out(0x3f8, Size::Byte, 0x42),
                out(0x3f8, Size::Byte, 0x43),
                HALT,
            ],
            end: vec![(Gpr::Rsi, TEXT + 3), (Gpr::Rcx, 0)],
            needs: None,
            handlers: false,
        },
        Case {
            name: "the items of a string that is written have its width",
            code: |asm| {
                x64!(asm
                    ; mov QWORD [rsi], 0x4443_4241 ; outsw
                    ; mov ecx, 2 ; sub rsi, 2 ; rep outsd ; hlt
                );
            },
            start: vec![(Gpr::Rsi, TEXT), (Gpr::Rdx, 0x3f8)],
            script: vec![
                out(0x3f8, Size::Word, 0x4241),
                out(0x3f8, Size::Dword, 0x4443_4241),
                out(0x3f8, Size::Dword, 0),
                HALT,
            ],
            end: vec![(Gpr::Rsi, TEXT + 8), (Gpr::Rcx, 0)],
            needs: None,
            handlers: false,
        },
        Case {
            name: "every item of a string that is read is an exit of its own",
            code: |asm| x64!(asm ; rep insw ; mov rbx, [TEXT as i32] ; hlt),
            start: vec![(Gpr::Rdi, TEXT), (Gpr::Rcx, 4), (Gpr::Rdx, 0x1f0)],
            script: vec![
                input(0x1f0, Size::Word, 0x1111),
                input(0x1f0, Size::Word, 0x2222),
                input(0x1f0, Size::Word, 0x3333),
                input(0x1f0, Size::Word, 0x4444),
                HALT,
            ],
            end: vec![
                (Gpr::Rbx, 0x4444_3333_2222_1111),
                (Gpr::Rdi, TEXT + 8),
                (Gpr::Rcx, 0),
            ],
            needs: None,
            handlers: false,
        },
        Case {
            name: "strings go downwards when the direction flag says so, and 0 items are none",
            code: |asm| {
                x64!(asm
                    ; std ; insd ; insd ; cld
                    ; xor ecx, ecx ; rep outsb ; rep insb
                    ; mov rbx, [TEXT as i32] ; hlt
                );
            },
            start: vec![(Gpr::Rdi, TEXT + 4), (Gpr::Rdx, 0x1f0)],
            script: vec![
                input(0x1f0, Size::Dword, 0x2222_1111),
                input(0x1f0, Size::Dword, 0x4444_3333),
                HALT,
            ],
            end: vec![(Gpr::Rbx, 0x2222_1111_4444_3333), (Gpr::Rdi, TEXT - 4)],
            needs: None,
            handlers: false,
        },
        Case {
            name: "a write outside ram shows its width and no more of the register",
            code: |asm| {
                x64!(asm
                    ; mov [rdi], al ; mov [rdi + 2], ax ; mov [rdi + 4], eax ; mov [rdi + 8], rax
                    ; mov DWORD [rdi + 16], 0x1234 ; hlt
                );
            },
            start: vec![(Gpr::Rax, GARBAGE), (Gpr::Rdi, NOWHERE)],
            script: vec![
                store(NOWHERE, Size::Byte, 0x44),
                store(NOWHERE + 2, Size::Word, 0x4444),
                store(NOWHERE + 4, Size::Dword, 0x3333_4444),
                store(NOWHERE + 8, Size::Qword, GARBAGE),
                store(NOWHERE + 16, Size::Dword, 0x1234),
                HALT,
            ],
            end: vec![],
            needs: None,
            handlers: false,
        },
        Case {
            name: "a read outside ram changes as much of the register as its width says",
            code: |asm| {
                x64!(asm
                    ; mov al, [rsi] ; mov bx, [rsi + 2] ; mov ecx, [rsi + 4] ; mov rdx, [rsi + 8]
                    ; movzx r8d, BYTE [rsi + 16] ; movsx r9, BYTE [rsi + 16] ; hlt
                );
            },
            start: [Gpr::Rax, Gpr::Rbx, Gpr::Rcx, Gpr::Rdx, Gpr::R8, Gpr::R9]
                .map(|register| (register, GARBAGE))
                .into_iter()
                .chain([(Gpr::Rsi, NOWHERE)])
                .collect(),
            script: vec![
                load(NOWHERE, Size::Byte, 0xfe),
                load(NOWHERE + 2, Size::Word, 0xfedc),
                load(NOWHERE + 4, Size::Dword, 0xfedc_ba98),
                load(NOWHERE + 8, Size::Qword, 0xfedc_ba98_7654_3210),
                load(NOWHERE + 16, Size::Byte, 0x80),
                load(NOWHERE + 16, Size::Byte, 0x80),
                HALT,
            ],
            end: vec![
                (Gpr::Rax, 0x1111_2222_3333_44fe),
                (Gpr::Rbx, 0x1111_2222_3333_fedc),
                (Gpr::Rcx, 0xfedc_ba98),
                (Gpr::Rdx, 0xfedc_ba98_7654_3210),
                (Gpr::R8, 0x80),
                (Gpr::R9, 0xffff_ffff_ffff_ff80),
            ],
            needs: None,
            handlers: false,
        },
        Case {
            name: "an instruction that changes a device's register reads it and then writes it",
            code: |asm| x64!(asm ; or DWORD [rdi], 0x10 ; out 0x70, al ; hlt),
            start: vec![(Gpr::Rdi, NOWHERE)],
            script: vec![
                load(NOWHERE, Size::Dword, 0x203),
                store(NOWHERE, Size::Dword, 0x213),
                out(0x70, Size::Byte, 0),
                HALT,
            ],
            end: vec![],
            needs: None,
            handlers: false,
        },
        Case {
            name: "an instruction that looks at a device's register reads it and writes nothing",
            code: |asm| {
                x64!(asm
                    ; test BYTE [rdi], 0x20 ; jz >wrong
                    ; cmp DWORD [rdi + 4], 0x1234 ; jne >wrong
                    ; inc ebx
                    ; wrong: ; hlt
                );
            },
            start: vec![(Gpr::Rdi, NOWHERE)],
            script: vec![
                load(NOWHERE, Size::Byte, 0x60),
                load(NOWHERE + 4, Size::Dword, 0x1234),
                HALT,
            ],
            end: vec![(Gpr::Rbx, 1)],
            needs: None,
            handlers: false,
        },
        Case {
            name: "a cpu that halts goes on behind its hlt",
            code: |asm| x64!(asm ; hlt ; inc rbx ; hlt ; inc rbx ; hlt),
            start: vec![],
            script: vec![HALT, HALT, HALT],
            end: vec![(Gpr::Rbx, 2)],
            needs: None,
            handlers: false,
        },
    ]
}
