//! A vCPU that waits in a loop for one that does not run.
//!
//! A guest's spin lock is made for CPUs that always run: its holder will be done
//! in a moment, so it does not pay to sleep. Under a hypervisor the holder may
//! have lost its physical CPU in that very moment. Then the others spin for a
//! whole slice, for nothing: *lock-holder preemption*. The VMM sees no lock, only
//! a guest that computes. Three things help it:
//!
//! - the CPU reports loops of `pause` (VT-x calls it PAUSE-loop exiting, SVM the
//!   pause filter), and the VMM yields to a sibling that was preempted;
//! - the guest knows that it is one, and says for whom it waits;
//! - the VMM runs the vCPUs of a VM at the same time, so that the holder runs
//!   whenever somebody waits for it.

use crate::Machine;
use v6::Peers;

/// What is done about vCPUs that wait for one that does not run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mitigation {
    /// Nothing.
    #[default]
    None,
    /// Spin loops are reported, and the vCPU yields to a sibling.
    SpinExits,
    /// The guest says through the yield port for whom it waits.
    YieldPort,
    /// The vCPUs of a VM run at the same time, where they can.
    CoScheduling,
}

impl Mitigation {
    /// All of them.
    pub const ALL: [Mitigation; 4] = [
        Mitigation::None,
        Mitigation::SpinExits,
        Mitigation::YieldPort,
        Mitigation::CoScheduling,
    ];
}

impl Machine {
    /// vCPU number `vcpu` spins. Whether it should give its turn away.
    ///
    /// # Exercise v7-E4: spin loops, and whom to yield to (second half)
    ///
    /// The VMM does not know who holds the lock. But who waits for its turn may:
    /// one that runs will be done soon, and one that sleeps holds no spin lock.
    /// So [`promote`](Peers::promote) siblings, beginning with the next in number,
    /// until one of them is the next to run; then it makes sense to yield. If
    /// none is ready, to yield would only lose time. And all this only if it is
    /// the [`mitigation`](Machine::mitigation).
    pub(crate) fn on_spin(&self, vcpu: u8, peers: &dyn Peers) -> bool {
        // BEGIN SOLUTION
        let entries = self.entries();
        let mut siblings = (1..entries.len())
            .map(|distance| entries[(usize::from(vcpu) + distance) % entries.len()]);
        self.mitigation == Mitigation::SpinExits && siblings.any(|entry| peers.promote(entry, None))
        // END SOLUTION
        // STUB: todo!("v7-E4: vcpu {vcpu} spins: is there a sibling to yield to?")
    }

    /// A vCPU says that it waits for vCPU number `holder`. Whether it should give
    /// its turn away.
    ///
    /// # Exercise v7-E5: the yield port
    ///
    /// Now the VMM knows for whom to make room. But it does not trust the guest:
    /// a number that no vCPU has is nobody's, and to promote is all that a guest
    /// can ask for. Only with [`Mitigation::YieldPort`].
    pub(crate) fn on_yield(&self, holder: u32, peers: &dyn Peers) -> bool {
        // BEGIN SOLUTION
        let holder = self.entries().get(holder as usize);
        self.mitigation == Mitigation::YieldPort
            && holder.is_some_and(|entry| peers.promote(*entry, None))
        // END SOLUTION
        // STUB: todo!("v7-E5: somebody waits for vcpu {holder}")
    }

    /// vCPU number `vcpu` begins a turn on the physical CPU `here`.
    ///
    /// # Exercise v7-E6: co-scheduling
    ///
    /// With [`Mitigation::CoScheduling`] its siblings that wait for a physical
    /// CPU should have one now: promote each of them. Those that run already, or
    /// sleep, are not touched by that; and those that wait `here` must not be, or
    /// two of them would chase each other away for ever. So the vCPUs of a VM begin their slices
    /// together, and, as these are of one length, end them together.
    pub(crate) fn on_begin(&self, vcpu: u8, here: usize, peers: &dyn Peers) {
        // BEGIN SOLUTION
        if self.mitigation != Mitigation::CoScheduling {
            return;
        }
        for (sibling, entry) in (0..).zip(self.entries()) {
            if sibling != vcpu {
                peers.promote(*entry, Some(here));
            }
        }
        // END SOLUTION
        // STUB: if self.mitigation == Mitigation::CoScheduling {
        // STUB:     todo!("v7-E6: vcpu {vcpu} begins: let its siblings run, too");
        // STUB: }
    }
}
