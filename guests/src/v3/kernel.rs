//! The kernel of version 3's guests: one user thread, system calls, a timer.

use crate::asm::{Asm, DynamicLabel};
use crate::image::Image;
use crate::kernel::apic::{self, TICK, TIMER_VECTOR, Timer};
use crate::kernel::interrupts::{self, FULL_LIMIT, Gate, frame};
use crate::kernel::user_text::{self, UserText, WRITE};
use crate::kernel::{self, paging, segments, user};
use crate::x64;

/// Number of the system call that ends the user thread: its exit code in RDI.
pub(super) const EXIT: u32 = 0;
/// Number of the system call that answers how many ticks have passed.
pub(super) const TICKS: u32 = 2;
/// Number of the system call that sets the bases of FS and GS, to RDI and RSI.
pub(super) const SET_BASES: u32 = 3;

/// Pages of memory for the user thread. The stack begins at their end.
pub(super) const MEMORY: usize = 2;
/// Bytes of the kernel's stack for what comes from user mode.
const KERNEL_STACK: usize = 4096;

/// Builds a guest. `boot` is the kernel's code before the user thread starts;
/// `user` is the thread, which begins with all registers 0; `rest` is what else
/// the kernel has, such as handlers, given what `boot` returned. It must define
/// `user_exit`: what the kernel does when the thread has ended, with the exit
/// code in RBX.
pub(super) fn build<T>(
    boot: impl FnOnce(&mut Asm) -> T,
    user: impl FnOnce(&mut Asm, &mut UserText),
    rest: impl FnOnce(&mut Asm, T),
) -> Image {
    kernel::build(|asm| {
        let mut text = UserText::new();
        let (tick, calls) = (asm.new_label(), Calls::new(asm));
        set_up(asm, tick);
        let from_boot = boot(asm);
        start_user(asm);
        tick_handler(asm, tick);
        calls.emit(asm);
        paging::check_routine(asm);
        rest(asm, from_boot);
        x64!(asm ; .align paging::PAGE ; ->user_code:);
        user(asm, &mut text);
        x64!(asm ; .align paging::PAGE ; ->user_code_end:);
        text.place(asm);
        paging::user_memory(asm, MEMORY);
    })
}

/// Everything but the handlers of exceptions, and not yet the timer's start.
fn set_up(asm: &mut Asm, tick: DynamicLabel) {
    asm.zeroed("kernel_stack", 16, KERNEL_STACK);
    asm.words("user_ticks", &[0]);
    asm.words("kernel_ticks", &[0]);
    segments::load(asm);
    segments::load_task(asm, segments::FULL_TSS);
    paging::load(asm, MEMORY);
    interrupts::gate(asm, TIMER_VECTOR, Gate::Interrupt, tick);
    interrupts::load(asm, FULL_LIMIT);
    user::enable_system_calls(asm);
    x64!(asm ; lea rax, [->kernel_stack + KERNEL_STACK as isize]);
    segments::set_kernel_stack(asm);
    user::set_kernel_stack(asm);
    apic::enable(asm, Timer::Periodic, TICK);
}

/// Starts the timer and the user thread.
fn start_user(asm: &mut Asm) {
    apic::start_timer(asm);
    x64!(asm
        ; lea rax, [->user_code]
        ; lea rdx, [->user_memory + (MEMORY * paging::PAGE) as isize]
    );
    user::enter(asm);
}

/// Counts ticks, by the mode that they interrupt. The kernel never opens
/// interrupts, so it should never be interrupted.
fn tick_handler(asm: &mut Asm, tick: DynamicLabel) {
    user::handler(asm, "tick", tick, TIMER_VECTOR, |asm| {
        x64!(asm
            ; test BYTE [rbp + frame::CS], 3
            ; jnz >in_user_mode
            ; inc DWORD [->kernel_ticks]
            ; jmp >counted
            ; in_user_mode:
            ; inc DWORD [->user_ticks]
            ; counted:
        );
        apic::end_of_interrupt(asm);
    });
}

/// The routines of the system calls.
struct Calls {
    exit: DynamicLabel,
    write: DynamicLabel,
    ticks: DynamicLabel,
    set_bases: DynamicLabel,
}

impl Calls {
    fn new(asm: &mut Asm) -> Self {
        Self {
            exit: asm.new_label(),
            write: asm.new_label(),
            ticks: asm.new_label(),
            set_bases: asm.new_label(),
        }
    }

    fn emit(self, asm: &mut Asm) {
        let calls = [
            (EXIT, self.exit),
            (WRITE, self.write),
            (TICKS, self.ticks),
            (SET_BASES, self.set_bases),
        ];
        user::system_calls(asm, &calls);
        user_text::write_routine(asm, self.write);
        x64!(asm
            ; =>self.ticks
            ; mov eax, [->user_ticks]
            ; ret
            ; =>self.exit
            ; mov rbx, [rbp + frame::RDI]
            ; jmp ->user_exit
            ; =>self.set_bases
        );
        set_bases(asm);
    }
}

/// Sets the bases of FS and GS. In the kernel the user's base of GS is the one
/// that `swapgs` will bring back.
fn set_bases(asm: &mut Asm) {
    x64!(asm ; mov rax, [rbp + frame::RDI]);
    user::write_register(asm, user::FS_BASE);
    x64!(asm ; mov rax, [rbp + frame::RSI]);
    user::write_register(asm, user::KERNEL_GS_BASE);
    x64!(asm ; xor eax, eax ; ret);
}

/// User code ends with this exit code.
pub(super) fn exit_thread(asm: &mut Asm, code: u8) {
    x64!(asm
        ; mov edi, i32::from(code)
        ; mov eax, EXIT as i32
        ; syscall
    );
}

/// User code waits until it has been interrupted. Changes RAX, RCX, RDX, R11.
pub(super) fn await_tick(asm: &mut Asm) {
    x64!(asm
        ; mov eax, TICKS as i32
        ; syscall
        ; mov edx, eax
        ; wait:
        ; mov eax, TICKS as i32
        ; syscall
        ; cmp eax, edx
        ; je <wait
    );
}

/// The kernel ends the guest with the exit code of the user thread, in RBX.
pub(super) fn end_with_user(asm: &mut Asm) {
    x64!(asm ; mov eax, ebx ; jmp ->exit);
}
