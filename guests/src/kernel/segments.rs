//! Segments and the task state segment (TSS), for a kernel with user code.
//!
//! In 64-bit mode a segment says little more than a privilege level. The
//! selectors are Linux's, and their order is not free: `syscall` and `sysret`
//! compute one from the other. The TSS is there for one field, RSP0: the stack
//! to which the CPU switches when an interrupt or exception leaves user mode
//! (SDM volume 3, "64-Bit TSS"). A handler that trusted the user's stack
//! pointer would write wherever the user likes.

use crate::asm::Asm;
use crate::x64;

/// Selector of 64-bit user code, with the privilege level 3.
pub const USER_CODE: u16 = 0x33;
/// Selector of user data and stack.
pub const USER_DATA: u16 = 0x2b;
/// Selector of the TSS.
pub const TASK: u16 = 0x40;

/// The segments, each at the index that is its selector divided by 8.
const GDT: [u64; 10] = [
    0,
    0,
    0x00af_9b00_0000_ffff, // 0x10: kernel code, 64 bits
    0x00cf_9300_0000_ffff, // 0x18: kernel data
    0x00cf_fb00_0000_ffff, // 0x23: user code, 32 bits
    0x00cf_f300_0000_ffff, // 0x2b: user data
    0x00af_fb00_0000_ffff, // 0x33: user code, 64 bits
    0,
    0x0000_8900_0000_0000, // 0x40: TSS, present; its limit and address are filled in
    0,                     //       the upper half of its address
];

/// Bytes of a TSS.
const TSS_SIZE: usize = 104;
/// The limit of a whole TSS: the offset of its last byte.
pub const FULL_TSS: u16 = (TSS_SIZE - 1) as u16;
/// Offset of the kernel's stack pointer in the TSS.
pub const RSP0: i32 = 4;
/// Offset of the first interrupt stack pointer in the TSS.
const IST1: usize = 36;
/// The limit of a TSS that ends with the seventh of them.
pub const STACKS_ONLY: u16 = (IST1 + 7 * 8 - 1) as u16;
/// Offset of the distance to the I/O permission map: with one that points
/// behind the TSS there is no map, and user code may use no port.
const IO_MAP: i32 = 102;

/// Loads the GDT. The segment registers keep what they have, which is the same
/// in this GDT as in the one that the guest started with.
pub fn load(asm: &mut Asm) {
    asm.words("gdt", &GDT);
    asm.zeroed("gdt_pointer", 16, 10);
    x64!(asm
        ; lea rax, [->gdt]
        ; mov WORD [->gdt_pointer], (8 * GDT.len() - 1) as i16
        ; mov [->gdt_pointer + 2], rax
        ; lgdt [->gdt_pointer]
    );
}

/// Loads the task register with a TSS of this limit ([`FULL_TSS`] if nothing
/// else is wanted). A descriptor has the address in pieces, as a gate has.
pub fn load_task(asm: &mut Asm, limit: u16) {
    asm.zeroed("tss", 16, TSS_SIZE);
    x64!(asm
        ; mov WORD [->tss + IO_MAP as isize], TSS_SIZE as i16
        ; lea rax, [->tss]
        ; lea rcx, [->gdt + TASK as isize]
        ; mov WORD [rcx], limit as i16
        ; mov [rcx + 2], ax
        ; shr rax, 16
        ; mov [rcx + 4], al
        ; mov [rcx + 7], ah
        ; shr rax, 16
        ; mov [rcx + 8], eax
        ; mov eax, i32::from(TASK)
        ; ltr ax
    );
}

/// Loads the task register anew, with the same TSS and another limit. That a CPU uses
/// it stands in the descriptor since [`load_task`], and has to be taken back before.
pub fn reload_task(asm: &mut Asm, limit: u16) {
    const AVAILABLE: i8 = 0x89_u8 as i8;
    x64!(asm
        ; mov WORD [->gdt + TASK as isize], limit as i16
        ; mov BYTE [->gdt + TASK as isize + 5], AVAILABLE
        ; mov eax, i32::from(TASK)
        ; ltr ax
    );
}

/// Makes RAX the interrupt stack of this number, from 1 to 7.
pub fn set_interrupt_stack(asm: &mut Asm, number: usize) {
    x64!(asm ; mov [->tss + (IST1 + 8 * (number - 1)) as isize], rax);
}

/// Makes RAX the stack for interrupts and exceptions in user mode.
pub fn set_kernel_stack(asm: &mut Asm) {
    x64!(asm ; mov [->tss + RSP0 as isize], rax);
}
