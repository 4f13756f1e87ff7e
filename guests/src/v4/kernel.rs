//! The thread kernel of version 4's guests, with two holes.
//!
//! ```text
//!   user thread -- system call --> create, yield, sleep, exit --.
//!               -- tick ---------> wake the sleepers -----------+--> reschedule
//!                                                                     |
//!               hole: which is next? <-- pick_thread <----------------|
//!               hole: go there       <-- switch_threads <-------------'
//! ```
//!
//! One thread runs until it gives up the CPU or a tick takes it away. Where it
//! was is on its own kernel stack; so the kernel has one for each thread, beside
//! the user stack. The kernel itself is never interrupted, except where it has
//! nothing to do and sleeps until a tick makes some thread ready.

use crate::asm::{Asm, DynamicLabel};
use crate::image::Image;
use crate::kernel::apic::{self, TICK, TIMER_VECTOR, Timer};
use crate::kernel::interrupts::vector::{
    DIVIDE_ERROR, GENERAL_PROTECTION, INVALID_OPCODE, PAGE_FAULT,
};
use crate::kernel::interrupts::{self, FULL_LIMIT, Gate, frame};
use crate::kernel::segments::{USER_CODE, USER_DATA};
use crate::kernel::user_text::{self, UserText, WRITE};
use crate::kernel::{self, paging, segments, user};
use crate::v4::{CAPACITY, SWITCH_PUSHES, Threads, thread};
use crate::{console, program, x64};

/// System calls beside [`WRITE`]. This one ends the thread.
const EXIT: u32 = 0;
/// Answers the number of ticks so far.
const TICKS: u32 = 2;
/// Lets another thread run.
const YIELD: u32 = 3;
/// Sleeps until tick number RDI.
const SLEEP: u32 = 4;
/// Makes a thread that begins at RDI, with RSI in its own RDI. Answers its
/// number, or [`TRY_AGAIN`] if the table is full.
const CREATE: u32 = 5;

/// The answer of [`CREATE`] when there is no room, as Linux's EAGAIN.
pub(super) const TRY_AGAIN: i32 = -11;

/// Bytes of each kernel stack, and of each user stack.
const STACK: usize = paging::PAGE;
/// The user's pages: one that all threads share, and the stacks.
const MEMORY: usize = 1 + CAPACITY as usize;

/// How a thread kernel is to be built.
pub(super) struct Kernel<'a> {
    /// The pieces for the holes.
    pub threads: &'a Threads,
    /// Whether there are ticks.
    pub ticks: bool,
    /// How many threads there may be, at most [`CAPACITY`].
    pub limit: i32,
}

