//! One run of many VMs, with what each of them should have done.

use super::failure::step;
use super::{Failure, Problem};
use crate::fate::Fate;
use crate::host_order::{HostObservation, HostOrder};
use crate::host_trace;
use crate::text;
use crate::vm_fate::VmFate;
use common::trace::{Device, Event, Record, VcpuName};
use common::{Ending, Exit, Time};
use evidence::host::{Account, Deed, Lost, Outcome, RunEvidence, Violation, VmEnd, What};
use guests::catalogue::{self, Expected};
use std::collections::BTreeMap;
use std::rc::Rc;

/// How many records before a difference are shown.
const BEFORE: usize = 9;

/// A run of many VMs.
pub struct HostRun {
    /// What became of the whole; `None` if it was over as it should be, which
    /// says nothing of the VMs.
    pub fate: Option<Fate>,
    /// What was asked for, with this run's seed.
    pub order: HostOrder,
    stage: &'static str,
    observation: Rc<HostObservation>,
    /// Which of the observation's runs this is.
    number: usize,
}

/// A vCPU was on a physical CPU.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stay {
    /// Which.
    pub vcpu: VcpuName,
    /// On which.
    pub pcpu: usize,
    /// From this time by the physical CPU's clock.
    pub from: Time,
    /// Until this time.
    pub to: Time,
    /// Which record says that it came.
    pub at: usize,
}

/// What is known of a run of which there is no evidence.
static NOTHING: RunEvidence = RunEvidence::none();

impl HostRun {
    /// All runs that were observed, in the order of their seeds; one at least.
    pub fn all(stage: &'static str, observation: HostObservation) -> Vec<HostRun> {
        let observation = Rc::new(observation);
        let runs = observation.evidence.runs.len();
        let run = |number: usize| HostRun {
            fate: fate(&observation, number),
            order: {
                let mut order = observation.order.clone();
                order.scenario.order = order.scenario.order.later(number as u64);
                order.seeds(1)
            },
            stage,
            observation: Rc::clone(&observation),
            number,
        };
        (0..runs.max(1)).map(run).collect()
    }

    /// What was reported of it.
    pub fn evidence(&self) -> &RunEvidence {
        let runs = &self.observation.evidence.runs;
        runs.get(self.number).unwrap_or(&NOTHING)
    }

    /// The numbers of the VMs.
    pub fn vms(&self) -> std::ops::Range<u32> {
        0..self.order.vms.len() as u32
    }

    /// What became of a VM.
    pub fn fate_of(&self, vm: u32) -> VmFate {
        VmFate::of(self.evidence(), vm)
    }

    /// When it was known that a VM had ended.
    pub fn ended_at(&self, vm: u32) -> Option<Time> {
        let ended = &self.evidence().ended;
        let found = ended.iter().find(|ended| ended.vm == vm);
        found.map(|ended| ended.time)
    }

    /// What a VM printed.
    pub fn console(&self, vm: u32) -> &[u8] {
        self.evidence().consoles.get(&vm).map_or(&[], Vec::as_slice)
    }

    /// Where a VM's time went, says the version.
    pub fn account(&self, vm: u32) -> Option<Account> {
        let claim = self.evidence().vms.get(&vm)?.claim.as_ref()?;
        Some(claim.account)
    }

    /// For how many ticks a VM's vCPUs really ran, all together.
    pub fn ran(&self, vm: u32) -> u64 {
        let end = self.evidence().vms.get(&vm);
        end.map_or(0, |end| end.vcpus.iter().map(|vcpu| vcpu.ran).sum())
    }

    /// What a guest counted in a variable of this name.
    pub fn probe(&self, vm: u32, name: &str) -> Option<&[u64]> {
        let end = self.evidence().vms.get(&vm)?;
        let found = end.probes.iter().find(|(probe, _)| probe == name);
        found.map(|(_, values)| values.as_slice())
    }

    /// What a VM's model says; `None` for an image that is in no catalogue.
    pub fn expected(&self, vm: u32) -> Option<Expected> {
        let vm = &self.order.vms[vm as usize];
        Some(vm.guest?.expected(vm.seed))
    }

