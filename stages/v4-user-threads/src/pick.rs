//! Which thread the guest's kernel runs next.

use guests::asm::Asm;
use guests::v4::{CAPACITY, thread};
use guests::x64;

/// Emits the routine that picks the next thread: RDI is the slot of the current
/// one, and RAX is to be the slot of the next, or 0.
///
/// # Exercise v4-E2: pick the next thread
///
/// Round robin: go through the table (the symbol `threads`, [`CAPACITY`] slots of
/// [`thread::SIZE`] bytes) from the slot *behind* the current one, at its end go
/// on at its beginning, and take the first slot whose [`thread::STATE`] is
/// [`thread::READY`]. The current thread is the last to be considered: it runs on
/// only if nobody else wants to. If nobody at all is ready, return 0; the kernel
/// then sleeps until a tick, and asks again.
///
/// To begin at the start of the table would be simpler, and whoever comes late
/// in it would starve.
pub fn pick(asm: &mut Asm) {
    // BEGIN SOLUTION
    let end = (CAPACITY * thread::SIZE) as isize;
    x64!(asm
        ; mov rax, rdi
        ; lea rdx, [->threads + end]
        ; mov ecx, CAPACITY
        ; next:
        ; add rax, thread::SIZE
        ; cmp rax, rdx
        ; jb >inside
        ; lea rax, [->threads]
        ; inside:
        ; cmp DWORD [rax + thread::STATE], thread::READY
        ; je >found
        ; dec ecx
        ; jnz <next
        ; xor eax, eax
        ; found:
        ; ret
    );
    // END SOLUTION
    // STUB: todo!("v4-E2: pick the next thread")
}
