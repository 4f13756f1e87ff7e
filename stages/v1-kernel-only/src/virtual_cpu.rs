//! The loop of the virtual CPU: enter, look at the trap, decide. Written once
//! and used by every version.

use crate::emulate::{Emulate, Next};
use common::{Cpu, Exit, Mmio, MmioOperation, NotReady, Pcpu, Time, Trap, Vcpu};

/// A virtual CPU made of a raw CPU (lent by the [`Pcpu`] it runs on) and an
/// [`Emulate`] that knows what its traps mean.
#[derive(Clone, Debug, Default)]
pub struct VirtualCpu<E> {
    emulate: E,
    /// The read that the monitor still owes us an answer for.
    waiting: Option<Read>,
}

/// A read that left the virtual CPU and must come back with a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Read {
    /// From a port: the instruction is emulated above the raw CPU.
    Port,
    /// From a device in memory: the raw CPU itself finishes the instruction.
    Memory,
}

impl<E: Emulate> VirtualCpu<E> {
    /// A virtual CPU that has not run yet.
    pub fn new(emulate: E) -> VirtualCpu<E> {
        VirtualCpu {
            emulate,
            waiting: None,
        }
    }

    /// One pass of the loop: enters the guest once, unless time is up, somebody
    /// kicked, or the version has something to do first.
    ///
    /// # Exercise v1-E2: enter and dispatch (second half)
    ///
    /// In this order: a kick ends the run at once ([`Exit::Kicked`]; take it,
    /// or it ends the next run too); so does the deadline (that is v1-E3, in
    /// [`time_left`]); then [`Emulate::before_enter`] has its say; then
    /// [`Pcpu::enter`] runs the guest. Two traps are the loop's own affair:
    /// [`Trap::Budget`] and [`Trap::Kicked`] only mean "look at the clock and
    /// the kick again". [`Emulate::on_trap`] decides about all others.
    fn pass(&mut self, pcpu: &mut Pcpu<Box<dyn Cpu>>, until: Time) -> Next {
        // BEGIN SOLUTION
        if pcpu.kick.take() {
            return Next::Exit(Exit::Kicked);
        }
        let Some(budget) = time_left(pcpu.now, until) else {
            return Next::Exit(Exit::Deadline);
        };
        let limit = match self.emulate.before_enter(pcpu.context()) {
            Ok(limit) => limit,
            Err(next) => return next,
        };
        match pcpu.enter(limit.of(budget)) {
            Trap::Budget | Trap::Kicked => Next::Resume,
            trap => self.emulate.on_trap(pcpu.context(), trap),
        }
        // END SOLUTION
        // STUB: todo!("v1-E2: enter the raw CPU and dispatch its trap")
    }
}

impl<E: Emulate> Vcpu for VirtualCpu<E> {
    type Cpu = Box<dyn Cpu>;

    /// # Exercise v1-E2: enter and dispatch (first half)
    ///
    /// Make passes until one of them says [`Next::Exit`]. [`Next::Raise`] asks
    /// the version to deliver an event, and what that says comes next; it can
    /// be another `Raise`, when the delivery itself faults. Before an exit that
    /// asks the monitor for a value leaves, note in `waiting` what waits for it
    /// ([`Read::of`] knows).
    fn run(&mut self, pcpu: &mut Pcpu<Box<dyn Cpu>>, until: Time) -> Exit {
        assert_eq!(self.waiting, None, "a read still waits for its answer");
        // BEGIN SOLUTION
        loop {
            let mut next = self.pass(pcpu, until);
            while let Next::Raise(event) = next {
                next = self.emulate.deliver(pcpu.context(), event);
            }
            if let Next::Exit(exit) = next {
                self.waiting = Read::of(exit);
                return exit;
            }
        }
        // END SOLUTION
        // STUB: todo!("v1-E2: make passes until one of them exits")
    }

    fn complete(&mut self, pcpu: &mut Pcpu<Box<dyn Cpu>>, value: u64) {
        match self.waiting.take().expect("no read waits for an answer") {
            Read::Port => self.emulate.finish_port_read(pcpu.context(), value),
            Read::Memory => pcpu.complete(value),
        }
    }

    fn can_inject(&self) -> bool {
        self.emulate.can_inject()
    }

    fn inject(&mut self, vector: u8) -> Result<(), NotReady> {
        self.emulate.inject(vector)
    }