    /// What happened, each with its place among all records and the vCPU that it
    /// belongs to.
    pub fn records(&self) -> impl Iterator<Item = (usize, Option<VcpuName>, &Record)> {
        let owned = host_trace::owned(&self.evidence().records).enumerate();
        owned.map(|(at, (vcpu, record))| (at, vcpu, record))
    }

    /// What happened to a VM.
    pub fn records_of(&self, vm: u32) -> impl Iterator<Item = (usize, VcpuName, &Record)> {
        self.records()
            .filter_map(|(at, vcpu, record)| Some((at, vcpu?, record)))
            .filter(move |(_, vcpu, _)| vcpu.vm == vm)
    }

    /// Who was on which physical CPU and when, in the order in which they came.
    pub fn stays(&self) -> Vec<Stay> {
        let end = self.evidence().end.as_ref();
        let clock = |pcpu: usize| end.and_then(|end| end.clocks.get(pcpu).copied());
        let mut open: BTreeMap<usize, usize> = BTreeMap::new();
        let mut stays: Vec<Stay> = Vec::new();
        for (at, record) in self.evidence().records.iter().enumerate() {
            let &Record { pcpu, time, .. } = record;
            if !matches!(record.event, Event::Runs(_) | Event::Idle) {
                continue;
            }
            if let Some(stay) = open.remove(&pcpu) {
                stays[stay].to = time;
            }
            if let Event::Runs(vcpu) = record.event {
                open.insert(pcpu, stays.len());
                stays.push(Stay {
                    vcpu,
                    pcpu,
                    from: time,
                    to: clock(pcpu).unwrap_or(time),
                    at,
                });
            }
        }
        stays.sort_by_key(|stay| (stay.from, stay.at));
        stays
    }

    /// The stays of a VM's vCPUs that began elsewhere than the one before ended:
    /// so often it moved.
    pub fn migrations(&self, vm: u32) -> Vec<Stay> {
        let mut last = BTreeMap::new();
        let mut moved = self.stays();
        moved.retain(|stay| {
            stay.vcpu.vm == vm
                && last
                    .insert(stay.vcpu, stay.pcpu)
                    .is_some_and(|pcpu| pcpu != stay.pcpu)
        });
        moved
    }

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

    /// A failure because of what became of the whole run: not what was
    /// `expected`.
    pub fn failed(&self, expected: impl Into<String>) -> Failure {
        let Some(fate) = &self.fate else {
            let seen = outcome(self.evidence().end.as_ref().and_then(|end| end.outcome));
            return self.failure(expected, seen, None, None);
        };
        let mut failure = self.failure(expected, fate.to_string(), None, None);
        if let Some(exercise) = fate.not_yet() {
            failure.not_yet = Some(exercise.to_string());
            failure = failure.by(exercise);
        }
        failure.thought(text::thought(fate))
    }

    /// A failure because of what became of one VM.
    fn ended_otherwise(&self, vm: u32, expected: String) -> Failure {
        let fate = self.fate_of(vm);
        let over = self.evidence().end.as_ref().and_then(|end| end.outcome);
        let seen = match (&fate, &self.fate) {
            (VmFate::Alive(_) | VmFate::Unknown, Some(_)) => return self.failed(expected),
            (VmFate::Alive(_), None) => format!("vm {vm}: {fate}; {}", outcome(over)),
            _ => format!("vm {vm}: {fate}"),
        };
        self.failure(expected, seen, Some(vm), None)
            .thought(text::thought_of_vm(&fate))
    }

    fn violated(&self, violation: &Violation) -> Failure {
        let Violation {
            vcpu,
            pcpu,
            time,
            what,
        } = violation;
        let expected = match what {
            What::Context(_) => format!("{vcpu} finds the physical CPU as it left it"),
            What::TimeWentBack(_) => format!("the time of {vcpu} never goes back"),
            What::NotStarted => format!("{vcpu} does not run before its VM is started"),
            What::Paused => format!("{vcpu} does not run while its VM is paused"),
            What::Ended => format!("{vcpu} does not run after its VM has ended"),
        };
        let seen = format!("at {time} {vcpu} on pcpu {pcpu} {what}");
        let mut records = self.evidence().records.iter();
        let at = records.rposition(|record| record.pcpu == *pcpu && record.time <= *time);
        self.failure(expected, seen, None, at)
            .thought(text::thought_of_violation(what))
    }

