//! What is told of a run of many VMs in which something does not hold.

use super::HostRun;
use crate::checks::Failure;
use crate::checks::failure::step;
use crate::host_trace;
use crate::text;
use crate::vm_fate::VmFate;
use common::trace::{Device, Event, VcpuName};
use common::{Exit, Time};
use evidence::host::{Outcome, Violation, VmEnd, What};

/// How many records before a difference are shown.
const BEFORE: usize = 9;

impl HostRun {
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
    pub(super) fn ended_otherwise(&self, vm: u32, expected: String) -> Failure {
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

    pub(super) fn violated(&self, violation: &Violation) -> Failure {
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

/// How a run was over, in a clause.
fn outcome(outcome: Option<Outcome>) -> String {
    String::from(match outcome {
        Some(Outcome::Done) => "your scheduler says that no VM is left",
        Some(Outcome::LimitReached) => "the time was over",
        Some(Outcome::Stuck) => "every physical CPU slept, and nobody was left to wake one",
        None => "the run broke off",
    })
}
