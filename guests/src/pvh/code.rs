//! The stub's code: one piece for each mode that a CPU goes through.
//!
//! ```text
//!  further CPUs:  16 bits (trampoline) --.
//!  boot CPU:                32 bits (protected_mode) --> 64 bits (long_mode) --> guest
//!                                                            |
//!                                                            '-- wakes the further CPUs
//! ```
//!
//! Sources: SDM volume 3, "Multiple-Processor (MP) Initialization" for the
//! waking, "Initializing IA-32e Mode" for the order of the steps.

use dynasmrt::x86::X86Relocation;
use dynasmrt::{DynasmApi, VecAssembler, dynasm};

use super::{
    CR0, CR4, DESCRIPTORS_POINTER, EFER, EFER_VALUE, KERNEL_CODE, KERNEL_CODE_32, KERNEL_DATA,
    LONG_MODE_CODE, PAGE_MAP_LEVEL_4, PROTECTED_MODE_CODE, TRAMPOLINE, TRAMPOLINE_COPY,
};
use crate::asm::{Asm, SegmentRegister};
use crate::image::PAGE_SIZE;
use crate::kernel::apic;
use crate::program::{STACK_SIZE, STACK_TOP};
use crate::x64;

/// RSP's number in the encoding of instructions.
const STACK_POINTER: u8 = 4;

/// Commands to the APICs of all CPUs but the own: INIT, and "start up at the
/// page whose number is the lowest byte".
const INIT_OTHERS: i32 = 0x000c_4500;
const START_OTHERS: i32 = 0x000c_4600 | (TRAMPOLINE / PAGE_SIZE) as i32;
/// A port that nobody needs; an access to it takes about a microsecond.
const DELAY_PORT: i8 = 0x80_u8 as i8;
/// How long to wait after INIT, in such accesses: 10 milliseconds.
const AFTER_INIT: i32 = 10_000;

/// Where a further CPU starts, in 16-bit real mode: loads the GDT and goes to
/// [`protected_mode`] with flat segments, as the boot CPU comes there.
///
/// The assembler knows no 16-bit code. The prefix 0x66 means 32-bit operands.
pub(super) fn trampoline() -> Vec<u8> {
    /// Where the operand of `lgdt` stands, from the start of the page.
    const POINTER: u16 = 64;
    let mut code = vec![0xfa]; // cli
    code.extend([0x2e, 0x66, 0x0f, 0x01, 0x16]); // lgdt cs:[POINTER]
    code.extend(POINTER.to_le_bytes());
    code.extend([0x0f, 0x20, 0xc0]); // mov eax, cr0
    code.extend([0x0c, 0x01]); // or al, 1: protected mode
    code.extend([0x0f, 0x22, 0xc0]); // mov cr0, eax
    code.push(0xb8); // mov ax, KERNEL_DATA
    code.extend((KERNEL_DATA as u16).to_le_bytes());
    code.extend([0x8e, 0xd8]); // mov ds, ax
    code.extend([0x8e, 0xc0]); // mov es, ax
    code.extend([0x8e, 0xd0]); // mov ss, ax
    code.push(0x66);
    code.extend(far_jump(KERNEL_CODE_32, PROTECTED_MODE_CODE));
    assert!(code.len() <= POINTER.into());
    code.resize(POINTER.into(), 0);
    code.extend(super::descriptors_pointer());
    code
}

/// From 32 bits with flat segments and without paging into long mode.
pub(super) fn protected_mode() -> Vec<u8> {
    let mut asm: VecAssembler<X86Relocation> = VecAssembler::new(PROTECTED_MODE_CODE as usize);
    dynasm!(asm
        ; .arch x86
        ; cli
        ; cld
        ; mov al, 0xff_u8 as i8         // mask all lines of both legacy interrupt controllers
        ; out 0x21, al
        ; out 0xa1_u8 as i8, al

        ; lgdt [DESCRIPTORS_POINTER as i32]
        ; mov eax, CR4 as i32
        ; mov cr4, eax
        ; mov eax, PAGE_MAP_LEVEL_4 as i32
        ; mov cr3, eax
        ; mov ecx, EFER as i32
        ; mov eax, EFER_VALUE as i32
        ; xor edx, edx
        ; wrmsr
        ; mov eax, CR0 as i32
        ; mov cr0, eax                  // paging on: long mode, but still 32-bit code
    );
    asm.extend(far_jump(KERNEL_CODE, LONG_MODE_CODE));
    asm.finalize().expect("the stub has no labels")
}