    /// A failure that begins at record number `at`, or else at the end of `vm`,
    /// or else at the end of all.
    pub fn failure(
        &self,
        expected: impl Into<String>,
        seen: impl Into<String>,
        vm: Option<u32>,
        at: Option<usize>,
    ) -> Failure {
        let end = vm.and_then(|vm| self.evidence().vms.get(&vm));
        Failure {
            expected: expected.into(),
            seen: seen.into(),
            moments: self.moments(vm, at),
            registers: end
                .filter(|_| at.is_none())
                .map(last_words)
                .unwrap_or_default(),
            look: self.command() + " --trace",
            step: step(
                &self.command(),
                self.order.scenario.engine,
                self.time_of(vm, at),
            ),
            ..Failure::default()
        }
    }

    /// When what [`moments`](HostRun::moments) shows last happened.
    fn time_of(&self, vm: Option<u32>, at: Option<usize>) -> Option<Time> {
        let records = &self.evidence().records;
        let end = vm.and_then(|vm| self.evidence().vms.get(&vm));
        let last = match (at, end) {
            (Some(at), _) => records.get(at),
            (None, Some(end)) => end.last.last(),
            (None, None) => records.last(),
        };
        last.map(|record| record.time)
    }

    /// What happened last until record number `at`; until the end if there is
    /// none, and then only of `vm`.
    fn moments(&self, vm: Option<u32>, at: Option<usize>) -> Vec<String> {
        let host = self.observation.host();
        let line = |vcpu, record| host_trace::line(vcpu, record, host);
        let end = vm.and_then(|vm| Some((vm, self.evidence().vms.get(&vm)?)));
        if let (Some((vm, end)), None) = (end, at) {
            let first = end.last.len().saturating_sub(BEFORE);
            let vcpu = Some(VcpuName { vm, vcpu: 0 });
            let last = end.last[first..].iter();
            return last.map(|record| line(vcpu, record)).collect();
        }
        let last = at.map_or(self.evidence().records.len(), |at| at + 1);
        let first = last.saturating_sub(BEFORE);
        let shown = self.records().skip(first).take(last - first);
        shown.map(|(_, vcpu, record)| line(vcpu, record)).collect()
    }

    /// What happened last until record number `at`, without the chatter of the
    /// consoles and their ports: who ran, who halted, and what woke them.
    pub fn switches_until(&self, at: usize) -> Vec<String> {
        let host = self.observation.host();
        let shown = |event| match event {
            Event::Runs(_) | Event::Idle | Event::Inject(_) => true,
            Event::Exit(exit) => exit == Exit::Halted,
            Event::Device(access) => access.device == Device::ExitPort,
            Event::Enter { .. } | Event::Trap { .. } => false,
        };
        let records = self.records().take(at + 1);
        let lines: Vec<_> = records
            .filter(|(_, _, record)| shown(record.event))
            .map(|(_, vcpu, record)| host_trace::line(vcpu, record, host))
            .collect();
        lines[lines.len().saturating_sub(BEFORE)..].to_vec()
    }

    /// The command that makes the same run.
    pub fn command(&self) -> String {
        self.order.command(self.stage)
    }
}

/// Where a guest that died was, and with what in its registers; or why the engine
/// could not go on with it, in its own words.
fn last_words(end: &VmEnd) -> Vec<String> {
    match (&end.failure, &end.explanation) {
        (Some(failure), _) => failure.lines().map(String::from).collect(),
        (None, Some(explanation)) => text::guest(explanation),
        (None, None) => Vec::new(),
    }
}

/// What became of one of the runs that were observed.
fn fate(observation: &HostObservation, number: usize) -> Option<Fate> {
    let evidence = &observation.evidence;
    let run = evidence.runs.get(number).unwrap_or(&NOTHING);
    Fate::of_host(evidence, run, observation.finished.as_ref()?)
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

/// How a run was over, in a clause.
fn outcome(outcome: Option<Outcome>) -> String {
    String::from(match outcome {
        Some(Outcome::Done) => "your scheduler says that no VM is left",
        Some(Outcome::LimitReached) => "the time was over",
        Some(Outcome::Stuck) => "every physical CPU slept, and nobody was left to wake one",
        None => "the run broke off",
    })
}

#[cfg(test)]
mod tests;
