//! CPUs that play a script, so that what runs on them can be tested without any
//! guest: [`Scripted`], a raw CPU that plays traps, for handlers; and
//! [`ScriptedVcpu`], a virtual CPU that plays exits, for schedulers.

use crate::devices::Apic;
use crate::devices::apic::register;
use crate::{Context, Cpu, Exit, Kick, Memory, Mmio, MmioOperation, NotReady, Pcpu, Size};
use crate::{Time, Trap, Vcpu, bus};
use std::collections::VecDeque;

/// One entry into the scripted CPU.
pub struct Step {
    /// The trap that ends it.
    pub trap: Trap,
    /// How many instructions it says have retired.
    pub retired: u64,
    /// What the guest code does to its context before the trap.
    pub effect: Box<dyn FnMut(&mut Context) + Send>,
}

impl Step {
    /// An entry that changes nothing in the context.
    pub fn new(trap: Trap, retired: u64) -> Step {
        Step {
            trap,
            retired,
            effect: Box::new(|_| {}),
        }
    }

    /// The same entry, with something that it does to the context.
    pub fn doing(self, effect: impl FnMut(&mut Context) + Send + 'static) -> Step {
        Step {
            effect: Box::new(effect),
            ..self
        }
    }
}

/// A raw CPU that plays its steps in order and keeps the budgets it was given.
pub struct Scripted {
    context: Context,
    steps: VecDeque<Step>,
    /// The budget of each entry so far.
    pub budgets: Vec<u64>,
    /// The answers given to [`Cpu::complete`].
    pub answers: Vec<u64>,
}

impl Scripted {
    /// A CPU that will play `steps`.
    pub fn new(memory: Memory, steps: Vec<Step>) -> Scripted {
        Scripted {
            context: Context::new(memory),
            steps: steps.into(),
            budgets: Vec::new(),
            answers: Vec::new(),
        }
    }

    /// How many steps are still to be played.
    pub fn remaining(&self) -> usize {
        self.steps.len()
    }
}

impl Cpu for Scripted {
    fn context(&mut self) -> &mut Context {
        &mut self.context
    }

    /// # Panics
    /// If the script is over: the code under test entered once too often.
    fn enter(&mut self, _now: Time, budget: u64, _kick: &Kick) -> (Trap, u64) {
        let number = self.budgets.len() + 1;
        self.budgets.push(budget);
        let mut step = self
            .steps
            .pop_front()
            .unwrap_or_else(|| panic!("the script has no entry number {number}"));
        (step.effect)(&mut self.context);
        (step.trap, step.retired)
    }

    fn complete(&mut self, value: u64) {
        self.answers.push(value);
    }
}

/// What a scripted virtual CPU does next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Play {
    /// Computes for so many ticks.
    Compute(u64),
    /// Computes for ever.
    ComputeForEver,
    /// Opens or closes interrupts.
    Interrupts(bool),
    /// Sleeps until an interrupt has come, and takes none but that one: what
    /// `sti; hlt; cli` does, with the shadow of `sti`.
    Nap,
    /// Comes back with this exit, which takes one tick.
    Exit(Exit),
}

/// What guests usually do.
impl Play {
    /// Executes `hlt`.
    pub const HALT: Play = Play::Exit(Exit::Halted);

    /// Ends well, through the exit port.
    pub const SWITCH_OFF: Play = Play::Exit(Exit::PortOut {
        port: bus::EXIT_PORT,
        size: Size::Byte,
        value: 0,
    });

    /// Says to its APIC that it has served an interrupt.
    pub const END_OF_INTERRUPT: Play = Play::write_apic(register::EOI, 0);

    /// Sends an interrupt to another vCPU.
    pub const fn send(vector: u8, target: u8) -> [Play; 2] {
        [
            Play::write_apic(register::COMMAND_HIGH, (target as u32) << 24),
            Play::write_apic(register::COMMAND, vector as u32),
        ]
    }

    /// Writes to a register of its APIC.
    pub const fn write_apic(register: u16, value: u32) -> Play {
        Play::Exit(Exit::Mmio(Mmio {
            gpa: bus::APIC + register as u64,
            size: Size::Dword,
            operation: MmioOperation::Write(value as u64),
        }))
    }
}

/// The vector of the timer that [`apic_with_timer`] starts.
pub const TIMER: u8 = 32;

/// An APIC of vCPU 0 that is switched on, whose timer ticks every `period`.
pub fn apic_with_timer(period: u32) -> Apic {
    const PERIODIC: u32 = 1 << 17;
    const DIVIDE_BY_1: u32 = 0b1011;
    let mut apic = switched_on(Apic::new(0));
    for (register, value) in [
        (register::DIVIDE, DIVIDE_BY_1),
        (register::TIMER, PERIODIC | u32::from(TIMER)),
        (register::INITIAL_COUNT, period),
    ] {
        apic.write(Time::ZERO, register, value);
    }
    apic
}

/// The same APIC, switched on.
pub fn switched_on(mut apic: Apic) -> Apic {
    apic.write(Time::ZERO, register::SPURIOUS, 0x1ff);
    apic
}