impl Kernel<'_> {
    /// Builds a guest. `user` is the code of its threads, of which the first
    /// begins at its first instruction; `over` is what the kernel says when no
    /// thread is left, before the guest ends with success.
    pub fn build(
        &self,
        user: impl FnOnce(&mut Asm, &mut UserText),
        over: impl FnOnce(&mut Asm),
    ) -> Image {
        kernel::build(|asm| {
            let mut text = UserText::new();
            let handlers = Handlers::new(asm);
            set_up(asm, &handlers);
            self.start(asm);
            x64!(asm ; ->all_over:);
            over(asm);
            program::exit(asm, 0);
            handlers.emit(asm);
            self.create_routine(asm);
            self.schedule(asm);
            paging::check_routine(asm);
            x64!(asm ; .align paging::PAGE ; ->user_code:);
            user(asm, &mut text);
            x64!(asm ; .align paging::PAGE ; ->user_code_end:);
            text.place(asm);
            paging::user_memory(asm, MEMORY);
        })
    }

    /// Makes the first thread and switches to it, as if from some other.
    fn start(&self, asm: &mut Asm) {
        asm.zeroed("boot_thread", 16, thread::SIZE as usize);
        x64!(asm
            ; lea rdi, [->user_code]
            ; xor esi, esi
            ; call ->create_thread
        );
        if self.ticks {
            apic::start_timer(asm);
        }
        x64!(asm
            ; lea rdi, [->boot_thread]
            ; lea rsi, [->threads]
            ; mov [->current], rsi
            ; jmp ->switch_threads
        );
    }

    /// Emits the routine `create_thread`: RDI is where it begins, RSI its
    /// argument; RAX is its number, or [`TRY_AGAIN`].
    fn create_routine(&self, asm: &mut Asm) {
        asm.zeroed("kernel_stacks", 16, CAPACITY as usize * STACK);
        x64!(asm
            ; ->create_thread:
            ; cmp DWORD [->alive], self.limit
            ; jae >refuse
            ; lea rdx, [->threads]
            ; xor ecx, ecx              // RCX: the number, RDX: the slot
            ; look:
            ; cmp DWORD [rdx + thread::STATE], thread::FREE
            ; je >found
            ; add rdx, thread::SIZE
            ; inc ecx
            ; jmp <look
            ; found:
            ; mov QWORD [rdx + thread::STATE], thread::READY
            ; inc DWORD [->alive]
            ; inc DWORD [->created]

            ; mov r8, rcx
            ; inc r8
            ; shl r8, 12                // both stacks end a page behind they begin
            ; lea rax, [->user_memory + paging::PAGE as isize]
            ; add rax, r8               // RAX: the top of the user stack
            ; lea r9, [->kernel_stacks]
            ; add r9, r8                // R9: the top of the kernel stack
            ; mov [rdx + thread::STACK_TOP], r9
        );
        first_frame(asm);
        x64!(asm
            ; mov rax, rcx
            ; ret
            ; refuse:
            ; inc DWORD [->refused]
            ; mov rax, TRY_AGAIN
            ; ret
        );
    }

    /// Emits the routine `reschedule`, which returns when the current thread is
    /// to go on, and the holes.
    fn schedule(&self, asm: &mut Asm) {
        x64!(asm
            ; .align 16
            ; ->reschedule:
            ; mov rdi, [->current]
            ; call ->pick_thread
            ; test rax, rax
            ; jnz >found
            ; sti                       // nobody is ready: sleep until a tick,
            ; hlt                       //   and the shadow of sti covers hlt
            ; cli
            ; jmp ->reschedule
            ; found:
            ; mov rdi, [->current]
            ; cmp rax, rdi
            ; je >go_on
            ; mov [->current], rax
            ; mov rsi, rax
            ; jmp ->switch_threads      // which returns, in time, to our caller
            ; go_on:
            ; ret

            ; .align 16
            ; ->switch_threads:
        );
        (self.threads.switch)(asm);
        x64!(asm ; .align 16 ; ->pick_thread:);
        (self.threads.pick)(asm);
    }
}

/// Prepares the stack of a new thread as if the switch had left it: R9 is the
/// top, RDX the slot, RAX the user stack, RDI and RSI as for `create_thread`.
fn first_frame(asm: &mut Asm) {
    x64!(asm
        ; mov QWORD [r9 - 8], i32::from(USER_DATA)
        ; mov [r9 - 16], rax
        ; mov QWORD [r9 - 24], user::USER_FLAGS
        ; mov QWORD [r9 - 32], i32::from(USER_CODE)
        ; mov [r9 - 40], rdi
        ; mov [r9 - 48], rsi
        ; lea rax, [->thread_start]
        ; mov [r9 - 56], rax
        ; lea rax, [r9 - 56]
        ; mov r8d, SWITCH_PUSHES
        ; push_zero:
        ; sub rax, 8
        ; mov QWORD [rax], 0
        ; dec r8d
        ; jnz <push_zero
        ; mov [rdx + thread::STACK], rax
    );
}

