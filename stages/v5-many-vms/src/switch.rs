//! Takes a virtual CPU off a physical CPU, and puts it on one.

use common::scripted::ScriptedVcpu;
use common::{Context, Pcpu, Vcpu};
use v1::Emulate;
use v1::virtual_cpu::VirtualCpu;

/// A virtual CPU that can leave its physical CPU between two runs, and come back
/// there or elsewhere.
pub trait Switch: Vcpu {
    /// What is kept while it is on no physical CPU.
    ///
    /// For trap and emulate it is the [`Context`]: the guest's registers are in
    /// the raw CPU, and the next VM overwrites them. For KVM it is nothing: there
    /// the vCPU's file descriptor *is* the saved context, and the kernel swaps
    /// the registers at each `KVM_RUN`.
    type Saved: Send;

    /// Takes its state off `pcpu`.
    fn save(&mut self, pcpu: &mut Pcpu<Self::Cpu>) -> Self::Saved;

    /// Puts its state onto `pcpu`. Whatever is there is nobody's any more.
    fn restore(&mut self, pcpu: &mut Pcpu<Self::Cpu>, saved: Self::Saved);
}

/// # Exercise v5-E1: save and restore a context
///
/// All that the raw CPU holds for a guest is in [`Pcpu::context`]. What the
/// version emulates (the interrupt flag, the handler table, the mode) is in the
/// virtual CPU itself and goes with it. So a switch is short. But it is *all* of
/// the context: a single register that stays behind is another VM's data, and
/// the memory that the context names is another VM's memory.
impl<E: Emulate> Switch for VirtualCpu<E> {
    type Saved = Context;

    fn save(&mut self, pcpu: &mut Pcpu<Self::Cpu>) -> Context {
        // BEGIN SOLUTION
        pcpu.context().clone()
        // END SOLUTION
        // STUB: todo!("v5-E1: save the context")
    }

    fn restore(&mut self, pcpu: &mut Pcpu<Self::Cpu>, saved: Context) {
        // BEGIN SOLUTION
        *pcpu.context() = saved;
        // END SOLUTION
        // STUB: todo!("v5-E1: restore the context")
    }
}

/// A scripted virtual CPU has no registers.
impl Switch for ScriptedVcpu {
    type Saved = ();

    fn save(&mut self, _: &mut Pcpu<()>) {}

    fn restore(&mut self, _: &mut Pcpu<()>, (): ()) {}
}

#[cfg(test)]
mod tests {
    use super::*;
    use common::scripted::Scripted;
    use common::{Cpu, Memory};

    #[test]
    fn what_another_vm_does_to_the_cpu_in_between_is_not_seen() {
        let memory = Memory::new(4096).unwrap();
        let cpu: Box<dyn Cpu> = Box::new(Scripted::new(memory.clone(), vec![]));
        let mut pcpu = Pcpu::new(0, cpu);
        let mut vcpu = crate::VirtualCpu::default();
        pcpu.scramble(1);
        pcpu.context().space.set_root(0x3000);
        let before = format!("{:?}", pcpu.context());

        let saved = vcpu.save(&mut pcpu);
        *pcpu.context() = Context::new(Memory::new(4096).unwrap());
        pcpu.scramble(2);
        vcpu.restore(&mut pcpu, saved);

        assert_eq!(format!("{:?}", pcpu.context()), before);
        assert!(pcpu.context().space.memory.same(&memory));
    }
}
