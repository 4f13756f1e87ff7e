//! Finishing what the last exit reported, without running the guest any further.
//!
//! KVM does that at the next entry, so there is an entry that returns at once.

use super::{Vcpu, is_call};
use crate::hardware::error::Error;
use crate::hardware::ioctl;
use std::sync::atomic::Ordering;

impl Vcpu {
    /// Has KVM finish the access that the last exit reported, without running the
    /// guest any further.
    pub(in crate::hardware) fn settle(&mut self) -> Result<(), Error> {
        if self.waiting.is_some() {
            return Err(Error::NotSettled("a read waits for its answer"));
        }
        if self.access.as_ref().is_some_and(|access| !access.is_over()) {
            return Err(Error::NotSettled("more items of it are to be told"));
        }
        while self.unsettled {
            let flag = self.page.immediate_exit();
            flag.store(1, Ordering::Relaxed);
            let finished = ioctl::run(&self.fd);
            // A signal that came meanwhile is seen at the next entry all the same.
            flag.store(0, Ordering::Relaxed);
            self.unsettled = false;
            self.takes_interrupts = self.page.takes_interrupts();
            match finished {
                Err(error) if is_call(&error) => {}
                Err(error) => return Err(Error::Refused("finish an access", error)),
                Ok(()) => self.keep_early_exit()?,
            }
        }
        Ok(())
    }

    /// An instruction that reads and then writes a device has exited once more
    /// when its read was finished.
    fn keep_early_exit(&mut self) -> Result<(), Error> {
        if self.early.is_some() {
            return Err(Error::NotSettled("its instruction makes too many accesses"));
        }
        self.early = self.exit();
        match self.waiting {
            None => Ok(()),
            Some(_) => Err(Error::NotSettled("its instruction makes one more read")),
        }
    }

    /// A write that is finished but not told yet is in no state that could be
    /// kept.
    pub(in crate::hardware) fn expect_no_early_exit(&self) -> Result<(), Error> {
        match self.early {
            None => Ok(()),
            Some(_) => Err(Error::NotSettled("its write is to be told first")),
        }
    }
}
