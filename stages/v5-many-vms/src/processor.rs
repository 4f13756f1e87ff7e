//! A virtual CPU with all that goes with it when it leaves a physical CPU.

use crate::Switch;
use common::devices::Apic;
use common::{Exit, Pcpu, Time};
use v2::monitor::offer_interrupt;

/// A virtual CPU, its interrupt controller and its saved state.
pub struct Processor<V: Switch> {
    /// The virtual CPU.
    pub vcpu: V,
    /// Its local APIC.
    pub apic: Apic,
    /// Its state while it is on no physical CPU.
    saved: Option<V::Saved>,
    /// It executed `hlt` and waits for an interrupt.
    halted: bool,
    /// The time of the physical CPU when it last left one.
    left: Time,
}

/// How deeply a halted virtual CPU sleeps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sleep {
    /// Not at all: an interrupt is there for it.
    Awake,
    /// Until this time, when its timer is due.
    Until(Time),
    /// It takes interrupts, but no timer of its own will cause one.
    UntilSomebodyElse,
    /// It has interrupts closed: nothing can wake it.
    ForEver,
}

impl<V: Switch> Processor<V> {
    /// A processor that is on no physical CPU yet: `saved` is the state in which
    /// it starts.
    pub fn new(vcpu: V, apic: Apic, saved: V::Saved) -> Processor<V> {
        Processor {
            vcpu,
            apic,
            saved: Some(saved),
            halted: false,
            left: Time::ZERO,
        }
    }

    /// Puts it onto `pcpu`. Its time never goes back, not even if it comes from
    /// a physical CPU whose clock was ahead.
    ///
    /// # Panics
    /// If it is on a physical CPU already.
    pub fn load(&mut self, pcpu: &mut Pcpu<V::Cpu>) {
        let saved = self.saved.take().expect("it is on no physical cpu yet");
        pcpu.now = pcpu.now.max(self.left);
        self.vcpu.restore(pcpu, saved);
    }

    /// Takes it off `pcpu`.
    pub fn store(&mut self, pcpu: &mut Pcpu<V::Cpu>) {
        self.saved = Some(self.vcpu.save(pcpu));
        self.left = pcpu.now;
    }

    /// Runs until the monitor is needed, or until `until`.
    ///
    /// # Exercise v5-E2: a VM's turn (first half)
    ///
    /// Version 2's monitor did this in its loop: offer the interrupt that is
    /// due, run until the deadline, look. There are two deadlines now. The
    /// APIC's timer is the guest's own affair: when it is due, offer and run
    /// again. Only [`Exit::Deadline`] *at `until`* is the caller's.
    pub fn next_exit(&mut self, pcpu: &mut Pcpu<V::Cpu>, until: Time) -> Exit {
        // BEGIN SOLUTION
        loop {
            offer_interrupt(&mut self.vcpu, pcpu, &mut self.apic);
            let exit = pcpu.run(&mut self.vcpu, until.min(self.apic.deadline()));
            if exit != Exit::Deadline || pcpu.now >= until {
                return exit;
            }
        }
        // END SOLUTION
        // STUB: todo!("v5-E2: run until the caller is needed")
    }

    /// The guest executed `hlt` at `now`.
    pub fn halt(&mut self, now: Time) -> Sleep {
        self.halted = true;
        self.sleep(now)
    }

    /// How deeply it sleeps at `now`. Ask before each turn: whoever woke it may
    /// have been wrong, and a CPU that is run again simply goes on behind its
    /// `hlt`.
    ///
    /// # Exercise v5-E4: who halts leaves the queue (first third)
    ///
    /// One that has not halted is awake. With interrupts closed nothing wakes
    /// it. Otherwise let the APIC run to `now`: a pending vector ends the halt,
    /// and if there is none, the timer's deadline says how long it sleeps;
    /// [`Time::NEVER`] is no deadline.
    pub fn sleep(&mut self, now: Time) -> Sleep {
        // BEGIN SOLUTION
        if !self.halted {
            return Sleep::Awake;
        }
        if !self.vcpu.can_inject() {
            return Sleep::ForEver;
        }
        self.apic.advance(now);
        if self.apic.pending().is_some() {
            self.halted = false;
            return Sleep::Awake;
        }
        match self.apic.deadline() {
            Time::NEVER => Sleep::UntilSomebodyElse,
            due => Sleep::Until(due),
        }
        // END SOLUTION
        // STUB: if self.halted {
        // STUB:     todo!("v5-E4: how deeply does it sleep?");
        // STUB: }
        // STUB: Sleep::Awake
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use common::devices::Apic;
    use common::scripted::{Play, ScriptedVcpu, TIMER, apic_with_timer};

    fn processor(apic: Apic, script: &[Play]) -> (Processor<ScriptedVcpu>, Pcpu<()>) {
        let mut pcpu = Pcpu::new(0, ());
        let vcpu = ScriptedVcpu::new(script.iter().copied()).with_interrupts_open();
        let mut processor = Processor::new(vcpu, apic, ());
        processor.load(&mut pcpu);
        (processor, pcpu)
    }

    #[test]
    fn its_own_timer_is_served_without_the_caller() {
        let (mut processor, mut pcpu) = processor(apic_with_timer(100), &[Play::ComputeForEver]);
        let exit = processor.next_exit(&mut pcpu, Time(250));
        assert_eq!((exit, pcpu.now), (Exit::Deadline, Time(250)));
        assert_eq!(processor.vcpu.injected, [TIMER], "no EOI, no second one");
    }

    #[test]
    fn a_halted_one_sleeps_until_its_timer_is_due_and_no_longer() {
        let (mut processor, pcpu) = processor(apic_with_timer(100), &[]);
        assert_eq!(processor.halt(pcpu.now), Sleep::Until(Time(100)));
        assert_eq!(processor.sleep(Time(99)), Sleep::Until(Time(100)));
        assert_eq!(processor.sleep(Time(100)), Sleep::Awake);
    }

    #[test]
    fn without_a_timer_only_somebody_else_can_wake_it() {
        let (mut processor, pcpu) = processor(Apic::new(0), &[]);
        assert_eq!(processor.halt(pcpu.now), Sleep::UntilSomebodyElse);
    }

    #[test]
    fn with_interrupts_closed_nothing_wakes_it() {
        let script = [Play::Interrupts(false), Play::HALT];
        let (mut processor, mut pcpu) = processor(apic_with_timer(100), &script);
        let exit = processor.next_exit(&mut pcpu, Time(1_000));
        assert_eq!(exit, Exit::Halted);
        assert_eq!(processor.halt(Time(500)), Sleep::ForEver);
    }

    #[test]
    fn its_time_does_not_go_back_on_a_physical_cpu_that_is_behind() {
        let (mut processor, mut ahead) = processor(Apic::new(0), &[Play::ComputeForEver]);
        processor.next_exit(&mut ahead, Time(500));
        processor.store(&mut ahead);
        let mut behind = Pcpu::new(1, ());
        processor.load(&mut behind);
        assert_eq!(behind.now, Time(500));
    }
}
