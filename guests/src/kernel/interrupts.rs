//! The interrupt descriptor table (IDT), and the way into a handler and back.
//!
//! The CPU pushes only what it cannot go without: SS, RSP, RFLAGS, CS, RIP, and
//! for some exceptions an error code. A handler must not lose anything else, so
//! [`handler`] saves all general registers before its body and restores them
//! after it. Meanwhile RBP points to the [`frame`]:
//!
//! ```text
//!   RBP + 128  SS           pushed by the CPU
//!         120  RSP            (SDM volume 3, "64-Bit Mode Stack Frame")
//!         112  RFLAGS
//!         104  CS
//!          96  RIP
//!          88  error code   pushed by the CPU, or a 0 of ours
//!          80  vector       pushed by us, and so is all that follows:
//!          72  RAX          the registers that a call may change
//!          ..  RCX, RDX, RSI, RDI, R8, R9, R10, R11
//!   RBP +   0  RBP
//!   RBP -   8  RBX          the registers that a call must keep
//!          ..  R12, R13, R14
//!   RBP -  40  R15
//! ```

use crate::asm::{Asm, DynamicLabel};
use crate::x64;

/// Where a handler finds things, relative to RBP.
pub mod frame {
    /// Destination of a jump after an exception, by the guests' convention.
    pub const R12: i32 = -16;
    /// What else a guest tells its handlers.
    pub const R13: i32 = -24;
    /// First argument of a system call.
    pub const RDI: i32 = 40;
    /// Second argument of a system call.
    pub const RSI: i32 = 48;
    /// Number of a system call, and its answer.
    pub const RAX: i32 = 72;
    /// The vector of the interrupt or exception.
    pub const VECTOR: i32 = 80;
    /// The error code, 0 where there is none.
    pub const ERROR_CODE: i32 = 88;
    /// Where the interrupted code goes on.
    pub const RIP: i32 = 96;
    /// Its code segment; the lowest two bits are its privilege level.
    pub const CS: i32 = 104;
    /// Its flags.
    pub const RFLAGS: i32 = 112;
    /// Its stack pointer.
    pub const RSP: i32 = 120;
}

/// Bit number of the interrupt flag in RFLAGS.
pub const INTERRUPT_FLAG: i8 = 9;

/// The exceptions that guests handle, by their vectors.
pub mod vector {
    /// #DE: division by zero, or a quotient too large.
    pub const DIVIDE_ERROR: u8 = 0;
    /// #BP: `int3`.
    pub const BREAKPOINT: u8 = 3;
    /// #UD: no such instruction.
    pub const INVALID_OPCODE: u8 = 6;
    /// #DF: an exception while delivering another.
    pub const DOUBLE_FAULT: u8 = 8;
    /// #TS: a task state segment that does not hold what is needed.
    pub const INVALID_TSS: u8 = 10;
    /// #NP: a gate or segment that is not present.
    pub const NOT_PRESENT: u8 = 11;
    /// #GP: whatever has no exception of its own.
    pub const GENERAL_PROTECTION: u8 = 13;
    /// #PF: no page, or not for this access.
    pub const PAGE_FAULT: u8 = 14;
}

/// Whether the CPU pushes an error code for this vector (SDM volume 3, table
/// "Protected-Mode Exceptions and Interrupts").
pub const fn has_error_code(vector: u8) -> bool {
    matches!(vector, 8 | 10..=14 | 17)
}

/// Kinds of gates. The value is the gate's byte of present bit, privilege
/// level and type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Gate {
    /// Closes interrupts on the way into the handler.
    Interrupt = 0x8e,
    /// Leaves them as they are.
    Trap = 0x8f,
    /// An interrupt gate that is marked as not present.
    Absent = 0x0e,
}

/// 64-bit kernel code, in the GDT that a guest starts with and in its own.
pub const KERNEL_CODE: u16 = 0x10;

/// Bytes of a gate, and of the whole table.
const GATE_SIZE: usize = 16;
const TABLE_SIZE: usize = 256 * GATE_SIZE;
/// The limit of the whole table: the offset of its last byte.
pub const FULL_LIMIT: u16 = (TABLE_SIZE - 1) as u16;

/// Fills the gate of `vector`, whose handler is at `label`.
pub fn gate(asm: &mut Asm, vector: u8, kind: Gate, label: DynamicLabel) {
    x64!(asm ; lea rax, [=>label]);
    gate_to_rax(asm, vector, kind, KERNEL_CODE);
}

