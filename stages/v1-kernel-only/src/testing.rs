//! Helpers for the tests beside the code.

use crate::VirtualCpu;
use common::scripted::{Scripted, Step};
use common::{Cpu, Memory, Pcpu, SystemInstruction, Trap};

/// A physical CPU that plays `steps`, and a virtual CPU to run on it.
pub(crate) fn scripted(steps: Vec<Step>) -> (Pcpu<Box<dyn Cpu>>, VirtualCpu) {
    let memory = Memory::new(0x1_0000).unwrap();
    let cpu: Box<dyn Cpu> = Box::new(Scripted::new(memory, steps));
    (Pcpu::new(0, cpu), VirtualCpu::default())
}

/// The trap of a system instruction that is `length` bytes long.
pub(crate) fn system(instruction: SystemInstruction, length: u8) -> Trap {
    Trap::System {
        instruction,
        length,
    }
}
