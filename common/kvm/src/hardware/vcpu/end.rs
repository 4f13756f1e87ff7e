//! The exits behind which the guest cannot go on.

use super::Vcpu;
use crate::hardware::failure::{Cause, Failure};
use common::{Chain, Exit, Fault};
use kvm_bindings::{KVM_EXIT_FAIL_ENTRY, KVM_EXIT_INTERNAL_ERROR, KVM_EXIT_SHUTDOWN};

impl Vcpu {
    /// For an exit of KVM's after which there is no way on.
    #[cold]
    pub(super) fn die(&mut self, reason: u32) -> Exit {
        match reason {
            KVM_EXIT_SHUTDOWN => {
                self.fail(Cause::Shutdown);
                Exit::Shutdown(Chain {
                    first: Fault::DoubleFault,
                    second: None,
                    third: None,
                })
            }
            KVM_EXIT_INTERNAL_ERROR => {
                let (suberror, data) = self.page.internal_error();
                self.fail(Cause::Internal { suberror, data })
            }
            KVM_EXIT_FAIL_ENTRY => self.fail(Cause::Entry(self.page.entry_failure())),
            reason => self.fail(Cause::Unknown(reason)),
        }
    }

    #[cold]
    pub(super) fn fail(&mut self, cause: Cause) -> Exit {
        let memory = self.machine.memory();
        let failure = Failure::of(cause, &self.fd, memory);
        let unsupported = failure.unsupported(memory);
        self.failure = Some(Box::new(failure));
        unsupported.map_or(Exit::Failed, Exit::Unsupported)
    }
}