/// Everything but the timer's start.
fn set_up(asm: &mut Asm, handlers: &Handlers) {
    asm.zeroed("threads", 16, (CAPACITY * thread::SIZE) as usize);
    for variable in [
        "current",
        "alive",
        "created",
        "refused",
        "ticks",
        "preemptions",
    ] {
        asm.words(variable, &[0]);
    }
    segments::load(asm);
    segments::load_task(asm, segments::FULL_TSS);
    paging::load(asm, MEMORY);
    interrupts::gate(asm, TIMER_VECTOR, Gate::Interrupt, handlers.tick);
    for (vector, label) in EXCEPTIONS.into_iter().zip(handlers.exceptions) {
        interrupts::gate(asm, vector, Gate::Interrupt, label);
    }
    interrupts::load(asm, FULL_LIMIT);
    user::enable_system_calls(asm);
    apic::enable(asm, Timer::Periodic, TICK);
}

/// The exceptions for which a thread is killed.
const EXCEPTIONS: [u8; 4] = [DIVIDE_ERROR, INVALID_OPCODE, GENERAL_PROTECTION, PAGE_FAULT];

/// The ways into the kernel.
struct Handlers {
    tick: DynamicLabel,
    exceptions: [DynamicLabel; EXCEPTIONS.len()],
    calls: [(u32, DynamicLabel); 6],
}

impl Handlers {
    fn new(asm: &mut Asm) -> Self {
        Self {
            tick: asm.new_label(),
            exceptions: EXCEPTIONS.map(|_| asm.new_label()),
            calls: [EXIT, WRITE, TICKS, YIELD, SLEEP, CREATE].map(|call| (call, asm.new_label())),
        }
    }

    fn emit(&self, asm: &mut Asm) {
        tick_handler(asm, self.tick);
        for (vector, label) in EXCEPTIONS.into_iter().zip(self.exceptions) {
            exception_handler(asm, vector, label);
        }
        user::system_calls(asm, &self.calls);
        let [exit, write, ticks, yield_, sleep, create] = self.calls.map(|(_, label)| label);
        user_text::write_routine(asm, write);
        exit_call(asm, exit);
        sleep_call(asm, sleep);
        create_call(asm, create);
        x64!(asm
            ; =>ticks
            ; mov eax, [->ticks]
            ; ret
            ; =>yield_
            ; call ->reschedule
            ; xor eax, eax
            ; ret
            ; .align 16
            ; ->thread_start:           // where the first switch to a thread returns to
            ; pop rdi                   // its argument; then all it must not see is cleared
        );
        for register in [0_u8, 1, 2, 6, 8, 9, 10, 11] {
            x64!(asm ; xor Rd(register), Rd(register));
        }
        x64!(asm ; swapgs ; iretq);
    }
}

/// The tick: wakes sleepers and, if it interrupted a thread, lets the next one
/// run. The interrupt is ended first, since nobody knows when this thread will
/// run again.
fn tick_handler(asm: &mut Asm, label: DynamicLabel) {
    interrupts::entry(asm, "tick", label, TIMER_VECTOR);
    interrupts::save_scratch(asm);
    user::swap_gs_if_user(asm);
    apic::end_of_interrupt(asm);
    x64!(asm
        ; inc DWORD [->ticks]
        ; lea rdx, [->threads]
        ; mov ecx, CAPACITY
        ; mov eax, [->ticks]
        ; sleeper:
        ; cmp DWORD [rdx + thread::STATE], thread::SLEEPING
        ; jne >next
        ; cmp rax, [rdx + thread::WAKE]
        ; jb >next
        ; mov QWORD [rdx + thread::STATE], thread::READY
        ; next:
        ; add rdx, thread::SIZE
        ; dec ecx
        ; jnz <sleeper
        ; test BYTE [rbp + frame::CS], 3
        ; jz >was_idle
        ; inc DWORD [->preemptions]
        ; call ->reschedule
        ; was_idle:
    );
    user::swap_gs_if_user(asm);
    interrupts::restore_scratch(asm);
    x64!(asm ; iretq);
}

