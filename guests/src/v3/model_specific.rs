//! `model-specific`: a kernel that looks at what its registers do.
//!
//! Most kernels write EFER, FMASK and STAR once and never look again. This one
//! switches `syscall` off and on, has it clear different flags, and raises an
//! exception behind it, whose frame tells the segments that STAR has named. All of
//! that is between the kernel and itself: there is no user code.

use crate::asm::{Asm, SegmentRegister};
use crate::catalogue::{Expected, Guest};
use crate::image::Image;
use crate::kernel::interrupts::vector::INVALID_OPCODE;
use crate::kernel::interrupts::{self, FULL_LIMIT, Gate, KERNEL_CODE, frame};
use crate::kernel::user::{self, EFER, FMASK, SYSRETQ, USER_FLAGS};
use crate::kernel::{self, apic, segments};
use crate::random::Random;
use crate::{console, program, x64};

/// The catalogue's entry.
pub(super) const GUEST: Guest = Guest {
    name: "model-specific",
    about: "switches syscall off and on, and looks at the flags and segments behind it",
    vcpus: 1,
    build,
    expected,
};

/// RFLAGS.IF.
const INTERRUPT_FLAG: i32 = 1 << 9;
/// The flags that every call clears: TF, DF.
const ALWAYS: i32 = 0x500;

/// For each call whether it closes interrupts: each once, at least.
fn calls(seed: u64) -> Vec<bool> {
    let mut random = Random::new(seed);
    let more = random.between(1, 5);
    let more = (0..more).map(|_| random.next() & 1 == 1);
    [true, false].into_iter().chain(more).collect()
}

fn build(seed: u64) -> Image {
    kernel::build(|asm| {
        let undefined = asm.new_label();
        for variable in ["caught", "flag", "length"] {
            asm.words(variable, &[0]);
        }
        segments::load(asm);
        interrupts::gate(asm, INVALID_OPCODE, Gate::Interrupt, undefined);
        interrupts::load(asm, FULL_LIMIT);
        user::enable_system_calls(asm);
        write_the_apics_base_back(asm);
        switch_off_and_on(asm);
        for closes in calls(seed) {
            call(asm, closes);
            console::text(asm, line(closes));
        }
        program::exit(asm, 0);
        x64!(asm ; ->wrong:);
        console::text(asm, "kernel: that is not what was written\n");
        program::exit(asm, 1);
        x64!(asm ; ->other_stack:);
        console::text(
            asm,
            "kernel: a handler has another stack segment than the kernel\n",
        );
        program::exit(asm, 1);
        entry(asm);
        interrupts::handler(asm, "undefined", undefined, INVALID_OPCODE, on_undefined);
    })
}

/// What a register holds may be written to it again.
fn write_the_apics_base_back(asm: &mut Asm) {
    x64!(asm ; mov ecx, apic::BASE_REGISTER as i32 ; rdmsr ; wrmsr);
}

/// Without its bit in EFER, `syscall` is no instruction, and `sysretq` is none either.
fn switch_off_and_on(asm: &mut Asm) {
    x64!(asm
        ; mov ecx, EFER as i32
        ; rdmsr
        ; and eax, -2
        ; wrmsr
        ; rdmsr
        ; test al, 1
        ; jnz ->wrong
        ; mov DWORD [->length], SYSRETQ.len() as i32
        ; lea rcx, [->wrong]            // where it would go
        ; mov r11d, USER_FLAGS
    );
    asm.extend(SYSRETQ);
    x64!(asm
        ; mov DWORD [->length], 2       // of `syscall`, and of `ud2`
        ; syscall
        ; cmp DWORD [->caught], 2
        ; jne ->wrong
        ; mov ecx, EFER as i32
        ; rdmsr
        ; or eax, 1
        ; wrmsr
        ; rdmsr
        ; test al, 1
        ; jz ->wrong
    );
}

/// Calls the entry with interrupts open, which the call closes or leaves. No timer
/// runs.
fn call(asm: &mut Asm, closes: bool) {
    let (cleared, left) = match closes {
        true => (ALWAYS | INTERRUPT_FLAG, 0),
        false => (ALWAYS, INTERRUPT_FLAG),
    };
    x64!(asm ; mov eax, cleared);
    user::write_register(asm, FMASK);
    x64!(asm
        ; mov DWORD [->flag], left
        ; sti
        ; syscall
        ; cli
    );
}

/// The entry: raises an exception, and returns to where the kernel called.
fn entry(asm: &mut Asm) {
    x64!(asm ; ->system_call: ; ud2 ; jmp rcx);
}

/// Finds the flag and the kernel's own segments in the frame, and the kernel's stack
/// segment also in SS, since the mode has not changed. Skips the instruction.
fn on_undefined(asm: &mut Asm) {
    const SS: i32 = frame::RSP + 8;
    let data = i32::from(KERNEL_CODE) + 8;
    x64!(asm
        ; inc DWORD [->caught]
        ; mov eax, [rbp + frame::RFLAGS]
        ; and eax, INTERRUPT_FLAG
        ; cmp eax, [->flag]
        ; jne ->wrong
        ; cmp QWORD [rbp + frame::CS], i32::from(KERNEL_CODE)
        ; jne ->wrong
        ; cmp QWORD [rbp + SS], data
        ; jne ->wrong
    );
    asm.store_segment(SegmentRegister::Ss);
    x64!(asm
        ; cmp eax, data
        ; jne ->other_stack
        ; mov rax, [->length]
        ; add [rbp + frame::RIP], rax
    );
}

fn line(closes: bool) -> &'static str {
    match closes {
        true => "kernel: the call has closed interrupts\n",
        false => "kernel: the call has left interrupts open\n",
    }
}

fn expected(seed: u64) -> Expected {
    Expected::exit(calls(seed).into_iter().map(line).collect::<String>(), 0)
}
