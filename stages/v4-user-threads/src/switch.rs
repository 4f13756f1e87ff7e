//! How the guest's kernel goes from one thread to another.

use guests::asm::Asm;
use guests::kernel::{segments, user};
use guests::v4::thread;
use guests::x64;

/// Emits the routine that switches threads: RDI is the slot of the thread that
/// runs, RSI the slot of the one that is to run.
///
/// # Exercise v4-E1: switch from one thread to another
///
/// The registers that a call may change are already on the kernel stack. Push
/// the six that it must keep: to the kernel they are nothing, but the thread's
/// user code has its values in them. Then the old thread is nothing but a stack
/// pointer: store RSP in its [`thread::STACK`]. Load RSP from the new thread's,
/// pop what is there in the reverse order, and return. That is all: whoever
/// called is not the same thread any more.
///
/// One thing is left. At the next entry from user mode the frame must go onto
/// the *new* thread's kernel stack. Load its [`thread::STACK_TOP`] into RAX;
/// [`segments::set_kernel_stack`] makes RAX the stack for interrupts (RSP0 of
/// the TSS), and [`user::set_kernel_stack`] the one for system calls.
pub fn switch(asm: &mut Asm) {
    // BEGIN SOLUTION
    x64!(asm
        ; push rbx
        ; push rbp
        ; push r12
        ; push r13
        ; push r14
        ; push r15
        ; mov [rdi + thread::STACK], rsp

        ; mov rsp, [rsi + thread::STACK]
        ; mov rax, [rsi + thread::STACK_TOP]
    );
    segments::set_kernel_stack(asm);
    user::set_kernel_stack(asm);
    x64!(asm
        ; pop r15
        ; pop r14
        ; pop r13
        ; pop r12
        ; pop rbp
        ; pop rbx
        ; ret
    );
    // END SOLUTION
    // STUB: todo!("v4-E1: switch from one thread to another")
}
