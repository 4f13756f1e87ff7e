//! What a version needs of KVM, and what to say where it is missing.

use std::fmt;

/// Something that a KVM must be able to do for a version to run on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Ability {
    /// There is a KVM, we may use it, and it makes VMs.
    Vm,
    /// A kernel that writes to a port and halts comes back at both.
    Kernel,
    /// A guest that does nothing for us is interrupted when its time is up.
    Timer,
    /// An interrupt that we inject reaches the guest's handler.
    Interrupt,
    /// `syscall` in user mode enters the guest's kernel.
    SystemCall,
    /// An exception whose gate is missing becomes #NP. Version 2 does without it,
    /// but for the guests that show it.
    MissingGate,
}

impl Ability {
    /// All of them, in the order in which versions come to need them.
    pub const ALL: [Ability; 6] = [
        Ability::Vm,
        Ability::Kernel,
        Ability::Timer,
        Ability::Interrupt,
        Ability::SystemCall,
        Ability::MissingGate,
    ];

    /// The first version, from 1 to 7, that needs it.
    pub const fn first_version(self) -> u8 {
        match self {
            Ability::Vm | Ability::Kernel | Ability::Timer => 1,
            Ability::Interrupt => 2,
            Ability::MissingGate | Ability::SystemCall => 3,
        }
    }
}

impl fmt::Display for Ability {
    /// What is looked for, as the end of "this host can …".
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Ability::Vm => "make a virtual machine",
            Ability::Kernel => "run a kernel, its port accesses and its hlt",
            Ability::Timer => "take a busy guest's cpu back in time",
            Ability::Interrupt => "inject an interrupt",
            Ability::MissingGate => "raise #NP for an exception without a gate",
            Ability::SystemCall => "enter the guest's kernel on syscall",
        })
    }
}

/// What a host's KVM cannot do.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{what}")]
pub struct Lack {
    /// What is missing, in one clause: "skipped: " may stand before it.
    pub what: String,
    /// What to do about it, in one sentence.
    pub mend: String,
}
