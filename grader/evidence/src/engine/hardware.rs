//! The host's CPU, through KVM.

pub use kvm::{HostCpu, Vcpu as HardwareVcpu};

use super::{Begun, EngineCpu, Prepare, Told};
use common::{Boot, Context, Memory, Pcpu, flags};
use kvm::Machine;
use std::error::Error;

impl EngineCpu for HostCpu {
    /// The file descriptor *is* the vCPU.
    type Start = HardwareVcpu;

    /// It has no registers of its own: the kernel puts the guest's onto the
    /// host's CPU at each entry, and takes them off again.
    fn pcpu(id: usize, _: Memory, _: u64) -> Pcpu<Self> {
        HostCpu::pcpu(id, HostCpu::TICK)
    }

    /// The engine sets the registers as the boot protocol says: the version's
    /// own preparation is for a raw CPU.
    fn begin(
        memory: &Memory,
        boots: &[Boot],
        _: Prepare,
    ) -> Result<Vec<Begun<HardwareVcpu>>, Box<dyn Error>> {
        let machine = Machine::new(memory)?;
        let vcpu = |boot| {
            let context = Context::new(memory.clone());
            let start = machine.vcpu(boot)?;
            Ok(Begun { context, start })
        };
        boots.iter().map(vcpu).collect()
    }

    fn context(_: &mut Pcpu<Self>) -> Option<&mut Context> {
        None
    }
}

impl Told {
    /// What KVM tells of `vcpu` now.
    pub fn of(vcpu: &HardwareVcpu) -> Told {
        Told {
            emulated: vcpu.emulated(),
            failure: vcpu.failure().map(ToString::to_string),
        }
    }
}

/// The registers of `vcpu`; all zero if it stands in the middle of an instruction
/// or KVM does not give them.
pub fn registers_of(vcpu: &mut HardwareVcpu) -> Context {
    let mut context = Context::new(vcpu.machine().memory().clone());
    if let (Ok(general), Ok(state)) = (vcpu.general(), vcpu.state()) {
        context.registers = general.registers;
        context.rip = general.rip;
        context.flags = general.flags & flags::USER | flags::ALWAYS;
        context.space.set_root(state.system.cr3);
    }
    context
}
