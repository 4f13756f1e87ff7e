//! A physical CPU: a raw CPU with its clock, its kick and its trace.

use crate::inspect::{self, Inspector};
use crate::trace::{Event, Recorder};
use crate::{Context, Cpu, Exit, Gpr, Kick, NotReady, Time, Trap, Vcpu};

/// A physical CPU. It lends itself to one virtual CPU at a time, and never
/// owns a runqueue or a vCPU.
pub struct Pcpu<C> {
    /// Its number, from 0.
    pub id: usize,
    /// The raw CPU.
    pub cpu: C,
    /// How far this CPU has come in virtual time.
    pub now: Time,
    /// Ends an entry early, and a sleep.
    pub kick: Kick,
    /// How far guest code may run here before other physical CPUs have had their
    /// turn: at this moment the CPU is kicked. [`Time::NEVER`] unless one host
    /// thread steps several physical CPUs (see [`drive`](crate::drive)).
    pub(crate) horizon: Time,
    /// How many nanoseconds of the host a tick takes where its clock counts: while
    /// a thread of this CPU's own sleeps, and on hardware always. At least 1.
    pub tick: u64,
    /// What happened here.
    pub recorder: Recorder,
    inspector: Option<Inspector>,
}

impl<C> Pcpu<C> {
    /// A physical CPU at time zero, with nothing recorded.
    pub fn new(id: usize, cpu: C) -> Pcpu<C> {
        Pcpu {
            id,
            cpu,
            now: Time::ZERO,
            kick: Kick::default(),
            horizon: Time::NEVER,
            tick: 1,
            recorder: Recorder::new(id),
            inspector: None,
        }
    }

    /// From now on shows guest code to `inspector` while it runs here.
    pub fn inspect(&mut self, inspector: Inspector) {
        self.inspector = Some(inspector);
    }

    /// Runs a virtual CPU here until it exits, and records the exit. The only
    /// way from the monitor into a virtual CPU.
    pub fn run<V: Vcpu<Cpu = C> + ?Sized>(&mut self, vcpu: &mut V, until: Time) -> Exit {
        let exit = vcpu.run(self, until);
        // The stepper's kick is none of the machine's affairs.
        if exit != Exit::Kicked || self.now < self.horizon {
            self.recorder.record(self.now, Event::Exit(exit));
        }
        exit
    }

    /// `ticks`, or as many as may pass before the horizon; at least one.
    pub(crate) fn before_horizon(&self, ticks: u64) -> u64 {
        ticks.min(self.horizon.since(self.now).max(1))
    }

    /// Lets time pass, and kicks at the horizon.
    pub(crate) fn pass(&mut self, ticks: u64) {
        self.now += ticks;
        if self.now >= self.horizon {
            self.kick.kick();
        }
    }

    /// Injects an interrupt into a virtual CPU, and records it if it was taken.
    ///
    /// # Errors
    /// [`NotReady`] as from [`Vcpu::inject`].
    pub fn inject<V: Vcpu<Cpu = C> + ?Sized>(
        &mut self,
        vcpu: &mut V,
        vector: u8,
    ) -> Result<(), NotReady> {
        vcpu.inject(vector)?;
        self.recorder.record(self.now, Event::Inject(vector));
        Ok(())
    }
}

impl<C: Cpu> Pcpu<C> {
    /// The registers and memory view of the code that runs here.
    pub fn context(&mut self) -> &mut Context {
        self.cpu.context()
    }

