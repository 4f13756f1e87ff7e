//! Kernel mode and user mode, and the ways from one to the other.

use crate::exceptions::with_handlers;
use crate::{Case, HALT, Step, WINDOW, out};
use common::boot::PDPT;
use common::boot::selectors::{KERNEL_CODE, USER_CODE, USER_CODE_32, USER_DATA};
use common::{Gpr, Size};
use guests::asm::Asm;
use guests::kernel::segments;
use guests::x64;
use kvm::Ability;

/// `sysretq`, which the assembler does not know.
const SYSRETQ: [u8; 3] = [0x48, 0x0f, 0x07];

/// `mov ss, ax`, which it writes the wrong way round.
const MOV_SS_AX: [u8; 2] = [0x8e, 0xd0];

/// A bit of an entry of a page table.
const USER: i8 = 1 << 2;

const STACK: usize = 4096;
/// What user code may set of the flags.
const FLAGS: i32 = 0x202;

/// A kernel with handlers, a stack for entries from user mode, and the way for
/// system calls, which `call` emits. It enters the user code that `user` emits.
fn with_user(asm: &mut Asm, user: fn(&mut Asm), call: fn(&mut Asm)) {
    asm.zeroed("kernel_stack", 16, STACK);
    segments::load(asm);
    segments::load_task(asm, segments::FULL_TSS);
    x64!(asm ; lea rax, [->kernel_stack + STACK as isize]);
    segments::set_kernel_stack(asm);
    enable_system_calls(asm);
    x64!(asm ; jmp >enter ; ->user:);
    user(asm);
    x64!(asm ; ->call:);
    call(asm);
    x64!(asm ; enter:);
    with_handlers(asm, |asm| {
        x64!(asm
            ; push i32::from(USER_DATA)
            ; push 0x8_0000
            ; push FLAGS
            ; push i32::from(USER_CODE)
            ; lea rax, [->user]
            ; push rax
            ; xor eax, eax
            ; iretq
        );
    });
}

fn enable_system_calls(asm: &mut Asm) {
    x64!(asm
        ; mov ecx, 0xc000_0080_u32 as i32 ; rdmsr ; or eax, 1 ; wrmsr
        ; mov ecx, 0xc000_0081_u32 as i32 ; xor eax, eax
        ; mov edx, i32::from(USER_CODE_32) << 16 | i32::from(KERNEL_CODE) ; wrmsr
        ; mov ecx, 0xc000_0082_u32 as i32 ; lea rax, [->call] ; xor edx, edx ; wrmsr
        ; mov ecx, 0xc000_0084_u32 as i32 ; mov eax, 0x200 ; xor edx, edx ; wrmsr
    );
}

/// Emits what the kernel does at a system call that is not expected.
fn no_call(asm: &mut Asm) {
    x64!(asm ; ud2);
}

fn case(name: &'static str, code: fn(&mut Asm), script: Vec<Step>) -> Case {
    Case {
        name,
        code,
        start: vec![],
        script,
        end: vec![],
        needs: Some(Ability::SystemCall),
        handlers: true,
    }
}

const fn code(code: u32) -> Step {
    out(0x70, Size::Dword, code)
}

const fn vector(vector: u32) -> Step {
    out(0x71, Size::Byte, vector)
}

pub fn cases() -> Vec<Case> {
    vec![
        Case {
            end: vec![(Gpr::Rbx, 3), (Gpr::R8, 0x202), (Gpr::Rsp, 0x8_0000)],
            ..case(
                "a system call goes to the kernel with interrupts closed, and back",
                |asm| {
                    with_user(
                        asm,
                        |asm| x64!(asm ; inc ebx ; syscall ; inc ebx ; mov eax, 1 ; syscall ; ud2),
                        |asm| {
                            x64!(asm
                                ; mov edx, cs ; and edx, 3 ; out 0x73, al
                                ; test eax, eax ; jnz >last
                                ; inc ebx ; mov r8, r11
                                ; .bytes SYSRETQ
                                ; last: ; hlt
                            );
                        },
                    );
                },
                vec![out(0x73, Size::Byte, 0), out(0x73, Size::Byte, 1), HALT],
            )
        },
        case(
            "user code that halts is #GP(0), on the kernel's stack",
            |asm| with_user(asm, |asm| x64!(asm ; hlt), no_call),
            vec![code(0), vector(13), HALT],
        ),
        case(
            "user code that writes to a port is #GP(0)",
            |asm| with_user(asm, |asm| x64!(asm ; out 0x70, al), no_call),
            vec![code(0), vector(13), HALT],
        ),
        case(
            "a page fault of user code says that it was user code",
            |asm| {
                with_user(
                    asm,
                    |asm| x64!(asm ; mov rbx, QWORD 0x5_0000_1234 ; mov [rbx], rax),
                    no_call,
                );
            },
            vec![code(6), vector(14), out(0x72, Size::Dword, 0x1234), HALT],
        ),
        case(
            "a page of the kernel's is closed to user code",
            |asm| {
                with_user(
                    asm,
                    |asm| {
                        x64!(asm
                            ; mov ebx, 1 ; syscall
                            ; mov ebx, 0x8000_0000_u32 as i32 ; mov eax, [rbx]
                        );
                    },
                    |asm| {
                        x64!(asm
                            ; and BYTE [PDPT as i32 + 2 * 8], !USER
                            ; .bytes SYSRETQ
                        );
                    },
                );
            },
            vec![
                code(5),
                vector(14),
                out(0x72, Size::Dword, 0x8000_0000),
                HALT,
            ],
        ),
        case(
            "an interrupt that finds user code goes to the kernel",
            |asm| with_user(asm, |asm| x64!(asm ; again: ; jmp <again), no_call),
            vec![Step::Want, WINDOW, Step::Inject(0x40), vector(0x40), HALT],
        ),
        case(
            "user code takes its exceptions to the kernel with their codes",
            |asm| {
                with_user(
                    asm,
                    |asm| x64!(asm ; mov eax, 0x18 ; .bytes MOV_SS_AX),
                    no_call,
                )
            },
            vec![code(0x18), vector(13), HALT],
        ),
    ]
}
