//! What must hold of a run of many VMs.

use super::HostRun;
use crate::checks::Problem;
use crate::text;
use crate::vm_fate::VmFate;
use common::{Ending, Exit};
use evidence::host::{Deed, Lost, What};
use guests::catalogue;

impl HostRun {
    /// Passes if the machine saw nothing that must not be, and the run was over
    /// as it should be.
    ///
    /// # Errors
    /// The first violation.
    pub fn expect_no_violations(&self) -> Result<(), Problem> {
        self.expect_no(|_| true)?;
        self.expect_over()
    }

    /// Passes if the machine saw none of the violations that `counts` picks.
    ///
    /// # Errors
    /// The first of them.
    pub fn expect_no(&self, counts: impl Fn(&What) -> bool) -> Result<(), Problem> {
        let mut violations = self.evidence().violations.iter();
        match violations.find(|violation| counts(&violation.what)) {
            None => Ok(()),
            Some(violation) => Err(self.violated(violation).into()),
        }
    }

    /// Passes if the version came to the end of the run, whatever became of the
    /// VMs.
    ///
    /// # Errors
    /// What became of it instead.
    pub fn expect_over(&self) -> Result<(), Problem> {
        match self.fate {
            None => Ok(()),
            Some(_) => Err(self.failed("all VMs run until they end").into()),
        }
    }

    /// Passes if by the version's own books everybody was always in one place.
    ///
    /// # Errors
    /// The first time that somebody was not.
    pub fn expect_nobody_lost(&self) -> Result<(), Problem> {
        let Some(Lost { time, wrong }) = &self.evidence().lost else {
            return Ok(());
        };
        let mut records = self.evidence().records.iter();
        let at = records.rposition(|record| record.time <= *time);
        let failure = self.failure(
            "every VM stands in one place: where its state says",
            format!("at {time} {wrong}"),
            None,
            at,
        );
        Err(failure
            .thought(
                "who last changed where this VM is? They had to change two things, the queue and \
                 the VM's place. Which of them is as it was?",
            )
            .into())
    }

    /// Passes if every VM did what its model says.
    ///
    /// # Errors
    /// The first difference.
    pub fn expect_models(&self) -> Result<(), Problem> {
        self.vms().try_for_each(|vm| self.expect_model(vm))
    }

    /// Passes if a VM printed what its model prints and ended as its model ends.
    /// One that the scenario shuts down may stop anywhere before.
    ///
    /// # Errors
    /// The difference.
    pub fn expect_model(&self, vm: u32) -> Result<(), Problem> {
        let Some(expected) = self.expected(vm) else {
            return Ok(());
        };
        let (seen, fate) = (self.console(vm), self.fate_of(vm));
        let is_over = fate.ending().is_some();
        let wanted = text::model_ending(&expected.ending);
        let commands = &self.order.scenario.commands;
        if commands.iter().any(|one| one.deed == Deed::ShutDown(vm)) {
            return self.expect_prefix(vm, &expected.console);
        }
        if self.fate.is_some() && !is_over && expected.console.starts_with(seen) {
            return Err(self.failed(format!("vm {vm}: {wanted}")).into());
        }
        let as_wanted = ends_as(&fate, &expected.ending);
        if as_wanted || !expected.console.starts_with(seen) {
            match expected.ending {
                catalogue::Ending::Never { .. } => self.expect_begin(vm, &expected.console)?,
                _ => self.expect_console(vm, &expected.console)?,
            }
        }
        match as_wanted {
            true => Ok(()),
            false => Err(self
                .ended_otherwise(vm, format!("vm {vm}: {wanted}"))
                .into()),
        }
    }

    /// Passes if a VM printed exactly `wanted`.
    ///
    /// # Errors
    /// The first byte that differs.
    pub fn expect_console(&self, vm: u32, wanted: &[u8]) -> Result<(), Problem> {
        self.expect_text(vm, wanted, self.console(vm))
    }

    /// Passes if a VM ended as `wanted`.
    ///
    /// # Errors
    /// What became of it instead.
    pub fn expect_ending(&self, vm: u32, wanted: Ending) -> Result<(), Problem> {
        match self.fate_of(vm) == VmFate::Ended(wanted) {
            true => Ok(()),
            false => {
                let wanted = format!("vm {vm}: {}", text::ending(wanted));
                Err(self.ended_otherwise(vm, wanted).into())
            }
        }
    }

    /// What a VM printed so far must be the beginning of `wanted`.
    fn expect_prefix(&self, vm: u32, wanted: &[u8]) -> Result<(), Problem> {
        let seen = self.console(vm);
        self.expect_text(vm, &wanted[..wanted.len().min(seen.len())], seen)
    }

    /// What a VM printed must begin with `wanted`.
    fn expect_begin(&self, vm: u32, wanted: &[u8]) -> Result<(), Problem> {
        let seen = self.console(vm);
        self.expect_text(vm, wanted, &seen[..seen.len().min(wanted.len())])
    }

    fn expect_text(&self, vm: u32, wanted: &[u8], seen: &[u8]) -> Result<(), Problem> {
        let Some(at) = text::first_difference(wanted, seen) else {
            return Ok(());
        };
        let (line, expected, got) = text::differing_lines(wanted, seen, at);
        let failure = self.failure(
            format!("vm {vm}: console line {line}: {expected}"),
            format!("vm {vm}: console line {line}: {got}"),
            Some(vm),
            None,
        );
        Err(failure
            .thought(
                "the line above is what the guest computed from its registers, its memory and the \
                 answers of its devices. Which of them did it not get back as it left them, and \
                 who used the CPU in between?",
            )
            .into())
    }
}

/// Whether a VM ended as its model does. How a guest dies is for the check to
/// say.
fn ends_as(fate: &VmFate, wanted: &catalogue::Ending) -> bool {
    match (wanted, fate) {
        (catalogue::Ending::Exit(code), VmFate::Ended(Ending::Exited(seen))) => seen == code,
        (catalogue::Ending::Halt, VmFate::Ended(Ending::Halted)) => true,
        (catalogue::Ending::Never { .. }, VmFate::Alive(_)) => true,
        (
            catalogue::Ending::Death(_) | catalogue::Ending::TripleFault(_),
            VmFate::Ended(Ending::Died(Exit::Shutdown(_) | Exit::Unsupported(_))),
        ) => true,
        _ => false,
    }
}
