//! One VM: a processor and its devices.

use crate::{Processor, Sleep, Switch};
use common::{Bus, Ending, Exit, HostTimer, Pcpu, Time};
use std::ops::ControlFlow;

/// A VM with one vCPU.
pub struct Vm<V: Switch> {
    processor: Processor<V>,
    bus: Bus,
}

/// Why a VM's turn is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stop {
    /// Its time is up.
    TimeUp,
    /// The physical CPU was kicked.
    Kicked,
    /// It gives the rest of its turn away. (A VM of this version never does; one
    /// of version 7 does when it waits for another vCPU.)
    Yielded,
    /// It sleeps.
    Asleep {
        /// Until this time; [`Time::NEVER`] if only somebody else can wake it.
        wake: Time,
    },
    /// It has come to its end.
    Ended(Ending),
}

impl<V: Switch> Vm<V> {
    /// A VM that has not run yet.
    pub fn new(processor: Processor<V>, bus: Bus) -> Vm<V> {
        Vm { processor, bus }
    }

    /// Its virtual CPU.
    pub fn vcpu(&self) -> &V {
        &self.processor.vcpu
    }

    /// Puts it onto `pcpu` (see [`Processor::load`]).
    pub fn load(&mut self, pcpu: &mut Pcpu<V::Cpu>) {
        self.processor.load(pcpu);
    }

    /// Takes it off `pcpu` (see [`Processor::store`]).
    pub fn store(&mut self, pcpu: &mut Pcpu<V::Cpu>) {
        self.processor.store(pcpu);
    }

    /// Lets it run, now that it is on `pcpu`, until `until` at most.
    ///
    /// # Exercise v5-E2: a VM's turn (second half)
    ///
    /// One that sleeps is not run at all. Otherwise run it from exit to exit
    /// ([`Processor::next_exit`]) until one of them ends the turn: the deadline,
    /// a kick, a halt from which no interrupt wakes it at once. All others are
    /// version 2's: [`v2::monitor::on_exit`] serves the devices, and says when
    /// the VM has ended. (Its host timer never rings here,
    /// [`HostTimer::never`]: time is the scheduler's affair now.)
    ///
    /// A VM that nothing can wake has ended, with [`Ending::Halted`]. With a
    /// single vCPU and no other source of interrupts that is also so when its
    /// timer does not run.
    pub fn turn(&mut self, pcpu: &mut Pcpu<V::Cpu>, until: Time) -> Stop {
        if let Some(stop) = stop(self.processor.sleep(pcpu.now)) {
            return stop;
        }
        // BEGIN SOLUTION
        loop {
            match self.processor.next_exit(pcpu, until) {
                Exit::Deadline => return Stop::TimeUp,
                Exit::Kicked => return Stop::Kicked,
                Exit::Halted => {
                    if let Some(stop) = stop(self.processor.halt(pcpu.now)) {
                        return stop;
                    }
                }
                exit => {
                    if let ControlFlow::Break(ending) = self.serve(pcpu, exit) {
                        return Stop::Ended(ending);
                    }
                }
            }
        }
        // END SOLUTION
        // STUB: todo!("v5-E2: run from exit to exit until the turn is over")
    }

    /// Does what an exit asks of the devices.
    fn serve(&mut self, pcpu: &mut Pcpu<V::Cpu>, exit: Exit) -> ControlFlow<Ending> {
        let Processor { vcpu, apic, .. } = &mut self.processor;
        let host = &mut HostTimer::never();
        v2::monitor::on_exit(vcpu, pcpu, &mut self.bus, apic, host, exit)
    }
}

/// What a sleep means for the turn; nothing if it is none.
fn stop(sleep: Sleep) -> Option<Stop> {
    match sleep {
        Sleep::Awake => None,
        Sleep::Until(wake) => Some(Stop::Asleep { wake }),
        Sleep::UntilSomebodyElse | Sleep::ForEver => Some(Stop::Ended(Ending::Halted)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::vm;
    use common::devices::Apic;
    use common::scripted::{Play, apic_with_timer};

    const HALT: Play = Play::HALT;
    const SWITCH_OFF: Play = Play::SWITCH_OFF;

    /// The turn of a VM until time 1,000, and when it was over.
    fn turn(apic: Apic, script: &[Play]) -> (Stop, Time) {
        let mut pcpu = Pcpu::new(0, ());
        let mut vm = vm(apic, script);
        vm.load(&mut pcpu);
        (vm.turn(&mut pcpu, Time(1_000)), pcpu.now)
    }

    #[test]
    fn a_turn_ends_exactly_when_its_time_is_up() {
        let over = turn(Apic::new(0), &[Play::ComputeForEver]);
        assert_eq!(over, (Stop::TimeUp, Time(1_000)));
    }

    #[test]
    fn a_guest_that_sleeps_gives_the_rest_of_its_turn_away() {
        let over = turn(apic_with_timer(500), &[Play::Compute(10), HALT]);
        assert_eq!(over, (Stop::Asleep { wake: Time(500) }, Time(11)));
    }

    #[test]
    fn a_guest_whose_interrupt_is_already_due_does_not_sleep() {
        // The tick that `hlt` takes is the one at which the timer is due.
        let script = [Play::Compute(499), HALT, SWITCH_OFF];
        let over = turn(apic_with_timer(500), &script);
        assert_eq!(over, (Stop::Ended(Ending::Exited(0)), Time(501)));
    }

    #[test]
    fn a_guest_that_nothing_can_wake_has_ended() {
        let (stop, _) = turn(Apic::new(0), &[HALT]);
        assert_eq!(stop, Stop::Ended(Ending::Halted));
    }

    #[test]
    fn a_sleeper_that_was_woken_too_early_is_not_run() {
        let mut pcpu = Pcpu::new(0, ());
        let mut vm = vm(apic_with_timer(500), &[HALT, SWITCH_OFF]);
        vm.load(&mut pcpu);
        let asleep = vm.turn(&mut pcpu, Time(1_000));
        assert_eq!(vm.turn(&mut pcpu, Time(1_000)), asleep);
        assert_eq!(pcpu.now, Time(1), "nothing ran");
    }

    #[test]
    fn a_kick_ends_the_turn() {
        let mut pcpu = Pcpu::new(0, ());
        let mut vm = vm(Apic::new(0), &[Play::ComputeForEver]);
        vm.load(&mut pcpu);
        pcpu.kick.kick();
        assert_eq!(vm.turn(&mut pcpu, Time(1_000)), Stop::Kicked);
    }
}