    /// Enters the raw CPU for at most `budget` instructions: the only way in.
    ///
    /// It charges virtual time and records, so that two right solutions never
    /// differ in time. Each retired instruction costs one tick and each trap
    /// but [`Trap::Budget`] one more, so that no loop around it stands still.
    /// With a budget of 0 nothing runs, and one tick passes.
    pub fn enter(&mut self, budget: u64) -> Trap {
        self.recorder.at(self.cpu.context().rip);
        self.recorder.record(self.now, Event::Enter { budget });
        let (trap, retired) = match self.before_horizon(budget) {
            0 => (Trap::Budget, 0),
            budget => match &mut self.inspector {
                None => self.cpu.enter(self.now, budget, &self.kick),
                Some(inspector) => inspect::enter(
                    inspector,
                    self.id,
                    &mut self.cpu,
                    self.now,
                    budget,
                    &self.kick,
                ),
            },
        };
        let costs_nothing_more = trap == Trap::Budget && retired > 0;
        self.pass(retired + u64::from(!costs_nothing_more));
        self.recorder.at(self.cpu.context().rip);
        self.recorder
            .record(self.now, Event::Trap { trap, retired });
        trap
    }

    /// Answers the read that the last MMIO trap asked for (see
    /// [`Cpu::complete`]).
    pub fn complete(&mut self, value: u64) {
        self.cpu.complete(value);
        self.recorder.at(self.cpu.context().rip);
    }

    /// Overwrites every register with values made from `seed`, as another
    /// vCPU's use of this CPU would. A test calls it between two runs, so that
    /// a forgotten save or restore shows.
    pub fn scramble(&mut self, seed: u64) {
        let mut state = seed;
        let mut next = move || {
            state = state
                .wrapping_mul(6364136223846793005)
                .wrapping_add(1442695040888963407);
            state ^ state >> 29
        };
        let context = self.cpu.context();
        for register in Gpr::ALL {
            context.registers[register] = next();
        }
        for register in &mut context.xmm {
            *register = u128::from(next()) << 64 | u128::from(next());
        }
        context.rip = next();
        context.flags = next() & crate::flags::USER | crate::flags::ALWAYS;
        context.fs_base = next();
        context.gs_base = next();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scripted::{Scripted, Step};
    use crate::{Memory, SystemInstruction};

    fn pcpu(steps: Vec<Step>) -> Pcpu<Scripted> {
        Pcpu::new(0, Scripted::new(Memory::new(4096).unwrap(), steps))
    }

    #[test]
    fn a_trap_costs_one_tick_more_than_its_instructions() {
        let hlt = Trap::System {
            instruction: SystemInstruction::Hlt,
            length: 1,
        };
        let mut pcpu = pcpu(vec![Step::new(hlt, 10)]);
        pcpu.enter(1000);
        assert_eq!(pcpu.now, Time(11));
    }

    #[test]
    fn a_used_up_budget_costs_exactly_the_budget() {
        let mut pcpu = pcpu(vec![Step::new(Trap::Budget, 1000)]);
        pcpu.enter(1000);
        assert_eq!(pcpu.now, Time(1000));
    }

    #[test]
    fn an_entry_without_budget_still_takes_time() {
        let mut pcpu = pcpu(vec![]);
        assert_eq!(pcpu.enter(0), Trap::Budget);
        assert_eq!(pcpu.now, Time(1));
    }

    #[test]
    fn every_entry_is_recorded_with_its_trap() {
        let mut pcpu = pcpu(vec![Step::new(Trap::Budget, 7)]);
        pcpu.enter(7);
        let events: Vec<_> = pcpu.recorder.last().map(|record| record.event).collect();
        let trap = Trap::Budget;
        assert_eq!(
            events,
            [Event::Enter { budget: 7 }, Event::Trap { trap, retired: 7 }]
        );
    }

    #[test]
    fn scrambling_changes_every_register() {
        let mut pcpu = pcpu(vec![]);
        let before = pcpu.context().clone();
        pcpu.scramble(1);
        let after = pcpu.context();
        for register in Gpr::ALL {
            assert_ne!(before.registers[register], after.registers[register]);
        }
        assert!(
            before
                .xmm
                .iter()
                .zip(&after.xmm)
                .all(|(old, new)| old != new)
        );
        assert_ne!(before.rip, after.rip);
    }
}
