//! Exceptions: what the CPU raises when an instruction cannot go on.

use serde::{Deserialize, Serialize};
use std::fmt;

/// An exception with everything its handler needs (SDM vol. 3, chapter 6).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Fault {
    /// #DE, vector 0: division by zero, or a quotient too large.
    DivideError,
    /// #DB, vector 1.
    Debug,
    /// #BP, vector 3: `int3`. The one exception here that is reported *after*
    /// its instruction, so RIP is already past it.
    Breakpoint,
    /// #UD, vector 6: no such instruction.
    InvalidOpcode {
        /// The instruction exists on real x86 CPUs, but the software CPU does
        /// not implement it. The guest sees the same #UD either way.
        unimplemented: bool,
    },
    /// #NM, vector 7: FPU or SSE switched off.
    DeviceNotAvailable,
    /// #DF, vector 8: a fault while delivering another.
    DoubleFault,
    /// #TS, vector 10, with the selector.
    InvalidTss(u16),
    /// #NP, vector 11, with the selector or gate.
    SegmentNotPresent(u16),
    /// #SS, vector 12, with the selector; 0 for a non-canonical stack address.
    StackSegment(u16),
    /// #GP, vector 13, with the selector or gate; mostly 0.
    GeneralProtection(u16),
    /// #PF, vector 14.
    PageFault {
        /// What was attempted and why it failed.
        code: PageFaultCode,
        /// The guest-virtual address, as CR2 holds it.
        address: u64,
    },
    /// #AC, vector 17.
    AlignmentCheck,
}

impl Fault {
    /// The vector: the index of its gate in the guest's IDT.
    pub const fn vector(self) -> u8 {
        match self {
            Fault::DivideError => 0,
            Fault::Debug => 1,
            Fault::Breakpoint => 3,
            Fault::InvalidOpcode { .. } => 6,
            Fault::DeviceNotAvailable => 7,
            Fault::DoubleFault => 8,
            Fault::InvalidTss(_) => 10,
            Fault::SegmentNotPresent(_) => 11,
            Fault::StackSegment(_) => 12,
            Fault::GeneralProtection(_) => 13,
            Fault::PageFault { .. } => 14,
            Fault::AlignmentCheck => 17,
        }
    }

    /// The error code that the CPU pushes below the handler's frame, for the
    /// exceptions that have one (SDM vol. 3, table 6-1).
    pub const fn error_code(self) -> Option<u32> {
        match self {
            Fault::DoubleFault | Fault::AlignmentCheck => Some(0),
            Fault::InvalidTss(selector)
            | Fault::SegmentNotPresent(selector)
            | Fault::StackSegment(selector)
            | Fault::GeneralProtection(selector) => Some(selector as u32),
            Fault::PageFault { code, .. } => Some(code.0),
            _ => None,
        }
    }

    /// The manual's short name, such as `#PF`.
    pub const fn name(self) -> &'static str {
        match self {
            Fault::DivideError => "#DE",
            Fault::Debug => "#DB",
            Fault::Breakpoint => "#BP",
            Fault::InvalidOpcode { .. } => "#UD",
            Fault::DeviceNotAvailable => "#NM",
            Fault::DoubleFault => "#DF",
            Fault::InvalidTss(_) => "#TS",
            Fault::SegmentNotPresent(_) => "#NP",
            Fault::StackSegment(_) => "#SS",
            Fault::GeneralProtection(_) => "#GP",
            Fault::PageFault { .. } => "#PF",
            Fault::AlignmentCheck => "#AC",
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = self.name();
        match self {
            Fault::PageFault { code, address } => write!(f, "{name} at {address:#x} ({code})"),
            Fault::InvalidOpcode {
                unimplemented: true,
            } => write!(f, "{name} (not implemented by the software CPU)"),
            _ => match self.error_code() {
                Some(code) => write!(f, "{name}({code:#x})"),
                None => f.write_str(name),
            },
        }
    }
}

/// The error code of a page fault (SDM vol. 3, 4.7).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PageFaultCode(pub u32);

impl PageFaultCode {
    /// The page is mapped, but the access is not allowed.
    pub const PROTECTION: u32 = 1 << 0;
    /// The access was a write.
    pub const WRITE: u32 = 1 << 1;
    /// The access was made in user mode.
    pub const USER: u32 = 1 << 2;
    /// A page-table entry has a reserved bit set.
    pub const RESERVED: u32 = 1 << 3;
    /// The access was an instruction fetch.
    pub const FETCH: u32 = 1 << 4;

    /// Whether all bits of `mask` are set.
    pub const fn has(self, mask: u32) -> bool {
        self.0 & mask == mask
    }
}

impl fmt::Display for PageFaultCode {
    /// For people: `not mapped, read, from user mode`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let why = if self.has(Self::RESERVED) {
            "bad page-table entry"
        } else if self.has(Self::PROTECTION) {
            "not allowed"
        } else {
            "not mapped"
        };
        let what = if self.has(Self::FETCH) {
            "fetch"
        } else if self.has(Self::WRITE) {
            "write"
        } else {
            "read"
        };
        let mode = if self.has(Self::USER) {
            "user"
        } else {
            "kernel"
        };
        write!(f, "{why}, {what}, from {mode} mode")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_fault_says_what_was_attempted_and_why_it_failed() {
        let code = PageFaultCode(PageFaultCode::USER | PageFaultCode::WRITE);
        let fault = Fault::PageFault {
            code,
            address: 0xdead_b000,
        };
        assert_eq!(
            fault.to_string(),
            "#PF at 0xdeadb000 (not mapped, write, from user mode)"
        );
        assert_eq!(fault.error_code(), Some(6));
    }
}
