//! A version's vCPU with an eye on it. It is the same in the runners of all
//! versions with many VMs, and part of each of them, since there it can hand
//! [`Switch`] through.

use common::{Cpu, Exit, NotReady, Pcpu, Time, Vcpu};
use evidence::host::Eye;
use v5::Switch;

/// A vCPU, and the eye that looks at it each time it comes and goes.
pub struct Watched<V> {
    vcpu: V,
    eye: Eye,
}

impl<V: Vcpu> Watched<V> {
    /// `vcpu`, from now on with an eye on it.
    pub fn new(vcpu: V, eye: Eye) -> Watched<V> {
        Watched { vcpu, eye }
    }
}

impl<V: Vcpu<Cpu = Box<dyn Cpu>>> Vcpu for Watched<V> {
    type Cpu = V::Cpu;

    fn run(&mut self, pcpu: &mut Pcpu<V::Cpu>, until: Time) -> Exit {
        self.eye.begins(pcpu);
        let exit = self.vcpu.run(pcpu, until);
        self.eye.ends(pcpu, exit);
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

/// The version's own way to switch, with nothing added.
impl<V: Switch<Cpu = Box<dyn Cpu>>> Switch for Watched<V> {
    type Saved = V::Saved;

    fn save(&mut self, pcpu: &mut Pcpu<V::Cpu>) -> V::Saved {
        self.vcpu.save(pcpu)
    }

    fn restore(&mut self, pcpu: &mut Pcpu<V::Cpu>, saved: V::Saved) {
        self.vcpu.restore(pcpu, saved);
        self.eye.arrives(pcpu);
    }
}
