//! The control registers, as far as a kernel in long mode changes them. Given:
//! nothing to do here.

use common::{Context, Fault};

/// CR0 as the boot code leaves it: PG, WP, NE, ET, MP, PE.
const CR0: u64 = 0x8001_0033;
/// What may change: TS, EM, AM. All else has the only value that this machine
/// supports.
const CR0_FREE: u64 = 1 << 2 | 1 << 3 | 1 << 18;
/// CR4 as the boot code leaves it: OSFXSR and PAE.
const CR4: u64 = 0x220;
/// What may change without an effect here: VME, PVI, TSD, DE, MCE, PGE, PCE,
/// OSXMMEXCPT.
const CR4_FREE: u64 = 0b101_1100_1111 & !0x220 | 1 << 10;
/// The address bits of CR3.
const ROOT: u64 = 0x0000_00ff_ffff_f000;

/// The virtual control registers (SDM vol. 3, 2.5). CR2 is version 2's, and CR3
/// is the root of the context's memory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Control {
    cr0: u64,
    cr4: u64,
}

impl Default for Control {
    fn default() -> Control {
        Control { cr0: CR0, cr4: CR4 }
    }
}

impl Control {
    /// `mov register, crN`; `None` if this version does not know the register.
    pub fn read(&self, context: &Context, control: u8) -> Option<u64> {
        match control {
            0 => Some(self.cr0),
            3 => Some(context.space.root()),
            4 => Some(self.cr4),
            _ => None,
        }
    }

    /// `mov crN, register`; `None` if this version does not support the value,
    /// so that it is refused and not ignored.
    ///
    /// # Errors
    /// #GP(0) if no CPU like ours supports the value.
    pub fn write(
        &mut self,
        context: &mut Context,
        control: u8,
        value: u64,
    ) -> Option<Result<(), Fault>> {
        match control {
            0 if (value ^ CR0) & !CR0_FREE == 0 => self.cr0 = value,
            3 if value & !(ROOT | 0xfff) != 0 => return Some(Err(Fault::GeneralProtection(0))),
            3 => context.space.set_root(value & ROOT),
            4 if (value ^ CR4) & !CR4_FREE == 0 => self.cr4 = value,
            _ => return None,
        }
        Some(Ok(()))
    }

    /// `clts`: the FPU is the current task's again.
    pub fn clear_task_switched(&mut self) {
        self.cr0 &= !(1 << 3);
    }
}