/// An exception kills the thread, and nobody else. In the kernel it would be a
/// mistake of the kernel.
fn exception_handler(asm: &mut Asm, vector: u8, label: DynamicLabel) {
    interrupts::entry(asm, &format!("vector_{vector}"), label, vector);
    interrupts::save_scratch(asm);
    user::swap_gs_if_user(asm);
    x64!(asm
        ; test BYTE [rbp + frame::CS], 3
        ; jnz >by_user
    );
    console::text(asm, &format!("kernel: vector {vector} in the kernel\n"));
    program::exit(asm, 1);
    x64!(asm ; by_user:);
    console::text(asm, &format!("kernel: vector {vector}, thread killed\n"));
    x64!(asm ; jmp ->exit_thread);
}

/// The current thread ends. Its kernel stack is still in use, until the switch
/// has left it; before that no thread can be made that would want it.
fn exit_call(asm: &mut Asm, label: DynamicLabel) {
    x64!(asm
        ; =>label
        ; ->exit_thread:
        ; mov rdx, [->current]
        ; mov QWORD [rdx + thread::STATE], thread::FREE
        ; dec DWORD [->alive]
        ; jz ->all_over
        ; call ->reschedule
        ; ud2                           // nobody comes back to a thread that has ended
    );
}

fn sleep_call(asm: &mut Asm, label: DynamicLabel) {
    x64!(asm
        ; =>label
        ; mov rax, [rbp + frame::RDI]
        ; mov ecx, [->ticks]
        ; cmp rax, rcx
        ; jbe >awake                    // that tick is over
        ; mov rdx, [->current]
        ; mov [rdx + thread::WAKE], rax
        ; mov QWORD [rdx + thread::STATE], thread::SLEEPING
        ; call ->reschedule
        ; awake:
        ; xor eax, eax
        ; ret
    );
}

fn create_call(asm: &mut Asm, label: DynamicLabel) {
    x64!(asm
        ; =>label
        ; mov rsi, [rbp + frame::RDI]
        ; mov ecx, 1
        ; call ->check_user
        ; jnz >refuse
        ; mov rdi, [rbp + frame::RDI]
        ; mov rsi, [rbp + frame::RSI]
        ; jmp ->create_thread
        ; refuse:
        ; mov rax, user::BAD_ADDRESS
        ; ret
    );
}

/// User code: a system call without arguments. Changes RAX, RCX and R11.
fn call(asm: &mut Asm, number: u32) {
    x64!(asm ; mov eax, number as i32 ; syscall);
}

/// User code: the thread ends.
pub(super) fn exit(asm: &mut Asm) {
    call(asm, EXIT);
}

/// User code: RAX is the number of ticks so far.
pub(super) fn ticks(asm: &mut Asm) {
    call(asm, TICKS);
}

/// User code: lets another thread run.
pub(super) fn yield_now(asm: &mut Asm) {
    call(asm, YIELD);
}

/// User code: sleeps until tick number RDI.
pub(super) fn sleep_until(asm: &mut Asm) {
    call(asm, SLEEP);
}

/// User code: makes a thread that begins at `entry` with this argument. RAX is
/// the answer. Changes RDI and RSI, too.
pub(super) fn create(asm: &mut Asm, entry: DynamicLabel, argument: i32) {
    x64!(asm ; lea rdi, [=>entry] ; mov esi, argument);
    call(asm, CREATE);
}

/// User code: yields until the word at `offset` of the shared page is `turn`,
/// so that threads come one after the other. Changes RAX, RCX, R11.
pub(super) fn await_turn(asm: &mut Asm, offset: i32, turn: i32) {
    x64!(asm
        ; jmp >look
        ; wait:
    );
    yield_now(asm);
    x64!(asm
        ; look:
        ; cmp DWORD [->user_memory + offset as isize], turn
        ; jne <wait
    );
}
