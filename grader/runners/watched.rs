//! A vCPU with an eye on it, on whichever engine. It is the same in the runners of
//! all versions with many VMs, and part of each of them, since there it can hand
//! [`Switch`] through.

use common::{Cpu, Exit, NotReady, Pcpu, Time, Vcpu};
use evidence::engine::{EngineCpu, HardwareVcpu, HostCpu, Told};
use evidence::host::Eye;
use v1::Emulate;
use v1::virtual_cpu::VirtualCpu;
use v5::Switch;

/// A vCPU that a scheduler can put onto a physical CPU and take off again: the
/// version's own, or the hardware's.
pub trait Tenant: Vcpu<Cpu: EngineCpu> {
    /// What is kept while it is on no physical CPU.
    type Saved: Send;

    /// Takes its state off `pcpu`.
    fn save(&mut self, pcpu: &mut Pcpu<Self::Cpu>) -> Self::Saved;

    /// Puts its state onto `pcpu`.
    fn restore(&mut self, pcpu: &mut Pcpu<Self::Cpu>, saved: Self::Saved);

    /// What the engine tells of it beside its exits.
    fn told(&self) -> Told {
        Told::default()
    }
}

/// Makes a vCPU of what the engine has for it: the vCPU, and what is saved of it
/// before it has ever run.
pub type Make<'a, V> =
    &'a (dyn Fn(<<V as Vcpu>::Cpu as EngineCpu>::Start) -> (V, <V as Tenant>::Saved) + Sync);

/// The version's own way to switch, with nothing added.
impl<E: Emulate> Tenant for VirtualCpu<E> {
    type Saved = <Self as Switch>::Saved;

    fn save(&mut self, pcpu: &mut Pcpu<Box<dyn Cpu>>) -> Self::Saved {
        Switch::save(self, pcpu)
    }

    fn restore(&mut self, pcpu: &mut Pcpu<Box<dyn Cpu>>, saved: Self::Saved) {
        Switch::restore(self, pcpu, saved);
    }
}

/// The file descriptor *is* the saved context: there is nothing to switch.
impl Tenant for HardwareVcpu {
    type Saved = ();

    fn save(&mut self, _: &mut Pcpu<HostCpu>) {}

    fn restore(&mut self, _: &mut Pcpu<HostCpu>, (): ()) {}

    fn told(&self) -> Told {
        Told::of(self)
    }
}

/// A vCPU, and the eye that looks at it each time it comes and goes.
pub struct Watched<V> {
    vcpu: V,
    eye: Eye,
}

impl<V: Tenant> Watched<V> {
    /// `vcpu`, from now on with an eye on it.
    pub fn new(vcpu: V, eye: Eye) -> Watched<V> {
        Watched { vcpu, eye }
    }
}

impl<V: Tenant> Vcpu for Watched<V> {
    type Cpu = V::Cpu;

    fn run(&mut self, pcpu: &mut Pcpu<V::Cpu>, until: Time) -> Exit {
        self.eye.begins(pcpu);
        let exit = self.vcpu.run(pcpu, until);
        self.eye.ends(pcpu, exit, self.vcpu.told());
        exit
    }

    fn complete(&mut self, pcpu: &mut Pcpu<V::Cpu>, value: u64) {
        self.eye.waits_for_answer(pcpu);
        self.vcpu.complete(pcpu, value);
        self.eye.got_answer(pcpu);
    }

    fn can_inject(&self) -> bool {
        self.vcpu.can_inject()
    }

    fn inject(&mut self, vector: u8) -> Result<(), NotReady> {
        self.vcpu.inject(vector)
    }

    fn want_window(&mut self, on: bool) {
        self.vcpu.want_window(on);
    }
}

impl<V: Tenant> Switch for Watched<V> {
    type Saved = V::Saved;

    fn save(&mut self, pcpu: &mut Pcpu<V::Cpu>) -> V::Saved {
        self.vcpu.save(pcpu)
    }

    fn restore(&mut self, pcpu: &mut Pcpu<V::Cpu>, saved: V::Saved) {
        self.vcpu.restore(pcpu, saved);
        self.eye.arrives(pcpu);
    }
}
