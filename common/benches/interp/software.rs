//! `interp` itself, under the smallest monitor that can be: a bus for the
//! console, and nothing else.

use crate::cpu_time;
use crate::engine::{Run, printed_checksum};
use common::{Boot, Bus, Gpr, Image, Interp, Memory, Pcpu, SystemInstruction, Trap};
use guests::bench::Kernel;
use std::io::{self, Write};
use std::sync::{Arc, Mutex};

/// As much memory as guests are promised.
const MEMORY_SIZE: u64 = 16 << 20;
/// Instructions between two looks at the host: what a tick of 1 ms would be.
const BUDGET: u64 = 300_000;

/// A machine with one `interp`.
pub struct Machine {
    pcpu: Pcpu<Interp>,
    bus: Bus,
    console: Console,
}

impl Machine {
    /// A machine that is about to execute the first instruction of an ELF image.
    pub fn boot(image: &[u8]) -> Result<Machine, String> {
        let memory = Memory::new(MEMORY_SIZE).map_err(|error| error.to_string())?;
        let image = Image::parse(image).map_err(|error| error.to_string())?;
        image.load(&memory).map_err(|error| error.to_string())?;
        let boot = Boot::prepare(&memory, image.entry).map_err(|error| error.to_string())?;
        let mut pcpu = Pcpu::new(0, Interp::new(memory));
        let context = pcpu.context();
        context.space.set_root(boot.root);
        context.rip = boot.entry;
        context.registers[Gpr::Rsp] = boot.stack;
        context.registers[Gpr::Rdi] = boot.vcpu;
        let console = Console::default();
        let bus = Bus::new(Box::new(console.clone()));
        Ok(Machine { pcpu, bus, console })
    }

    /// Runs the guest until it writes to the exit port, and gives the count of
    /// instructions that retired.
    pub fn run(&mut self) -> Result<u64, String> {
        let mut retired = 0;
        loop {
            let before = self.pcpu.now;
            let trap = self.pcpu.enter(BUDGET);
            retired += self.pcpu.now.0 - before.0;
            match trap {
                Trap::Budget => {}
                // The entry's last tick was the trap's; now it is the instruction's.
                Trap::System {
                    instruction,
                    length,
                } => {
                    if self.exited(instruction)? {
                        return Ok(retired);
                    }
                    let context = self.pcpu.context();
                    context.rip += u64::from(length);
                }
                other => return Err(format!("interp: the kernel stopped with {other:?}")),
            }
        }
    }

    /// Does a port access; says whether it was the last.
    fn exited(&mut self, instruction: SystemInstruction) -> Result<bool, String> {
        let Machine { pcpu, bus, .. } = self;
        let now = pcpu.now;
        match instruction {
            SystemInstruction::In { port, size } => {
                let value = bus.read_port(&mut pcpu.recorder, now, port, size);
                pcpu.context().registers.write(Gpr::Rax, size, value);
                Ok(false)
            }
            SystemInstruction::Out { port, size } => {
                let value = pcpu.context().registers.read(Gpr::Rax, size) as u32;
                let code = bus.write_port(&mut pcpu.recorder, now, port, size, value);
                Ok(code.is_some())
            }
            other => Err(format!("interp: the kernel may not use {other:?}")),
        }
    }
}

/// Runs a kernel on `interp`, and says how many instructions retired.
pub fn run(kernel: &Kernel, rounds: u64) -> Result<(Run, u64), String> {
    let image = kernel.guest(rounds).elf();
    let before = cpu_time::own();
    let mut machine = Machine::boot(&image)?;
    let retired = machine.run()?;
    let seconds = cpu_time::own() - before;
    let checksum = printed_checksum(&machine.console.text())?;
    Ok((Run { seconds, checksum }, retired))
}

/// What the guest printed.
#[derive(Clone, Default)]
struct Console(Arc<Mutex<Vec<u8>>>);

impl Console {
    fn text(&self) -> String {
        let bytes = self.0.lock().expect("nobody panics while writing");
        String::from_utf8_lossy(&bytes).into_owned()
    }
}

impl Write for Console {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut console = self.0.lock().expect("nobody panics while writing");
        console.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
