//! Stands where KVM would, on a host that cannot have it. Nothing of it can be
//! made, so nothing of it ever runs.

use super::{Begun, EngineCpu, Prepare, Told};
use common::{Boot, Context, Exit, Memory, NotReady, Pcpu, Time, Vcpu};
use std::error::Error;

/// A physical CPU that there is not.
pub struct HostCpu(Nothing);

/// A virtual CPU that there is not.
pub struct HardwareVcpu(Nothing);

/// Has no value.
enum Nothing {}

impl EngineCpu for HostCpu {
    type Start = HardwareVcpu;

    fn pcpu(_: usize, _: Memory, _: u64) -> Pcpu<Self> {
        unreachable!("the vcpus come first, and there are none")
    }

    fn begin(
        _: &Memory,
        _: &[Boot],
        _: Prepare,
    ) -> Result<Vec<Begun<HardwareVcpu>>, Box<dyn Error>> {
        Err("kvm is not on this host: it is a part of linux, here for x86-64".into())
    }

    fn context(pcpu: &mut Pcpu<Self>) -> Option<&mut Context> {
        match pcpu.cpu.0 {}
    }
}

impl Vcpu for HardwareVcpu {
    type Cpu = HostCpu;

    fn run(&mut self, _: &mut Pcpu<HostCpu>, _: Time) -> Exit {
        match self.0 {}
    }

    fn complete(&mut self, _: &mut Pcpu<HostCpu>, _: u64) {
        match self.0 {}
    }

    fn can_inject(&self) -> bool {
        match self.0 {}
    }

    fn inject(&mut self, _: u8) -> Result<(), NotReady> {
        match self.0 {}
    }

    fn want_window(&mut self, _: bool) {
        match self.0 {}
    }
}

impl Told {
    /// What KVM would tell of `vcpu`.
    pub fn of(vcpu: &HardwareVcpu) -> Told {
        match vcpu.0 {}
    }
}

/// The registers of `vcpu`.
pub fn registers_of(vcpu: &mut HardwareVcpu) -> Context {
    match vcpu.0 {}
}
