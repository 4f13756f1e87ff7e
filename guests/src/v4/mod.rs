//! Version 4's guests: many user threads, scheduled by the guest's own kernel.
//!
//! The hypervisor is version 3's, without a change: it does not know that there
//! are threads. What is new is all inside the guest, and two pieces of it are
//! left out here: how to [switch](Threads::switch) from one thread to another,
//! and how to [pick](Threads::pick) the next one. Whoever builds a guest passes
//! them in.
//!
//! # The thread table
//!
//! It stands at the symbol `threads` and has [`CAPACITY`] slots of
//! [`thread::SIZE`] bytes, one for each thread that there may be. What a slot
//! holds, and where, is in [`mod@thread`]. Interrupts are always closed while
//! the kernel looks at it.
//!
//! # What is saved where
//!
//! When a thread enters the kernel, by a system call or a tick, the entry code
//! pushes what a call may change (RAX, RCX, RDX, RSI, RDI, R8 to R11) and RBP
//! onto the thread's own kernel stack, above them what the CPU needs to go back.
//! The registers that a call must keep (RBX, R12 to R15) stay where they are:
//! the kernel does not touch them. So when the kernel switches to another
//! thread, they still hold the *user's* values, and the switch is the only one
//! who can save them.
//!
//! ```text
//!   thread::STACK_TOP ->  SS, RSP, RFLAGS, CS, RIP         for iretq or sysretq
//!                         error code, vector
//!                         RAX, RCX, RDX, RSI, RDI, R8-R11, RBP
//!                         return addresses within the kernel
//!                         return address of the switch
//!                         RBX, RBP, R12-R15                pushed by the switch
//!   thread::STACK     ->
//! ```

mod cooperate;
mod fork_bomb;
mod kernel;
mod preempt;
mod sleepers;

use crate::asm::Asm;
use crate::catalogue::Expected;
use crate::image::Image;

/// How many threads there may be at a time.
pub const CAPACITY: i32 = 16;

/// A slot of the thread table: offsets in bytes, each of an eight-byte word.
pub mod thread {
    /// One of the states below.
    pub const STATE: i32 = 0;
    /// The kernel stack pointer of a thread that does not run, as the switch
    /// has left it.
    pub const STACK: i32 = 8;
    /// Where the thread's kernel stack begins, growing down.
    pub const STACK_TOP: i32 = 16;
    /// For a sleeping thread, the number of the tick that wakes it.
    pub const WAKE: i32 = 24;
    /// Bytes of a slot.
    pub const SIZE: i32 = 32;

    /// State of a slot without a thread.
    pub const FREE: i32 = 0;
    /// State of a thread that runs or wants to.
    pub const READY: i32 = 1;
    /// State of a thread that waits for a tick.
    pub const SLEEPING: i32 = 2;
}

/// Registers that the switch pushes onto the kernel stack of the thread it
/// leaves: RBX, RBP, R12, R13, R14, R15, in any order.
pub const SWITCH_PUSHES: i32 = 6;

/// The holes of the thread kernel. Each function emits one routine, from its
/// first instruction to its `ret`. The kernel places the label and calls it,
/// in kernel mode, with interrupts closed, on the kernel stack of the current
/// thread.
#[derive(Clone, Copy)]
pub struct Threads {
    /// The routine that switches threads.
    ///
    /// RDI is the slot of the thread that runs, RSI that of the one that is to
    /// run. The routine pushes the registers that a call must keep
    /// ([`SWITCH_PUSHES`] of them), stores RSP in the old slot's
    /// [`thread::STACK`], loads it from the new one's, makes the new one's
    /// [`thread::STACK_TOP`] the kernel's stack for the next entry (for
    /// interrupts by
    /// [`segments::set_kernel_stack`](crate::kernel::segments::set_kernel_stack),
    /// for system calls by
    /// [`user::set_kernel_stack`](crate::kernel::user::set_kernel_stack)), pops
    /// the registers, and returns: into the new thread.
    ///
    /// The stack of a thread that has never run looks as if it had been left by
    /// a switch: six words of 0, and an address to return to. The routine may
    /// change RAX, RCX, RDX, RSI, RDI, R8 to R11 and the flags.
    pub switch: fn(&mut Asm),
    /// The routine that picks the next thread.
    ///
    /// RDI is the slot of the current thread, which may not be ready any more.
    /// The routine returns in RAX the slot of the next thread that is
    /// [`thread::READY`], in the order of the table and round its end, beginning
    /// behind the current one, which is the last to be considered; or 0 if no
    /// thread is ready. It may change RAX, RCX, RDX, RSI, RDI, R8 to R11 and the
    /// flags, and leaves the table as it is.
    pub pick: fn(&mut Asm),
}

/// A guest that can be made from any seed, given the missing pieces.
pub struct Guest {
    /// What it is called on the command line: lower case with hyphens.
    pub name: &'static str,
    /// What it does and what for, in one sentence.
    pub about: &'static str,
    build: fn(threads: &Threads, seed: u64) -> Image,
    expected: fn(seed: u64) -> Expected,
}

impl Guest {
    /// The guest of this seed, with these pieces in its holes.
    pub fn build(&self, threads: &Threads, seed: u64) -> Image {
        (self.build)(threads, seed)
    }

    /// What the guest of this seed does on a machine that is right, with pieces
    /// that are right.
    pub fn expected(&self, seed: u64) -> Expected {
        (self.expected)(seed)
    }
}

/// The guests of version 4, in the order in which to try them.
static GUESTS: [Guest; 4] = [
    cooperate::GUEST,
    preempt::GUEST,
    sleepers::GUEST,
    fork_bomb::GUEST,
];

/// All guests of version 4.
pub fn guests() -> impl Iterator<Item = &'static Guest> {
    GUESTS.iter()
}

/// The guest of this name.
pub fn guest(name: &str) -> Option<&'static Guest> {
    guests().find(|guest| guest.name == name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::x64;

    /// Pieces that assemble, and are of no other use.
    const EMPTY: Threads = Threads {
        switch: |asm| x64!(asm ; ret),
        pick: |asm| x64!(asm ; ret),
    };

    #[test]
    fn guests_assemble_with_any_pieces_and_depend_on_the_seed() {
        for guest in guests() {
            let image = guest.build(&EMPTY, 1);
            assert!(image == guest.build(&EMPTY, 1), "{}", guest.name);
            let changes = (2..8).any(|seed| image != guest.build(&EMPTY, seed));
            assert!(changes, "{} ignores its seed", guest.name);
            for routine in ["switch_threads", "pick_thread"] {
                assert!(image.symbol(routine).is_some(), "{}", guest.name);
            }
        }
    }

    #[test]
    fn all_of_a_guest_lies_in_the_memory_that_has_small_pages() {
        for guest in guests() {
            let image = guest.build(&EMPTY, 1);
            let end = image.segments.iter().map(|s| s.address + s.memory_size);
            assert!(end.max() <= Some(2 << 20), "{}", guest.name);
        }
    }
}