/// A virtual CPU that plays its script in order, and keeps what was injected.
///
/// It has no registers, so the physical CPU that it runs on has none either.
#[derive(Clone, Debug)]
pub struct ScriptedVcpu {
    script: VecDeque<Play>,
    open: bool,
    window: bool,
    to_deliver: bool,
    napping: bool,
    /// The vectors that were injected so far.
    pub injected: Vec<u8>,
    /// The answers given to [`Vcpu::complete`].
    pub answers: Vec<u64>,
}

impl ScriptedVcpu {
    /// A virtual CPU that will play `script`; interrupts are closed, as after
    /// reset.
    pub fn new(script: impl IntoIterator<Item = Play>) -> ScriptedVcpu {
        ScriptedVcpu {
            script: script.into_iter().collect(),
            open: false,
            window: false,
            to_deliver: false,
            napping: false,
            injected: Vec::new(),
            answers: Vec::new(),
        }
    }

    /// The same with interrupts open.
    pub fn with_interrupts_open(self) -> ScriptedVcpu {
        ScriptedVcpu { open: true, ..self }
    }

    /// Comes back with `exit`, which ends this part of the script.
    fn leave(&mut self, pcpu: &mut Pcpu<()>, exit: Exit) -> Exit {
        pcpu.pass(1);
        self.script.pop_front();
        exit
    }

    /// Computes for what is left of `ticks`, `until` at most. Whether all of
    /// them are over.
    fn compute(pcpu: &mut Pcpu<()>, ticks: &mut u64, until: Time) -> bool {
        let passed = pcpu.before_horizon((*ticks).min(until.since(pcpu.now)));
        pcpu.pass(passed);
        *ticks -= passed;
        *ticks == 0
    }
}

impl Vcpu for ScriptedVcpu {
    type Cpu = ();

    /// # Panics
    /// If the script is over: the code under test ran it once too often.
    fn run(&mut self, pcpu: &mut Pcpu<()>, until: Time) -> Exit {
        loop {
            if pcpu.kick.take() {
                return Exit::Kicked;
            }
            if pcpu.now >= until {
                return Exit::Deadline;
            }
            if std::mem::take(&mut self.to_deliver) && std::mem::take(&mut self.napping) {
                self.open = false;
            }
            if self.window && self.can_inject() {
                self.window = false;
                return Exit::WindowOpen;
            }
            let over = match self
                .script
                .front_mut()
                .expect("a vcpu that has come to its end is not run again")
            {
                Play::Compute(ticks) => ScriptedVcpu::compute(pcpu, ticks, until),
                Play::ComputeForEver => ScriptedVcpu::compute(pcpu, &mut u64::MAX.clone(), until),
                Play::Interrupts(open) => {
                    self.open = *open;
                    true
                }
                Play::Nap => {
                    (self.open, self.napping) = (true, true);
                    return self.leave(pcpu, Exit::Halted);
                }
                Play::Exit(exit) => {
                    let exit = *exit;
                    return self.leave(pcpu, exit);
                }
            };
            if over {
                self.script.pop_front();
            }
        }
    }

    fn complete(&mut self, _pcpu: &mut Pcpu<()>, value: u64) {
        self.answers.push(value);
    }

    fn can_inject(&self) -> bool {
        self.open && !self.to_deliver
    }

    fn inject(&mut self, vector: u8) -> Result<(), NotReady> {
        if !self.can_inject() {
            return Err(NotReady);
        }
        self.to_deliver = true;
        self.injected.push(vector);
        Ok(())
    }

    fn want_window(&mut self, on: bool) {
        self.window = on;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_script_computes_exactly_until_the_deadline_and_then_goes_on() {
        let mut pcpu = Pcpu::new(0, ());
        let mut vcpu = ScriptedVcpu::new([Play::Compute(150), Play::Exit(Exit::Halted)]);
        assert_eq!(vcpu.run(&mut pcpu, Time(100)), Exit::Deadline);
        assert_eq!(pcpu.now, Time(100));
        assert_eq!(vcpu.run(&mut pcpu, Time(1_000)), Exit::Halted);
        assert_eq!(pcpu.now, Time(151));
    }

    #[test]
    fn the_window_opens_when_the_script_opens_interrupts() {
        let mut pcpu = Pcpu::new(0, ());
        let script = [
            Play::Interrupts(false),
            Play::Compute(10),
            Play::Interrupts(true),
        ];
        let script = script.into_iter().chain([Play::ComputeForEver]);
        let mut vcpu = ScriptedVcpu::new(script).with_interrupts_open();
        vcpu.run(&mut pcpu, Time(5));
        assert_eq!(vcpu.inject(32), Err(NotReady));
        vcpu.want_window(true);
        assert_eq!(vcpu.run(&mut pcpu, Time(1_000)), Exit::WindowOpen);
        assert_eq!(pcpu.now, Time(10));
        assert_eq!(vcpu.inject(32), Ok(()));
    }
}
