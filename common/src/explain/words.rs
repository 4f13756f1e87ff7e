//! What happened, and in which chain of exceptions.

use super::Scene;
use crate::{Ending, Exit, Fault, Mmio, MmioOperation, Trap};

/// What happened, in one clause.
pub(super) fn what(ending: Ending) -> String {
    match (ending, trap(ending)) {
        (Ending::Died(Exit::Shutdown(_)), _) | (_, None) => ending.to_string(),
        (_, Some(trap)) => what_trap(trap).to_string(),
    }
}

/// The trap behind an ending, if it was one that ended the guest.
pub(super) fn trap(ending: Ending) -> Option<Trap> {
    match ending {
        Ending::Died(Exit::Unsupported(trap)) => Some(trap),
        Ending::Died(Exit::Mmio(mmio)) => Some(Trap::Mmio(mmio)),
        Ending::Died(Exit::Shutdown(chain)) => Some(Trap::Fault(chain.first)),
        _ => None,
    }
}

fn what_trap(trap: Trap) -> &'static str {
    match trap {
        Trap::Budget | Trap::Kicked | Trap::SpinLoop => {
            "the virtual CPU gave up, though the guest did no wrong,"
        }
        Trap::System { .. } => "the guest executed an instruction that this version refuses",
        Trap::Mmio(mmio) => what_mmio(mmio),
        Trap::Fault(fault) => what_fault(fault),
    }
}

fn what_mmio(mmio: Mmio) -> &'static str {
    match mmio.operation {
        MmioOperation::Read => "the guest read where there is no memory",
        MmioOperation::Write(_) => "the guest wrote where there is no memory",
        MmioOperation::Fetch => "the guest jumped to where there is no memory",
        MmioOperation::Unsupported => "the guest used memory where there is none",
    }
}

fn what_fault(fault: Fault) -> &'static str {
    match fault {
        Fault::DivideError => "the guest died of a divide error (#DE)",
        Fault::Debug => "the guest died of a debug exception (#DB)",
        Fault::Breakpoint => "the guest died of a breakpoint (#BP)",
        Fault::InvalidOpcode {
            unimplemented: false,
        } => "the guest died of an invalid instruction (#UD)",
        Fault::InvalidOpcode {
            unimplemented: true,
        } => "the guest died of an instruction that the software CPU lacks (#UD)",
        Fault::DeviceNotAvailable => "the guest died of a missing FPU (#NM)",
        Fault::DoubleFault => "the guest died of a double fault (#DF)",
        Fault::InvalidTss(_) => "the guest died of an invalid TSS (#TS)",
        Fault::SegmentNotPresent(_) => "the guest died of a segment that is not present (#NP)",
        Fault::StackSegment(_) => "the guest died of a stack fault (#SS)",
        Fault::GeneralProtection(_) => "the guest died of a general-protection fault (#GP)",
        Fault::PageFault { .. } => "the guest died of a page fault (#PF)",
        Fault::AlignmentCheck => "the guest died of an unaligned access (#AC)",
    }
}

/// The exceptions of a shutdown, one a line, in the order they were raised.
pub(super) fn chain(scene: &Scene<'_>) -> Vec<String> {
    let Ending::Died(Exit::Shutdown(chain)) = scene.ending else {
        return Vec::new();
    };
    let place = scene.code.symbols().place(scene.at);
    let text = scene.code.text(scene.at);
    let first = fault(chain.first);
    let mut lines = vec![format!("{first}, raised at {place}: {text}")];
    if let Some(second) = chain.second {
        let delivered = chain.first.name();
        lines.push(format!("delivering {delivered}: {} → #DF", fault(second)));
    }
    if let Some(third) = chain.third {
        let third = fault(third);
        lines.push(format!("delivering #DF: {third} → triple fault"));
    }
    lines
}

/// A fault in words; for a gate of the IDT, which gate and what is wrong.
fn fault(fault: Fault) -> String {
    /// In an error code: the index is one of the IDT (SDM vol. 3, 6.13).
    const IDT: u16 = 1 << 1;
    let name = fault.name();
    match fault {
        Fault::SegmentNotPresent(code) if code & IDT != 0 => {
            format!("{name}, gate {} of the IDT is not present", code >> 3)
        }
        Fault::GeneralProtection(code) if code & IDT != 0 => {
            let gate = code >> 3;
            format!("{name}, gate {gate} of the IDT is beyond its limit or no gate")
        }
        _ => fault.to_string(),
    }
}
