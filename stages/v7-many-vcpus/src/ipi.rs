//! Interrupts from one vCPU to another.

use crate::Machine;
use common::Time;
use common::devices::{Apic, Ipi};
use v6::Peers;

impl Machine {
    /// vCPU number `sender` sends an interrupt.
    ///
    /// # Exercise v7-E2: an interrupt from one vCPU to another (first half)
    ///
    /// The target's APIC goes with the target, which may be running on another
    /// physical CPU: nobody else touches it. So each vCPU has a letter box. Put
    /// the vector into the box of every vCPU that the interrupt
    /// [reaches](Ipi::reaches), and wake it: whether it runs, waits or sleeps.
    /// The letter must be in the box, and the box closed, before the bell rings:
    /// who wakes and finds nothing goes to sleep again. The sender may be among
    /// the targets.
    pub(crate) fn send(&self, sender: u8, ipi: Ipi, peers: &dyn Peers, now: Time) {
        // BEGIN SOLUTION
        for (vcpu, entry) in (0..).zip(self.entries()) {
            if ipi.reaches(sender, vcpu) {
                self.mail(vcpu).insert(ipi.vector);
                peers.wake(*entry, now);
            }
        }
        // END SOLUTION
        // STUB: todo!("v7-E2: deliver {ipi:?} of vcpu {sender}")
    }

    /// Lets vCPU number `vcpu` fetch its letters.
    ///
    /// # Exercise v7-E2: an interrupt from one vCPU to another (second half)
    ///
    /// Take all vectors out of the box, and request each of its APIC. What stays
    /// in the box comes twice; what is thrown away never.
    pub(crate) fn fetch_mail(&self, vcpu: u8, apic: &mut Apic) {
        // BEGIN SOLUTION
        for vector in std::mem::take(&mut *self.mail(vcpu)) {
            apic.request(vector);
        }
        // END SOLUTION
        // STUB: if !self.mail(vcpu).is_empty() {
        // STUB:     todo!("v7-E2: request what has come");
        // STUB: }
    }
}
