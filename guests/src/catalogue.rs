//! What is known of a guest without running it: its name, its purpose, and a
//! model of what it does.
//!
//! The model is plain Rust that computes the guest's answers in a way of its
//! own. So a grader can make a guest from a seed nobody has seen and still
//! know what it must print; and a hypervisor cannot pass by printing what some
//! run once printed.

use crate::image::Image;

/// A guest that can be made from any seed.
#[derive(Debug, Clone, Copy)]
pub struct Guest {
    /// What it is called on the command line: lower case with hyphens.
    pub name: &'static str,
    /// What it does and what for, in one sentence.
    pub about: &'static str,
    /// How many vCPUs it runs on, no more and no fewer. All start at its entry.
    pub vcpus: u8,
    pub(crate) build: fn(seed: u64) -> Image,
    pub(crate) expected: fn(seed: u64) -> Expected,
}

impl Guest {
    /// The guest of this seed. Equal seeds give equal images.
    pub fn build(&self, seed: u64) -> Image {
        (self.build)(seed)
    }

    /// What the guest of this seed does on a machine that is right.
    pub fn expected(&self, seed: u64) -> Expected {
        (self.expected)(seed)
    }
}

/// What a guest does on a machine that is right.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Expected {
    /// All bytes that it writes to COM1 before it ends. (For one that never
    /// ends: before it begins to repeat itself.)
    pub console: Vec<u8>,
    /// How it ends.
    pub ending: Ending,
}

/// How a guest ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ending {
    /// It writes this value to the exit port.
    Exit(u32),
    /// It halts on all its vCPUs, with interrupts off or with nobody left to send
    /// one, so nothing can wake it. Not a success.
    Halt,
    /// The instruction at the symbol `deed` cannot be carried out. A guest that
    /// survives it says so and exits with [`SURVIVED`].
    Death(Cause),
    /// An exception cannot be delivered, nor the exception that this causes, nor
    /// the double fault that this makes: the CPU shuts down. The vectors are
    /// those of the last three exceptions but #DF itself: the first that was
    /// not delivered, what went wrong with it, what went wrong with #DF. If one
    /// vCPU ends so, the machine does.
    TripleFault([u8; 3]),
    /// It runs until it is stopped, printing these bytes again and again (none
    /// at all if it is silent).
    Never {
        /// What it repeats.
        repeats: Vec<u8>,
    },
}

/// Exit code of a guest that lived through what should have been its death.
pub const SURVIVED: u8 = 99;

/// Why the instruction at `deed` cannot be carried out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cause {
    /// It jumps to this address, where there is no memory.
    JumpOutsideMemory(u64),
    /// It stores to this address, where there is neither memory nor a device.
    StoreOutsideMemory(u64),
    /// It loads from this address, which is not canonical: bits 63 to 47 are
    /// not all equal (#GP on a real CPU).
    NonCanonicalAddress(u64),
    /// It is `ud2`, which is undefined for ever (#UD on a real CPU).
    UndefinedInstruction,
    /// It divides by zero (#DE on a real CPU).
    DivideByZero,
    /// It is a system instruction, by its mnemonic, which a real CPU would
    /// carry out in kernel mode, but which version 1 has to refuse.
    Privileged(&'static str),
    /// It is an instruction, by its mnemonic, that the software CPU lacks (#UD
    /// on a real CPU whose kernel has not switched AVX on).
    Unimplemented(&'static str),
}

impl Expected {
    /// A guest that prints this and exits with this code.
    pub(crate) fn exit(console: String, code: u32) -> Self {
        Self {
            console: console.into_bytes(),
            ending: Ending::Exit(code),
        }
    }
}
