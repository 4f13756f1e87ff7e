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
    /// The shadow of `sti` outlasts an exit. No version needs this, but a guest
    /// that sleeps with `sti; hlt` and that nothing else wakes does.
    Shadow,
    /// An exception whose gate is missing becomes #NP. No version needs this, but
    /// single guests do.
    MissingGate,
    /// The error code of #NP names the gate that is missing, likewise.
    GateNumber,
}

impl Ability {
    /// All of them, in the order in which versions come to need them.
    pub const ALL: [Ability; 8] = [
        Ability::Vm,
        Ability::Kernel,
        Ability::Timer,
        Ability::Interrupt,
        Ability::SystemCall,
        Ability::Shadow,
        Ability::MissingGate,
        Ability::GateNumber,
    ];

    /// The first version, from 1 to 7, that needs it; `None` if none does.
    pub const fn first_version(self) -> Option<u8> {
        match self {
            Ability::Vm | Ability::Kernel | Ability::Timer => Some(1),
            Ability::Interrupt => Some(2),
            Ability::SystemCall => Some(3),
            Ability::Shadow | Ability::MissingGate | Ability::GateNumber => None,
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
            Ability::Shadow => "keep the shadow of sti across an exit",
            Ability::MissingGate => "raise #NP for an exception without a gate",
            Ability::GateNumber => "name the missing gate in the error code of #NP",
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