    fn want_window(&mut self, on: bool) {
        self.emulate.want_window(on);
    }
}

/// How many instructions the guest may run before `until`, or `None` if that
/// moment has come.
///
/// # Exercise v1-E3: the timer's exit loses nothing (first half)
///
/// The host owns the CPU and wants it back at `until`: its own timer rings
/// then. On the raw CPU one instruction takes one tick of time, so a deadline
/// is a budget of instructions. A guest that runs one instruction past `until`
/// has stolen it; one that stops early loses it.
fn time_left(now: Time, until: Time) -> Option<u64> {
    // BEGIN SOLUTION
    match until.since(now) {
        0 => None,
        ticks => Some(ticks),
    }
    // END SOLUTION
    // STUB: todo!("v1-E3: turn the deadline into a budget")
}

impl Read {
    /// What waits for an answer after this exit, if anything does.
    fn of(exit: Exit) -> Option<Read> {
        match exit {
            Exit::PortIn { .. } => Some(Read::Port),
            Exit::Mmio(Mmio {
                operation: MmioOperation::Read,
                ..
            }) => Some(Read::Memory),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{scripted, system};
    use common::scripted::Step;
    use common::trace::Event;
    use common::{Kick, Size, SystemInstruction};

    const HLT: SystemInstruction = SystemInstruction::Hlt;

    fn budgets(pcpu: &Pcpu<Box<dyn Cpu>>) -> Vec<u64> {
        let budget = |event| match event {
            Event::Enter { budget } => Some(budget),
            _ => None,
        };
        pcpu.recorder
            .last()
            .filter_map(|record| budget(record.event))
            .collect()
    }

    #[test]
    fn the_guest_gets_exactly_the_time_until_the_deadline() {
        let (mut pcpu, mut vcpu) = scripted(vec![Step::new(Trap::Budget, 1000)]);
        assert_eq!(vcpu.run(&mut pcpu, Time(1000)), Exit::Deadline);
        assert_eq!(budgets(&pcpu), [1000]);
        assert_eq!(pcpu.now, Time(1000));
    }

    #[test]
    fn a_deadline_that_has_passed_exits_without_entering_the_guest() {
        let (mut pcpu, mut vcpu) = scripted(vec![]);
        pcpu.now = Time(10);
        assert_eq!(vcpu.run(&mut pcpu, Time(10)), Exit::Deadline);
        assert_eq!(vcpu.run(&mut pcpu, Time(9)), Exit::Deadline);
    }

    #[test]
    fn an_early_end_of_the_budget_is_no_deadline() {
        let steps = vec![Step::new(Trap::Budget, 400), Step::new(Trap::Budget, 600)];
        let (mut pcpu, mut vcpu) = scripted(steps);
        assert_eq!(vcpu.run(&mut pcpu, Time(1000)), Exit::Deadline);
        assert_eq!(budgets(&pcpu), [1000, 600]);
    }

    #[test]
    fn a_kick_ends_one_run_and_no_more() {
        let (mut pcpu, mut vcpu) = scripted(vec![Step::new(system(HLT, 1), 0)]);
        pcpu.kick.kick();
        assert_eq!(vcpu.run(&mut pcpu, Time::NEVER), Exit::Kicked);
        assert_eq!(vcpu.run(&mut pcpu, Time::NEVER), Exit::Halted);
    }

    #[test]
    fn a_kick_that_comes_while_the_guest_runs_ends_the_run() {
        let kick = Kick::default();
        let remote = kick.clone();
        let kicked = Step::new(Trap::Kicked, 5).doing(move |_| remote.kick());
        let (mut pcpu, mut vcpu) = scripted(vec![kicked]);
        pcpu.kick = kick;
        assert_eq!(vcpu.run(&mut pcpu, Time::NEVER), Exit::Kicked);
        assert!(!pcpu.kick.is_pending());
    }

    #[test]
    #[should_panic(expected = "a read still waits")]
    fn running_on_without_the_answer_to_a_read_is_a_bug() {
        let read = SystemInstruction::In {
            port: 0x3fd,
            size: Size::Byte,
        };
        let (mut pcpu, mut vcpu) = scripted(vec![Step::new(system(read, 1), 0)]);
        vcpu.run(&mut pcpu, Time::NEVER);
        vcpu.run(&mut pcpu, Time::NEVER);
    }
}
