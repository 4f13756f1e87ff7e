//! VMs of one image, and the CPUs that they run on.

use common::{Boot, Context, Cpu, Gpr, Image, Interp, Kick, Memory, Template, Time, Trap};

/// As much memory as guests are promised.
const MEMORY_SIZE: u64 = 16 << 20;

/// VMs with one physical CPU for all, or one for each.
pub struct Host {
    cpus: Vec<Interp>,
    machines: Vec<Context>,
}

impl Host {
    /// VMs that are about to execute the first instruction of an ELF image, and
    /// so many CPUs: one, or as many as VMs.
    pub fn boot(image: &[u8], machines: usize, cpus: usize) -> Result<Host, String> {
        let text = |error: &dyn std::error::Error| error.to_string();
        let memory = Memory::new(MEMORY_SIZE).map_err(|error| text(&error))?;
        let image = Image::parse(image).map_err(|error| text(&error))?;
        image.load(&memory).map_err(|error| text(&error))?;
        let boot = Boot::prepare(&memory, image.entry).map_err(|error| text(&error))?;
        let template = Template::of(&memory).map_err(|error| text(&error))?;
        let one = |_| template.memory().map(|memory| machine(memory, boot));
        let machines: Result<Vec<_>, _> = (0..machines).map(one).collect();
        Ok(Host {
            cpus: (0..cpus).map(|_| Interp::new(memory.clone())).collect(),
            machines: machines.map_err(|error| text(&error))?,
        })
    }

    /// Gives each VM one slice after the other, as many as it is to have, and
    /// only then goes on to the next VM.
    pub fn one_after_the_other(&mut self, slices: u64, length: u64) -> Result<(), String> {
        for number in 0..self.machines.len() {
            self.swap(number);
            for _ in 0..slices {
                self.slice(number, length)?;
            }
            self.swap(number);
        }
        Ok(())
    }

    /// Gives the VMs their slices in turns.
    pub fn in_turns(&mut self, slices: u64, length: u64) -> Result<(), String> {
        for _ in 0..slices {
            for number in 0..self.machines.len() {
                self.swap(number);
                self.slice(number, length)?;
                self.swap(number);
            }
        }
        Ok(())
    }

    /// The context of a VM goes into its CPU, or back.
    fn swap(&mut self, number: usize) {
        let cpu = number % self.cpus.len();
        std::mem::swap(self.cpus[cpu].context(), &mut self.machines[number]);
    }

    fn slice(&mut self, number: usize, length: u64) -> Result<(), String> {
        let cpu = number % self.cpus.len();
        match self.cpus[cpu].enter(Time::ZERO, length, &Kick::default()).0 {
            Trap::Budget => Ok(()),
            other => Err(format!("a guest that only computes stopped with: {other}")),
        }
    }
}

fn machine(memory: Memory, boot: Boot) -> Context {
    let mut context = Context::new(memory);
    context.space.set_root(boot.root);
    context.rip = boot.entry;
    context.registers[Gpr::Rsp] = boot.stack;
    context.registers[Gpr::Rdi] = boot.vcpu;
    context
}
