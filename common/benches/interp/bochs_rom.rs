//! The ROM that Bochs starts from in place of a BIOS: at the first instruction
//! after reset it goes straight into long mode and calls the kernel.
//!
//! ```text
//!  0xf0000  16-bit code: real mode to long mode
//!  0xf0100  64-bit code: calls the kernel, sends the checksum, shuts down
//!  0xf1000  the kernel, which the 64-bit code copies to RAM
//!  0xfb000  GDT, then the operand of lgdt
//!  0xfc000  page tables of three levels: the first GiB, by 2 MiB pages
//!  0xffff0  reset vector
//! ```
//!
//! It writes nothing to the tables in ROM: their accessed and dirty bits are
//! set from the start.

use dynasmrt::x64::X64Relocation;
use dynasmrt::{DynasmApi, DynasmLabelApi, VecAssembler, dynasm};

const SIZE: usize = 0x1_0000;
const BASE: usize = 0xf_0000;
const LONG_MODE_CODE: usize = 0x100;
const KERNEL: usize = 0x1000;
const GDT: usize = 0xb000;
const PML4: usize = 0xc000;
const PDPT: usize = 0xd000;
const PAGE_DIRECTORY: usize = 0xe000;
const RESET_VECTOR: usize = 0xfff0;

/// Where in RAM kernel, scratch memory and stack are.
const KERNEL_IN_RAM: i32 = 0x10_0000;
const SCRATCH: i32 = 0x20_0000;
const STACK_TOP: i32 = 0x9_0000;

/// Present, writable, accessed, dirty.
const USABLE: usize = 0b110_0011;
const LARGE: usize = 1 << 7;
const CODE_64: usize = 0x00af_9b00_0000_ffff;

/// From reset to long mode. Written as bytes, since the assembler knows no
/// 16-bit code; SDM vol. 3, 10.8.5 has the order of the steps.
#[rustfmt::skip]
const REAL_MODE_CODE: &[u8] = &[
    0xfa,                                           // cli
    0x2e, 0x66, 0x0f, 0x01, 0x16, 0x10, 0xb0,       // lgdt cs:[GDT + 0x10]
    0x66, 0xb8, 0x00, 0xc0, 0x0f, 0x00,             // mov eax, BASE + PML4
    0x0f, 0x22, 0xd8,                               // mov cr3, eax
    0x66, 0xb8, 0x20, 0x06, 0x00, 0x00,             // mov eax, PAE | OSFXSR | OSXMMEXCPT
    0x0f, 0x22, 0xe0,                               // mov cr4, eax
    0x66, 0xb9, 0x80, 0x00, 0x00, 0xc0,             // mov ecx, EFER
    0x66, 0xb8, 0x00, 0x09, 0x00, 0x00,             // mov eax, LME | NXE
    0x66, 0x31, 0xd2,                               // xor edx, edx
    0x0f, 0x30,                                     // wrmsr
    0x66, 0xb8, 0x33, 0x00, 0x01, 0x80,             // mov eax, PG | WP | NE | ET | MP | PE
    0x0f, 0x22, 0xc0,                               // mov cr0, eax
    0x66, 0xea, 0x00, 0x01, 0x0f, 0x00, 0x08, 0x00, // jmp 0x08:BASE + LONG_MODE_CODE
];

/// `jmp 0xf000:0`: into the copy of the ROM below 1 MiB.
const RESET_CODE: &[u8] = &[0xea, 0x00, 0x00, 0x00, 0xf0];

/// The ROM that runs `rounds` rounds of a kernel.
///
/// # Panics
/// If the kernel does not fit into the ROM.
pub fn build(kernel: &[u8], rounds: u64) -> Vec<u8> {
    assert!(
        kernel.len() <= GDT - KERNEL,
        "the kernel has {} bytes",
        kernel.len()
    );
    let mut rom = vec![0; SIZE];
    let mut put = |at: usize, bytes: &[u8]| rom[at..at + bytes.len()].copy_from_slice(bytes);
    put(0, REAL_MODE_CODE);
    put(LONG_MODE_CODE, &long_mode_code(kernel.len(), rounds));
    put(KERNEL, kernel);
    put(GDT + 8, &CODE_64.to_le_bytes());
    put(GDT + 0x10, &15_u16.to_le_bytes());
    put(GDT + 0x12, &(BASE + GDT).to_le_bytes());
    put(PML4, &((BASE + PDPT) | USABLE).to_le_bytes());
    put(PDPT, &((BASE + PAGE_DIRECTORY) | USABLE).to_le_bytes());
    for page in 0..512 {
        put(
            PAGE_DIRECTORY + page * 8,
            &((page << 21) | USABLE | LARGE).to_le_bytes(),
        );
    }
    put(RESET_VECTOR, RESET_CODE);
    rom
}

/// Calls the kernel, sends its checksum as eight bytes to COM1, and has Bochs
/// end by a word that it listens for at port 0x8900.
fn long_mode_code(kernel_size: usize, rounds: u64) -> Vec<u8> {
    let mut asm = VecAssembler::<X64Relocation>::new(BASE + LONG_MODE_CODE);
    dynasm!(asm
        ; .arch x64
        ; cld
        ; mov esp, STACK_TOP
        ; mov esi, (BASE + KERNEL) as i32
        ; mov edi, KERNEL_IN_RAM
        ; mov ecx, kernel_size as i32
        ; rep movsb
        ; mov rdi, QWORD rounds as i64
        ; mov esi, SCRATCH
        ; mov eax, KERNEL_IN_RAM
        ; call rax
        ; mov rbx, rax

        ; mov edx, 0x3fb                // line control register: 8 data bits
        ; mov al, 3
        ; out dx, al
        ; mov ecx, 8
        ; next_byte:
        ; mov edx, 0x3f8
        ; mov al, bl
        ; out dx, al
        ; mov edx, 0x3fd                // line status register
        ; still_sending:
        ; in al, dx
        ; test al, 0x40
        ; jz <still_sending
        ; shr rbx, 8
        ; dec ecx
        ; jnz <next_byte

        ; lea rsi, [>shutdown]
        ; mov edx, 0x8900u32 as i32
        ; mov ecx, 8
        ; rep outsb
        ; shutdown:
        ; .bytes b"Shutdown"
    );
    asm.finalize().expect("every label is defined")
}
