//! The ways between kernel and user mode.
//!
//! ```text
//!   into user mode:   iretq      with a frame that was made up: the first time
//!                     iretq      back from an interrupt or exception
//!                     sysretq    back from a system call
//!   into the kernel:  a gate     interrupts and exceptions; stack by the TSS
//!                     syscall    system calls; no stack at all
//! ```
//!
//! `syscall` saves RIP in RCX and RFLAGS in R11 and goes to the address in the
//! register LSTAR; everything else is left as user code had it, the stack
//! pointer too. The kernel needs a register that user code cannot have changed,
//! to find its own stack by: `swapgs` gives it the base of GS, which then points
//! to the kernel's [`cpu`] area. In the kernel GS is always the kernel's, and in
//! user mode always the user's.
//!
//! A system call has its number in RAX and its arguments in RDI and RSI, and its
//! answer comes back in RAX. RCX and R11 are lost, everything else is kept.

use crate::asm::{Asm, DynamicLabel};
use crate::kernel::interrupts::{self, KERNEL_CODE, frame};
use crate::kernel::segments::{USER_CODE, USER_DATA};
use crate::x64;

/// Offsets in the kernel's area of the CPU, which GS points to.
pub mod cpu {
    /// Where the kernel's stack begins.
    pub const KERNEL_STACK: i32 = 0;
    /// The user's stack pointer, for the moment until it is on the stack.
    pub const USER_STACK: i32 = 8;
}

/// The answer to a system call with a bad pointer, as Linux's EFAULT.
pub const BAD_ADDRESS: i32 = -14;
/// The answer to a system call that does not exist, as Linux's ENOSYS.
pub const NO_SUCH_CALL: i32 = -38;

/// The vector in the frame of a system call: none that exists.
const SYSTEM_CALL: i32 = 0x100;

/// Flags of a thread that starts: interrupts open, and bit 1.
pub const USER_FLAGS: i32 = 0x202;
/// Flags that `syscall` clears: TF, IF, DF. The kernel runs with interrupts
/// closed.
const CLEARED_FLAGS: u64 = 1 << 8 | 1 << 9 | 1 << 10;

/// Whether `syscall` is allowed, in its lowest bit.
pub const EFER: u32 = 0xc000_0080;
const STAR: u32 = 0xc000_0081;
/// Where `syscall` goes.
pub const LSTAR: u32 = 0xc000_0082;
/// The flags that `syscall` clears.
pub const FMASK: u32 = 0xc000_0084;
/// The base of FS, which user code often uses for its thread's own data.
pub const FS_BASE: u32 = 0xc000_0100;
/// The base of GS.
pub const GS_BASE: u32 = 0xc000_0101;
/// What `swapgs` exchanges with it.
pub const KERNEL_GS_BASE: u32 = 0xc000_0102;

/// EFER's bit that allows `syscall`.
const SYSCALL_ENABLE: i32 = 1;
/// `syscall` loads CS with bits 32 to 47 and SS with 8 more; `sysretq` loads SS
/// with 8 and CS with 16 more than bits 48 to 63.
const SELECTORS: u64 = (USER_CODE as u64 - 16) << 48 | (KERNEL_CODE as u64) << 32;

/// The instruction `sysretq`: dynasm's `sysret` is the form that returns to 32-bit
/// code.
pub const SYSRETQ: [u8; 3] = [0x48, 0x0f, 0x07];

/// Writes RAX into a machine-specific register. Changes RAX, RCX and RDX.
pub fn write_register(asm: &mut Asm, register: u32) {
    x64!(asm
        ; mov rdx, rax
        ; shr rdx, 32
        ; mov ecx, register as i32
        ; wrmsr
    );
}

/// Allows system calls, and gives the kernel its area by GS. The kernel's stack
/// for system calls is set by [`set_kernel_stack`].
pub fn enable_system_calls(asm: &mut Asm) {
    asm.zeroed("cpu", 16, 16);
    x64!(asm
        ; mov ecx, EFER as i32
        ; rdmsr
        ; or eax, SYSCALL_ENABLE
        ; wrmsr
        ; mov rax, QWORD SELECTORS as i64
    );
    write_register(asm, STAR);
    x64!(asm ; lea rax, [->system_call]);
    write_register(asm, LSTAR);
    x64!(asm ; mov eax, CLEARED_FLAGS as i32);
    write_register(asm, FMASK);
    x64!(asm ; lea rax, [->cpu]);
    write_register(asm, GS_BASE);
}

/// Makes RAX the stack for system calls.
pub fn set_kernel_stack(asm: &mut Asm) {
    x64!(asm ; gs mov [cpu::KERNEL_STACK], rax);
}

/// Enters user mode at RAX, with the stack RDX, interrupts open and all
/// registers 0, as if user code had been interrupted there.
pub fn enter(asm: &mut Asm) {
    x64!(asm
        ; push i32::from(USER_DATA)
        ; push rdx
        ; push USER_FLAGS
        ; push i32::from(USER_CODE)
        ; push rax
    );
    for register in (0..16_u8).filter(|&register| register != 4) {
        x64!(asm ; xor Rd(register), Rd(register));
    }
    x64!(asm
        ; swapgs
        ; iretq
    );
}

/// Exchanges the bases of GS if user mode was interrupted.
pub fn swap_gs_if_user(asm: &mut Asm) {
    x64!(asm
        ; test BYTE [rbp + frame::CS], 3
        ; jz >from_kernel
        ; swapgs
        ; from_kernel:
    );
}

/// A handler as [`interrupts::handler`], of a kernel with user code.
pub fn handler(
    asm: &mut Asm,
    name: &str,
    label: DynamicLabel,
    vector: u8,
    body: impl FnOnce(&mut Asm),
) {
    interrupts::handler(asm, name, label, vector, |asm| {
        swap_gs_if_user(asm);
        body(asm);
        swap_gs_if_user(asm);
    });
}

/// Emits the entry of system calls, `system_call`, which calls the routine of
/// the number in RAX. It makes the same [`frame`] that interrupts have, except
/// for the registers that a call must keep: a routine keeps them. What a routine
/// leaves in RAX is the answer.
pub fn system_calls(asm: &mut Asm, calls: &[(u32, DynamicLabel)]) {
    enter_system_call(asm);
    for &(number, routine) in calls {
        x64!(asm
            ; cmp rax, number as i32
            ; jne >another
            ; call =>routine
            ; jmp >answer
            ; another:
        );
    }
    x64!(asm
        ; mov rax, NO_SUCH_CALL
        ; answer:
        ; mov [rbp + frame::RAX], rax
    );
    leave_system_call(asm);
}

/// From user mode, without a stack, to a frame on the kernel's stack.
fn enter_system_call(asm: &mut Asm) {
    x64!(asm
        ; .align 16
        ; ->system_call:
        ; swapgs
        ; gs mov [cpu::USER_STACK], rsp
        ; gs mov rsp, [cpu::KERNEL_STACK]
        ; push i32::from(USER_DATA)
        ; gs push QWORD [cpu::USER_STACK]
        ; push r11
        ; push i32::from(USER_CODE)
        ; push rcx
        ; push 0
        ; push SYSTEM_CALL
    );
    interrupts::save_scratch(asm);
}

/// From the frame back to user mode.
fn leave_system_call(asm: &mut Asm) {
    interrupts::restore_scratch(asm);
    x64!(asm
        ; pop rcx                       // RIP
        ; add rsp, 8                    // CS is known
        ; pop r11                       // RFLAGS
        ; mov rsp, [rsp]
        ; swapgs
    );
    asm.extend(SYSRETQ);
}
