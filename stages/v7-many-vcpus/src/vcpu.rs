//! One vCPU of a VM: what version 6's scheduler schedules here.

use crate::Machine;
use common::{Ending, Exit, HostTimer, Pcpu, Time, bus};
use std::ops::ControlFlow;
use std::sync::Arc;
use v5::{Processor, Sleep, Stop, Switch};
use v6::{Peers, Runnable};

/// One vCPU of a VM.
pub struct Vcpu<V: Switch> {
    number: u8,
    processor: Processor<V>,
    machine: Arc<Machine>,
    /// It was loaded, and has not had its turn yet.
    begins: bool,
}

impl<V: Switch> Vcpu<V> {
    /// vCPU number `number` of `machine`.
    pub fn new(number: u8, processor: Processor<V>, machine: Arc<Machine>) -> Vcpu<V> {
        Vcpu {
            number,
            processor,
            machine,
            begins: false,
        }
    }

    /// Looks up: has the machine been switched off? Has something come? Does it
    /// still sleep? Whatever stops it from running.
    ///
    /// # Exercise v7-E1: a vCPU's turn (first half)
    ///
    /// In this order. A machine that is off has no more turns. Whoever looks up
    /// counts as awake ([`Machine::rouse`]) *before* it takes its letters: a
    /// sibling that falls asleep in between would find everybody dozing and every
    /// box empty. Mail first, then sleep: a letter may be what ends it. One that
    /// only a sibling can wake dozes ([`Machine::doze`]) and sleeps until
    /// [`Time::NEVER`]; one that nothing can wake has come to its end
    /// ([`Machine::leave`]), which is not the end of the machine.
    fn look_up(&mut self, now: Time, peers: &dyn Peers) -> Option<Stop> {
        // BEGIN SOLUTION
        if self.machine.ending().is_some() {
            return Some(Stop::Ended(Ending::Stopped));
        }
        self.machine.rouse(self.number);
        self.machine
            .fetch_mail(self.number, &mut self.processor.apic);
        match self.processor.sleep(now) {
            Sleep::Awake => None,
            Sleep::Until(wake) => Some(Stop::Asleep { wake }),
            Sleep::UntilSomebodyElse => {
                self.machine.doze(self.number, peers, now);
                Some(Stop::Asleep { wake: Time::NEVER })
            }
            Sleep::ForEver => {
                self.machine.leave(self.number, peers, now);
                Some(Stop::Ended(Ending::Halted))
            }
        }
        // END SOLUTION
        // STUB: todo!("v7-E1: look up")
    }

    /// Does what an exit asks for, and says whether the turn is over with it.
    ///
    /// # Exercise v7-E1: a vCPU's turn (second half)
    ///
    /// New is: a write to the APIC may send an interrupt
    /// ([`v2::monitor::access_memory`] gives it back; [`Machine::send`]). A
    /// spin loop and the yield port may end the turn ([`Stop::Yielded`]), as
    /// [`Machine::on_spin`] and [`Machine::on_yield`] say; the port is recorded
    /// by the bus like any other. The rest is version 2's, with the bus locked
    /// meanwhile; and an end is the machine's ([`Machine::stop`]), not only this
    /// vCPU's.
    fn serve(&mut self, pcpu: &mut Pcpu<V::Cpu>, exit: Exit, peers: &dyn Peers) -> Option<Stop> {
        let Processor { vcpu, apic, .. } = &mut self.processor;
        let machine = &self.machine;
        // BEGIN SOLUTION
        let yields = match exit {
            Exit::Mmio(mmio) => {
                if let Some(ipi) = v2::monitor::access_memory(vcpu, pcpu, apic, mmio) {
                    machine.send(self.number, ipi, peers, pcpu.now);
                    machine.fetch_mail(self.number, apic);
                }
                false
            }
            Exit::SpinLoop => machine.on_spin(self.number, peers),
            Exit::PortOut {
                port: bus::YIELD_PORT,
                size,
                value,
            } => {
                let (recorder, now) = (&mut pcpu.recorder, pcpu.now);
                machine
                    .bus()
                    .write_port(recorder, now, bus::YIELD_PORT, size, value);
                machine.on_yield(value, peers)
            }
            exit => {
                let host = &mut HostTimer::never();
                let served = v2::monitor::on_exit(vcpu, pcpu, &mut machine.bus(), apic, host, exit);
                if let ControlFlow::Break(ending) = served {
                    machine.stop(ending, peers, pcpu.now);
                    return Some(Stop::Ended(ending));
                }
                false
            }
        };
        yields.then_some(Stop::Yielded)
        // END SOLUTION
        // STUB: todo!("v7-E1: serve {exit:?}")
    }
}

impl<V: Switch> Runnable for Vcpu<V> {
    type Cpu = V::Cpu;

    fn load(&mut self, pcpu: &mut Pcpu<V::Cpu>) {
        self.processor.load(pcpu);
        self.begins = true;
    }

    fn store(&mut self, pcpu: &mut Pcpu<V::Cpu>) {
        self.processor.store(pcpu);
    }

    fn turn(&mut self, pcpu: &mut Pcpu<V::Cpu>, until: Time, peers: &dyn Peers) -> Stop {
        if std::mem::take(&mut self.begins) {
            self.machine.on_begin(self.number, pcpu.id, peers);
        }
        if let Some(stop) = self.look_up(pcpu.now, peers) {
            return stop;
        }
        loop {
            let stop = match self.processor.next_exit(pcpu, until) {
                Exit::Deadline => Some(Stop::TimeUp),
                Exit::Kicked => Some(Stop::Kicked),
                Exit::Halted => {
                    self.processor.halt(pcpu.now);
                    self.look_up(pcpu.now, peers)
                }
                exit => self.serve(pcpu, exit, peers),
            };
            if let Some(stop) = stop {
                return stop;
            }
        }
    }
}

#[cfg(test)]
mod tests;
