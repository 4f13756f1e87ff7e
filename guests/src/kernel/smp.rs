//! What kernels on several vCPUs share: how to wait for each other.
//!
//! All vCPUs begin at the same entry, and each has its own number in RDI. From
//! the first instruction of the body on it is in R15, where it stays: routines
//! keep R15, and a handler finds there the number of the vCPU that it runs on.
//!
//! All of this is right for any interleaving: nothing assumes that two vCPUs
//! run at the same time, or that one that waits is not preempted. Whoever waits
//! for another in a loop does so with `pause`, which tells the CPU (and a
//! hypervisor that looks) that this is waiting and not work.
//!
//! Each vCPU has an interrupt table register and an APIC of its own. The table
//! itself is shared: every vCPU fills it, all with the same bytes.

use crate::asm::Asm;
use crate::image::Image;
use crate::kernel::apic;
use crate::kernel::interrupts::{self, FULL_LIMIT};
use crate::{console, program, x64};

/// Builds a guest for so many vCPUs. `body` writes its code, which begins on
/// all of them at the same place.
///
/// # Panics
///
/// If the text does not assemble.
pub fn build(vcpus: u8, body: impl FnOnce(&mut Asm)) -> Image {
    program::build(|asm| {
        x64!(asm ; mov r15, rdi);
        body(asm);
        library(asm, vcpus);
    })
}

/// Builds a guest for so many vCPUs with a handler table. When `body` begins,
/// the vCPU has loaded it, with no gate in it, and has switched its APIC on.
///
/// # Panics
///
/// If the text does not assemble.
pub fn build_kernel(vcpus: u8, body: impl FnOnce(&mut Asm)) -> Image {
    build(vcpus, |asm| {
        interrupts::load(asm, FULL_LIMIT);
        apic::switch_on(asm);
        body(asm);
        interrupts::library(asm);
    })
}

/// Waits until all vCPUs have come here, or to another `gather` as often. What
/// each wrote before, all see afterwards. Changes RAX, RCX, RDX.
pub fn gather(asm: &mut Asm) {
    x64!(asm ; call ->gather);
}

/// Takes the spin lock at the address in RDI, a word of 32 bits that is 0 while
/// it is free. Whoever holds it must not be interrupted by a handler that wants
/// it too. Changes RAX.
pub fn lock(asm: &mut Asm) {
    x64!(asm ; call ->spin_lock);
}

/// Gives the spin lock at the address in RDI back.
pub fn unlock(asm: &mut Asm) {
    x64!(asm ; mov DWORD [rdi], 0);
}

/// Does what `body` emits on one vCPU after the other, in the order of their
/// numbers: so that a console with lines of several vCPUs is always the same.
/// To be passed through once by every vCPU.
pub fn in_turn(asm: &mut Asm, body: impl FnOnce(&mut Asm)) {
    x64!(asm ; mov eax, r15d);
    await_turn(asm);
    body(asm);
    end_turn(asm);
}

/// Waits for turn number EAX. The turns begin with 0.
pub fn await_turn(asm: &mut Asm) {
    x64!(asm ; call ->await_turn);
}

/// Ends the turn.
pub fn end_turn(asm: &mut Asm) {
    x64!(asm ; inc DWORD [->turn]);
}

/// Prints `name: vCPU` and the number of the vCPU.
pub fn introduce(asm: &mut Asm, name: &str) {
    console::text(asm, &format!("{name}: vCPU "));
    x64!(asm ; mov rax, r15);
    console::decimal(asm);
}

/// The end of all vCPUs but the first: when all have come here, they halt for
/// ever, and vCPU 0 goes on alone.
pub fn leave_to_first(asm: &mut Asm) {
    gather(asm);
    x64!(asm ; test r15d, r15d ; jz >first);
    halt_for_ever(asm);
    x64!(asm ; first:);
}

/// Halts with interrupts closed; and again, as some PCs wake a CPU from this too.
pub fn halt_for_ever(asm: &mut Asm) {
    x64!(asm ; cli ; jmp ->halted);
}

/// Emits the routines and their variables.
fn library(asm: &mut Asm, vcpus: u8) {
    for variable in ["gathered", "turn"] {
        asm.words(variable, &[0]);
    }
    gather_routine(asm, vcpus);
    x64!(asm
        ; ->await_turn:
        ; cmp [->turn], eax
        ; je >mine
        ; pause
        ; jmp ->await_turn
        ; mine:
        ; ret

        ; ->spin_lock:
        ; mov eax, 1
        ; xchg [rdi], eax
        ; test eax, eax
        ; jz >mine
        ; taken:                        // only look, as long as there is no hope
        ; pause
        ; cmp DWORD [rdi], 0
        ; jne <taken
        ; jmp ->spin_lock
        ; mine:
        ; ret
    );
}

/// `gather`: the variable counts all who ever came. Whoever comes as number `n`
/// waits until the group of `n` is complete.
fn gather_routine(asm: &mut Asm, vcpus: u8) {
    x64!(asm
        ; ->gather:
        ; mov eax, 1
        ; lock xadd [->gathered], eax   // how many came before
        ; xor edx, edx
        ; mov ecx, i32::from(vcpus)
        ; div ecx
        ; inc eax
        ; imul eax, ecx                 // the count with which this group is complete
        ; incomplete:
        ; cmp [->gathered], eax
        ; jae >complete
        ; pause
        ; jmp <incomplete
        ; complete:
        ; ret
    );
}
