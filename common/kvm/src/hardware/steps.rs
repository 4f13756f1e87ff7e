//! Step by step to the moment when the guest takes interrupts, for a KVM that
//! would notice it late.
//!
//! PVM carries out a kernel's instructions a thousand at a time, and looks only
//! then whether interrupts are open. By then they may be closed again, and an
//! interrupt that waits would wait for ever. So as long as the monitor wants to
//! know, KVM stops after each instruction (`KVM_SET_GUEST_DEBUG`), and says of
//! each stop whether interrupts are open.

use common::{Memory, Size};
use kvm_bindings::{KVM_GUESTDBG_ENABLE, KVM_GUESTDBG_SINGLESTEP, kvm_guest_debug};
use kvm_ioctls::VcpuFd;
use std::io;

/// How far the guest has come in steps.
#[derive(Default)]
pub struct Steps {
    /// KVM stops after each instruction.
    on: bool,
    /// Where the guest is, if it came here by a step.
    here: Option<u64>,
}

impl Steps {
    /// Switches steps on or off. The vCPU must be settled if they are to be on.
    pub fn prepare(&mut self, vcpu: &VcpuFd, on: bool) -> io::Result<()> {
        if on != self.on {
            let control = match on {
                true => KVM_GUESTDBG_ENABLE | KVM_GUESTDBG_SINGLESTEP,
                false => 0,
            };
            vcpu.set_guest_debug(&kvm_guest_debug {
                control,
                ..Default::default()
            })?;
            self.on = on;
        }
        // An access to a device may have come between.
        self.here = match on {
            true => Some(vcpu.get_regs()?.rip),
            false => None,
        };
        Ok(())
    }

    /// The guest has made a step to `rip`. Says whether that was a `hlt`: KVM
    /// reports the step and forgets to report the halt.
    pub fn was_halt(&mut self, vcpu: &VcpuFd, memory: &Memory, rip: u64) -> bool {
        const HLT: u64 = 0xf4;
        let Some(before) = self.here.replace(rip) else {
            return false;
        };
        rip == before.wrapping_add(1)
            && vcpu
                .translate_gva(before)
                .ok()
                .filter(|found| found.valid != 0)
                .and_then(|found| memory.load(found.physical_address, Size::Byte))
                == Some(HLT)
    }
}
