//! What the raw, deprivileged CPU reports when guest code needs somebody.

use crate::{Fault, Gpr, Size};
use serde::{Deserialize, Serialize};

/// Why the raw CPU stopped.
///
/// A trap is not an exit: a trap comes from the *raw* CPU and asks the virtual
/// CPU for help; an [`Exit`](crate::Exit) comes from the *virtual* CPU and asks
/// the monitor.
///
/// Unless a variant says otherwise, the context is as it was before the
/// instruction at RIP, so that the instruction can be emulated or restarted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Trap {
    /// The instruction budget is used up; RIP is at the next instruction.
    Budget,
    /// Somebody kicked this physical CPU; RIP is at the next instruction.
    /// The kick is still pending: whoever acts on it takes it.
    Kicked,
    /// The code runs `pause` in a loop, as its [`PauseFilter`](crate::PauseFilter)
    /// defines one. The last `pause` has retired and RIP is behind it; counting
    /// begins anew.
    SpinLoop,
    /// A system-ISA instruction, which deprivileged code may not run. Emulate
    /// it and move RIP on by `length`, or refuse it.
    System {
        /// The instruction with its operands resolved.
        instruction: SystemInstruction,
        /// Its length in bytes.
        length: u8,
    },
    /// An access to guest-physical memory where there is no RAM.
    Mmio(Mmio),
    /// An exception that the guest's own handler has to see.
    Fault(Fault),
}

/// An access outside RAM, where devices may be. The guest's page walk has
/// already been done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mmio {
    /// Guest-physical address.
    pub gpa: u64,
    /// Width of the access.
    pub size: Size,
    /// What the guest wants there.
    pub operation: MmioOperation,
}

/// The direction of an access outside RAM.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum MmioOperation {
    /// A read: answer with [`Cpu::complete`](crate::Cpu::complete), which
    /// finishes the instruction and moves RIP on.
    Read,
    /// A write of this value. The instruction is already finished and RIP is
    /// past it.
    Write(u64),
    /// An instruction fetch. Nothing can complete it: code runs only from RAM.
    Fetch,
    /// An access by an instruction whose operand must be RAM here (string,
    /// SSE, locked or multi-step ones). Nothing can complete it.
    Unsupported,
}

/// A system-ISA instruction with its operands resolved: registers read,
/// addresses computed (guest-virtual, segment base added).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs)] // the fields are the manual's operands
pub enum SystemInstruction {
    /// `in al/ax/eax, port`.
    In { port: u16, size: Size },
    /// `out port, al/ax/eax`.
    Out { port: u16, size: Size },
    /// `insb/w/d`: from the port to memory at `address` (RDI).
    Ins {
        port: u16,
        size: Size,
        address: u64,
        repeat: bool,
    },
    /// `outsb/w/d`: from memory at `address` (segment base + RSI) to the port.
    Outs {
        port: u16,
        size: Size,
        address: u64,
        repeat: bool,
    },
    /// `hlt`: wait for an interrupt.
    Hlt,
    /// `cli`: close interrupts.
    Cli,
    /// `sti`: open interrupts after the next instruction.
    Sti,
    /// `pushf` of this width.
    Pushf { size: Size },
    /// `popf` of this width.
    Popf { size: Size },
    /// `int n`.
    Int { vector: u8 },
    /// `iret` of this operand width.
    Iret { size: Size },
    /// `lidt`, table descriptor already read from memory.
    Lidt { limit: u16, base: u64 },
    /// `lgdt`, table descriptor already read from memory.
    Lgdt { limit: u16, base: u64 },
    /// `sidt` to memory at `address`.
    Sidt { address: u64 },
    /// `sgdt` to memory at `address`.
    Sgdt { address: u64 },
    /// `lldt` of a selector, already read.
    Lldt { selector: u16 },
    /// `ltr` of a selector, already read.
    Ltr { selector: u16 },
    /// `sldt`.
    Sldt { destination: Operand },
    /// `str`.
    Str { destination: Operand },
    /// `smsw`.
    Smsw { destination: Operand },
    /// `lmsw` of a value, already read.
    Lmsw { value: u16 },
    /// `clts`.
    Clts,
    /// `mov segment, selector`, selector already read.
    LoadSegment { segment: Segment, selector: u16 },
    /// `mov destination, segment`.
    StoreSegment {
        segment: Segment,
        destination: Operand,
    },
    /// `mov register, crN`.
    ReadControl { control: u8, destination: Gpr },
    /// `mov crN, register`.
    WriteControl { control: u8, value: u64 },
    /// `mov register, drN`.
    ReadDebug { debug: u8, destination: Gpr },
    /// `mov drN, register`.
    WriteDebug { debug: u8, value: u64 },
    /// `invlpg`.
    Invlpg { address: u64 },
    /// `rdmsr`: ECX names the register.
    Rdmsr,
    /// `wrmsr`: ECX names the register.
    Wrmsr,
    /// `swapgs`.
    Swapgs,
    /// `syscall`: a system call, which only the virtual CPU can forward.
    Syscall,
    /// `sysret` of this operand width.
    Sysret { size: Size },
    /// Any other instruction that needs privilege or that x86 fails to trap:
    /// disassemble at RIP for its name.
    Other,
}

/// Where a system instruction puts a result.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Operand {
    /// A general register, written with this width.
    Register(Gpr, Size),
    /// Two bytes of memory at this guest-virtual address.
    Memory(u64),
}

/// A segment register, numbered as x86 encodes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs)] // the names are the meaning
pub enum Segment {
    Es,
    Cs,
    Ss,
    Ds,
    Fs,
    Gs,
}