/// Fills the gate of `vector`, whose handler is at the address in RAX, in the
/// segment `selector`.
pub fn gate_to_rax(asm: &mut Asm, vector: u8, kind: Gate, selector: u16) {
    x64!(asm
        ; mov ecx, i32::from(vector)
        ; mov edx, i32::from(selector) | (kind as i32) << 16
        ; call ->fill_gate
    );
}

/// Loads the table with this limit ([`FULL_LIMIT`] if nothing else is wanted).
/// All gates that are not filled are [`Gate::Absent`]. (All zeros would be no
/// gate at all, which is #GP and not #NP.)
pub fn load(asm: &mut Asm, limit: u16) {
    let mut absent = [0; GATE_SIZE];
    absent[5] = Gate::Absent as u8;
    asm.data("idt", 16, absent.repeat(TABLE_SIZE / GATE_SIZE));
    asm.zeroed("idt_pointer", 16, 10);
    x64!(asm
        ; lea rax, [->idt]
        ; mov WORD [->idt_pointer], limit as i16
        ; mov [->idt_pointer + 2], rax
        ; lidt [->idt_pointer]
    );
}

/// A handler with the symbol `name`: saves all registers, does what `body`
/// emits (which may change any but RBP and RSP), and returns to whatever was
/// interrupted.
pub fn handler(
    asm: &mut Asm,
    name: &str,
    label: DynamicLabel,
    vector: u8,
    body: impl FnOnce(&mut Asm),
) {
    entry(asm, name, label, vector);
    save_scratch(asm);
    save_rest(asm);
    body(asm);
    restore_rest(asm);
    restore_scratch(asm);
    x64!(asm ; iretq);
}

/// The first instructions of a handler: error code and vector are on the stack
/// behind them, whether or not the CPU pushes an error code.
pub fn entry(asm: &mut Asm, name: &str, label: DynamicLabel, vector: u8) {
    x64!(asm ; .align 16);
    asm.symbol(name);
    x64!(asm ; =>label);
    if !has_error_code(vector) {
        x64!(asm ; push 0);
    }
    x64!(asm ; push i32::from(vector));
}

/// Saves the registers that a call may change, and RBP, which points to the
/// frame from here on.
pub fn save_scratch(asm: &mut Asm) {
    x64!(asm
        ; push rax ; push rcx ; push rdx ; push rsi ; push rdi
        ; push r8 ; push r9 ; push r10 ; push r11
        ; push rbp
        ; mov rbp, rsp
        ; cld                           // the interrupted code may have set it
    );
}

/// Saves the registers that a call must keep.
pub fn save_rest(asm: &mut Asm) {
    x64!(asm ; push rbx ; push r12 ; push r13 ; push r14 ; push r15);
}

/// Undoes [`save_rest`].
pub fn restore_rest(asm: &mut Asm) {
    x64!(asm
        ; lea rsp, [rbp - 40]
        ; pop r15 ; pop r14 ; pop r13 ; pop r12 ; pop rbx
    );
}

/// Undoes [`save_scratch`], and takes the frame down as far as the CPU's own
/// part: what follows is `iretq`.
pub fn restore_scratch(asm: &mut Asm) {
    x64!(asm
        ; mov rsp, rbp
        ; pop rbp
        ; pop r11 ; pop r10 ; pop r9 ; pop r8
        ; pop rdi ; pop rsi ; pop rdx ; pop rcx ; pop rax
        ; add rsp, 16                   // vector and error code
    );
}

/// Emits the routine `fill_gate`: RAX is the address of the handler, ECX the
/// vector, EDX the selector and the kind of the gate. A gate has the address
/// in three pieces, since it grew with the architecture:
///
/// ```text
///   bytes 0-1   address, bits 0-15      bytes 4-5    kind (interrupt stack: none)
///   bytes 2-3   selector                bytes 6-7    address, bits 16-31
///                                       bytes 8-11   address, bits 32-63
/// ```
pub(super) fn library(asm: &mut Asm) {
    x64!(asm
        ; ->fill_gate:
        ; shl ecx, 4                    // 16 bytes each
        ; lea rsi, [->idt]
        ; add rsi, rcx
        ; mov [rsi], ax
        ; mov [rsi + 2], dx
        ; shr edx, 8
        ; mov dl, 0                     // no interrupt stack
        ; mov [rsi + 4], dx
        ; shr rax, 16
        ; mov [rsi + 6], ax
        ; shr rax, 16
        ; mov [rsi + 8], rax
        ; ret
    );
}
