//! Traps and exits in words.

use super::VcpuName;
use crate::{Chain, Exit, Mmio, MmioOperation, Size, Trap};
use std::fmt::{Display, Formatter, Result};

impl Display for Trap {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        match self {
            Trap::Budget => f.write_str("budget used up"),
            Trap::Kicked => f.write_str("kicked from outside"),
            Trap::SpinLoop => f.write_str("pauses in a loop"),
            Trap::System { instruction, .. } => instruction.fmt(f),
            Trap::Mmio(mmio) => mmio.fmt(f),
            Trap::Fault(fault) => fault.fmt(f),
        }
    }
}

impl Display for VcpuName {
    /// As `vm 3`, or `vm 3 vcpu 1` for any but the first of a VM.
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        write!(f, "vm {}", self.vm)?;
        match self.vcpu {
            0 => Ok(()),
            vcpu => write!(f, " vcpu {vcpu}"),
        }
    }
}

impl Display for Exit {
    /// The kind of the exit, and what it says.
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        write!(f, "{}: ", self.kind())?;
        match self {
            Exit::PortOut { port, size, value } => {
                write!(f, "{size} {value:#x} to port {port:#x}")
            }
            Exit::PortIn { port, size } => write!(f, "{size} from port {port:#x}"),
            Exit::Mmio(mmio) => mmio.fmt(f),
            Exit::Halted => f.write_str("waits for an interrupt"),
            Exit::WindowOpen => f.write_str("takes interrupts now"),
            Exit::Deadline => f.write_str("the time given is up"),
            Exit::Kicked => f.write_str("somebody outside asks"),
            Exit::SpinLoop => f.write_str("pauses again and again"),
            Exit::Unsupported(trap) => trap.fmt(f),
            Exit::Shutdown(chain) => chain.fmt(f),
            Exit::Failed => f.write_str("the engine cannot go on"),
        }
    }
}

impl Display for Chain {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        self.first.fmt(f)?;
        for next in self.second.iter().chain(&self.third) {
            write!(f, ", then {next}")?;
        }
        Ok(())
    }
}

impl Display for Size {
    /// `byte`, `word`, `dword` or `qword`.
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        f.pad(match self {
            Size::Byte => "byte",
            Size::Word => "word",
            Size::Dword => "dword",
            Size::Qword => "qword",
        })
    }
}

impl Display for Mmio {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        let Mmio { gpa, size, .. } = self;
        match self.operation {
            MmioOperation::Read => write!(f, "read {size} at {gpa:#x}, not RAM"),
            MmioOperation::Write(value) => {
                write!(f, "write {size} {value:#x} at {gpa:#x}, not RAM")
            }
            MmioOperation::Fetch => write!(f, "fetch code at {gpa:#x}, not RAM"),
            MmioOperation::Unsupported => write!(f, "access {size} at {gpa:#x}, not RAM"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Fault;

    #[test]
    fn a_shutdown_shows_every_fault_of_its_chain() {
        let chain = Chain {
            first: Fault::DivideError,
            second: Some(Fault::SegmentNotPresent(2)),
            third: None,
        };
        let shown = Exit::Shutdown(chain).to_string();
        assert_eq!(shown, "shutdown: #DE, then #NP(0x2)");
    }
}
