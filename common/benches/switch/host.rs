//! VMs of one image, and the one CPU that they share.

use common::{Boot, Context, Cpu, Gpr, Image, Interp, Kick, Memory, Template, Time, Trap};

/// As much memory as guests are promised.
const MEMORY_SIZE: u64 = 16 << 20;

/// One physical CPU and its VMs.
pub struct Host {
    cpu: Interp,
    machines: Vec<Context>,
}

impl Host {
    /// VMs that are about to execute the first instruction of an ELF image.
    pub fn boot(image: &[u8], machines: usize) -> Result<Host, String> {
        let text = |error: &dyn std::error::Error| error.to_string();
        let memory = Memory::new(MEMORY_SIZE).map_err(|error| text(&error))?;
        let image = Image::parse(image).map_err(|error| text(&error))?;
        image.load(&memory).map_err(|error| text(&error))?;
        let boot = Boot::prepare(&memory, image.entry).map_err(|error| text(&error))?;
        let template = Template::of(&memory).map_err(|error| text(&error))?;
        let one = |_| template.memory().map(|memory| machine(memory, boot));
        let machines: Result<Vec<_>, _> = (0..machines).map(one).collect();
        Ok(Host {
            cpu: Interp::new(memory),
            machines: machines.map_err(|error| text(&error))?,
        })
    }

    /// Gives each VM one slice after the other, as many as it is to have, and
    /// only then goes on to the next VM.
    pub fn one_after_the_other(&mut self, slices: u64, length: u64) -> Result<(), String> {
        for number in 0..self.machines.len() {
            self.swap(number);
            for _ in 0..slices {
                self.slice(length)?;
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
                self.slice(length)?;
                self.swap(number);
            }
        }
        Ok(())
    }

    /// The context of a VM goes into the CPU, or back.
    fn swap(&mut self, number: usize) {
        std::mem::swap(self.cpu.context(), &mut self.machines[number]);
    }

    fn slice(&mut self, length: u64) -> Result<(), String> {
        match self.cpu.enter(Time::ZERO, length, &Kick::default()).0 {
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
