//! What the vCPUs of one VM share.

use crate::Mitigation;
use common::sync::{Mutex, MutexGuard};
use common::{Bus, Ending, Time};
use std::collections::BTreeSet;
use std::sync::OnceLock;
use v5::Id;
use v6::Peers;

/// One VM, as its vCPUs see it: the devices, their letter boxes, and whether it
/// is still on.
pub struct Machine {
    bus: Mutex<Bus>,
    /// The vectors that have come for each vCPU and that it has not fetched. One
    /// bit a vector, as in an APIC: a second one merges.
    mail: Vec<Mutex<BTreeSet<u8>>>,
    life: Mutex<Life>,
    /// The numbers of the vCPUs in the scheduler's table, once they are there.
    entries: OnceLock<Vec<Id>>,
    /// What is done about vCPUs that wait for one that does not run.
    pub mitigation: Mitigation,
}

/// Whether it is on.
#[derive(Debug)]
struct Life {
    /// How it ended; nothing while it is on.
    ending: Option<Ending>,
    /// How many vCPUs have not come to their end.
    alive: usize,
    /// The vCPUs that sleep, and that only another one of this VM can wake.
    dozing: BTreeSet<u8>,
}

impl Machine {
    /// A machine for so many vCPUs, switched on.
    pub fn new(bus: Bus, vcpus: usize, mitigation: Mitigation) -> Machine {
        Machine {
            bus: Mutex::new(bus),
            mail: (0..vcpus).map(|_| Mutex::default()).collect(),
            life: Mutex::new(Life {
                ending: None,
                alive: vcpus,
                dozing: BTreeSet::new(),
            }),
            entries: OnceLock::new(),
            mitigation,
        }
    }

    /// Says under which numbers its vCPUs are in the scheduler's table.
    ///
    /// # Panics
    /// If that has been said before.
    pub(crate) fn is_scheduled_as(&self, entries: Vec<Id>) {
        let fresh = self.entries.set(entries).is_ok();
        assert!(fresh, "the vcpus are in the table already");
    }

    /// Its vCPUs' numbers in the scheduler's table.
    pub(crate) fn entries(&self) -> &[Id] {
        self.entries.get().map_or(&[], Vec::as_slice)
    }

    /// The devices, for one vCPU at a time.
    #[track_caller]
    pub(crate) fn bus(&self) -> MutexGuard<'_, Bus> {
        self.bus.lock()
    }

    /// The letter box of a vCPU.
    #[track_caller]
    pub(crate) fn mail(&self, vcpu: u8) -> MutexGuard<'_, BTreeSet<u8>> {
        self.mail[usize::from(vcpu)].lock()
    }

    /// How the machine ended; nothing while it is on.
    pub fn ending(&self) -> Option<Ending> {
        self.life.lock().ending
    }

    /// Switches the machine off: one of its vCPUs did, or died, or its owner
    /// wants it. All the others must hear of it.
    ///
    /// # Exercise v7-E3: when the machine stops, all its vCPUs do (first half)
    ///
    /// The first ending counts: who comes second has only not heard yet. Siblings
    /// may run elsewhere, wait, or sleep for ever. Each of them looks for itself
    /// when it is woken ([`Peers::wake`]); but first the ending must be there to
    /// be seen, and the lock open.
    pub(crate) fn stop(&self, ending: Ending, peers: &dyn Peers, now: Time) {
        // BEGIN SOLUTION
        self.life.lock().ending.get_or_insert(ending);
        for entry in self.entries() {
            peers.wake(*entry, now);
        }
        // END SOLUTION
        // STUB: todo!("v7-E3: {ending}: tell all siblings")
    }

    /// vCPU number `vcpu` has come to its end by itself: it halted and takes no
    /// interrupts. The others go on.
    ///
    /// # Exercise v7-E3: when the machine stops, all its vCPUs do (second half)
    ///
    /// With the last one the machine has halted for ever. It has, too, when all
    /// the others doze ([`is_stuck`](Life::is_stuck)).
    pub(crate) fn leave(&self, vcpu: u8, peers: &dyn Peers, now: Time) {
        // BEGIN SOLUTION
        let mut life = self.life.lock();
        life.alive -= 1;
        life.dozing.remove(&vcpu);
        let stuck = self.is_stuck(&life);
        drop(life);
        if stuck {
            self.stop(Ending::Halted, peers, now);
        }
        // END SOLUTION
        // STUB: todo!("v7-E3: vcpu {vcpu} has come to its end")
    }

    /// vCPU number `vcpu` sleeps, and only a sibling can wake it. If no sibling
    /// ever will, the machine has halted for ever.
    pub(crate) fn doze(&self, vcpu: u8, peers: &dyn Peers, now: Time) {
        let mut life = self.life.lock();
        life.dozing.insert(vcpu);
        let stuck = self.is_stuck(&life);
        drop(life);
        if stuck {
            self.stop(Ending::Halted, peers, now);
        }
    }

    /// vCPU number `vcpu` is awake, or about to look whether it is.
    pub(crate) fn rouse(&self, vcpu: u8) {
        self.life.lock().dozing.remove(&vcpu);
    }

    /// Whether all who are left doze, and nothing is on its way to any of them.
    /// Who sends is awake, so nothing can be sent while this is so. (A letter to
    /// one that has come to its end stays where it is.)
    fn is_stuck(&self, life: &Life) -> bool {
        let waits = |vcpu: &u8| self.mail(*vcpu).is_empty();
        life.dozing.len() == life.alive && life.dozing.iter().all(waits)
    }
}
