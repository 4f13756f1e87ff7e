//! The engines that a version can be run on, as far as the stands see them.
//!
//! Above a virtual CPU everything is the same on every engine: the version's
//! monitor, its schedulers, the devices. Below it is what differs, and all of it
//! is here: who makes the physical CPU, what a vCPU is made of, and where its
//! registers are while it does not run.
//!
//! ```text
//!              the physical CPU   what a vCPU is made of    its registers
//!   interp     Box<dyn Cpu>       a prepared Context        on the physical CPU
//!   kvm        HostCpu            the vCPU itself           behind a file descriptor
//! ```
//!
//! So on `kvm` nobody can look whether a vCPU finds its registers as it left
//! them: no scheduler could lose them there.

#[cfg(not(all(target_os = "linux", target_arch = "x86_64")))]
mod absent;
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
mod hardware;

#[cfg(not(all(target_os = "linux", target_arch = "x86_64")))]
pub use absent::{HardwareVcpu, HostCpu, registers_of};
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
pub use hardware::{HardwareVcpu, HostCpu, registers_of};

use common::{Boot, Context, Cpu, Interp, Memory, Pcpu};
use serde::{Deserialize, Serialize};
use std::error::Error;
use std::fmt;

/// An engine, by its name.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Engine {
    /// The software CPU, under the version's own virtual CPU.
    #[default]
    Interp,
    /// The host's CPU, through its KVM.
    Kvm,
}

impl Engine {
    /// Its name, as on the command line.
    pub const fn name(self) -> &'static str {
        match self {
            Engine::Interp => "interp",
            Engine::Kvm => "kvm",
        }
    }
}

impl fmt::Display for Engine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Puts a context into the state in which a guest kernel expects its CPU:
/// version 1's first exercise.
pub type Prepare = fn(&Boot, &mut Context);

/// What there is of a vCPU before it has ever run.
pub struct Begun<S> {
    /// Its registers, as far as anybody can know them.
    pub context: Context,
    /// What a version makes it of.
    pub start: S,
}

/// The physical CPU of an engine.
pub trait EngineCpu: Send + Sized {
    /// What a version makes a vCPU of.
    type Start;

    /// A physical CPU that nobody has used, its registers full of garbage if it
    /// has any of its own. `memory` is what it sees until somebody says more.
    fn pcpu(id: usize, memory: Memory, garbage: u64) -> Pcpu<Self>;

    /// What is needed for the vCPUs of one VM, one for each of `boots`.
    ///
    /// # Errors
    /// If the engine refuses.
    fn begin(
        memory: &Memory,
        boots: &[Boot],
        prepare: Prepare,
    ) -> Result<Vec<Begun<Self::Start>>, Box<dyn Error>>;

    /// The guest's registers while it is on this CPU; `None` if they are never
    /// here.
    fn context(pcpu: &mut Pcpu<Self>) -> Option<&mut Context>;
}

impl EngineCpu for Box<dyn Cpu> {
    type Start = Context;

    fn pcpu(id: usize, memory: Memory, garbage: u64) -> Pcpu<Self> {
        let cpu: Box<dyn Cpu> = Box::new(Interp::new(memory));
        let mut pcpu = Pcpu::new(id, cpu);
        pcpu.scramble(garbage);
        pcpu
    }

    fn begin(
        memory: &Memory,
        boots: &[Boot],
        prepare: Prepare,
    ) -> Result<Vec<Begun<Context>>, Box<dyn Error>> {
        let context = |boot| {
            let mut context = Context::new(memory.clone());
            prepare(boot, &mut context);
            let start = context.clone();
            Begun { context, start }
        };
        Ok(boots.iter().map(context).collect())
    }

    fn context(pcpu: &mut Pcpu<Self>) -> Option<&mut Context> {
        Some(pcpu.context())
    }
}

/// What an engine tells of a vCPU beside its exits.
#[derive(Clone, Debug, Default)]
pub struct Told {
    /// How many instructions were carried out in software, as the hardware could
    /// not.
    pub emulated: u64,
    /// Why the vCPU cannot go on, in the engine's own words.
    pub failure: Option<String>,
}