/// `jmp selector:address`, which loads CS, in the encoding of 32-bit code.
fn far_jump(selector: i32, address: u64) -> Vec<u8> {
    let mut jump = vec![0xea];
    jump.extend((address as u32).to_le_bytes());
    jump.extend((selector as u16).to_le_bytes());
    jump
}

/// The rest of the boot state, and the jump to the guest.
pub(super) fn long_mode(guest_entry: u64) -> Vec<u8> {
    let mut asm = Asm::at(LONG_MODE_CODE);
    load_segments(&mut asm);
    x64!(&mut asm
        ; mov eax, apic::ID_REGISTER as i32
        ; mov ebx, [rax]
        ; shr ebx, 24                   // the CPU's number
        ; imul eax, ebx, STACK_SIZE as i32
        ; mov esp, STACK_TOP as i32
        ; sub rsp, rax
        ; push rbx

        ; xor eax, eax
        ; push rax                      // an IDT of no entries: ten bytes of zero
        ; push rax
        ; lidt [rsp]
        ; add rsp, 16

        ; fninit
        ; test ebx, ebx
        ; jnz >woken
    );
    wake_others(&mut asm);
    x64!(&mut asm ; woken:);
    for register in 0..16 {
        x64!(&mut asm ; pxor Rx(register), Rx(register));
    }
    x64!(&mut asm
        ; push 2                        // RFLAGS: nothing but the bit that is always 1
        ; popf
    );
    for register in (0..16).filter(|&register| register != STACK_POINTER) {
        x64!(&mut asm ; mov Rq(register), 0);
    }
    x64!(&mut asm
        ; pop rdi                       // the CPU's number; RSP is the top of its stack
        ; jmp extern guest_entry as usize
    );
    let mut image = asm.finish().expect("the stub's labels are all defined");
    image.segments.swap_remove(0).bytes
}

fn load_segments(asm: &mut Asm) {
    x64!(asm ; mov eax, KERNEL_DATA);
    for register in [
        SegmentRegister::Ds,
        SegmentRegister::Es,
        SegmentRegister::Ss,
    ] {
        asm.load_segment(register);
    }
    x64!(asm ; xor eax, eax);
    for register in [SegmentRegister::Fs, SegmentRegister::Gs] {
        asm.load_segment(register);
    }
}

/// Starts all other CPUs, if there are any: INIT, a wait, and the order to start.
/// The manual gives the order twice, for chips that miss the first. QEMU misses
/// none, and wakes a CPU that has halted meanwhile by the second.
fn wake_others(asm: &mut Asm) {
    x64!(asm
        ; mov esi, TRAMPOLINE_COPY as i32
        ; mov edi, TRAMPOLINE as i32
        ; mov ecx, trampoline().len() as i32
        ; rep movsb
        ; mov ebx, apic::COMMAND_REGISTER as i32
        ; mov DWORD [rbx], INIT_OTHERS
        ; mov ecx, AFTER_INIT
        ; wait:
        ; in al, DELAY_PORT
        ; dec ecx
        ; jnz <wait
        ; mov DWORD [rbx], START_OTHERS
    );
}

#[cfg(test)]
mod tests {
    use iced_x86::{Decoder, DecoderOptions, Mnemonic::*};

    use super::*;

    #[test]
    fn the_trampoline_is_16_bit_code_that_goes_to_protected_mode() {
        let code = trampoline();
        let decoder = Decoder::with_ip(16, &code, 0, DecoderOptions::NONE);
        let instructions: Vec<_> = decoder.into_iter().take(10).collect();
        let mnemonics: Vec<_> = instructions.iter().map(|found| found.mnemonic()).collect();
        let wanted = [Cli, Lgdt, Mov, Or, Mov, Mov, Mov, Mov, Mov, Jmp];
        assert_eq!(mnemonics, wanted);
        assert_eq!(instructions[9].far_branch32(), PROTECTED_MODE_CODE as u32);
        let pointer = instructions[1].memory_displacement64() as usize;
        assert_eq!(code[pointer..], super::super::descriptors_pointer());
    }
}
