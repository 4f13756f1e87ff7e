//! The trusted eye on a vCPU.

use super::frame::{Holds, Violation};
use super::watch::{Phase, Seen, Watch};
use crate::engine::{EngineCpu, Told};
use common::trace::VcpuName;
use common::{Context, Exit, Gpr, Pcpu, Time, View, bus};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::sync::Arc;

/// Looks at one vCPU each time it comes onto a physical CPU and each time it
/// comes back from there.
///
/// A runner wraps the version's vCPU in one of its own that asks the eye before
/// and after each run, and gives that to the version's scheduler. So it is seen
/// who runs where and for how long, whatever the scheduler's books say; and
/// whether a vCPU finds its physical CPU as it left it, where its registers are
/// there at all.
pub struct Eye {
    name: VcpuName,
    watch: Arc<Watch>,
    begun: Time,
}

/// What must not be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum What {
    /// It does not find its physical CPU as it left the last one: what differs.
    Context(Vec<String>),
    /// Its time goes back: it had come as far as this.
    TimeWentBack(Time),
    /// It runs, and nobody has started its VM.
    NotStarted,
    /// It runs, and its VM is paused.
    Paused,
    /// It runs, and its VM has ended.
    Ended,
}

impl Eye {
    pub(crate) fn new(name: VcpuName, watch: Arc<Watch>) -> Eye {
        Eye {
            name,
            watch,
            begun: Time::ZERO,
        }
    }

    /// The vCPU has been put onto `pcpu`: what happens there from now on is its
    /// own.
    pub fn arrives<C>(&mut self, pcpu: &mut Pcpu<C>) {
        pcpu.recorder.runs(pcpu.now, Some(self.name));
        self.watch.runs_on(pcpu.id, self.name.vm);
    }

    /// The vCPU is about to run on `pcpu`.
    pub fn begins<C: EngineCpu>(&mut self, pcpu: &mut Pcpu<C>) {
        self.arrives(pcpu);
        self.begun = pcpu.now;
        let seen = &mut *self.seen().lock();
        let wrong = [
            self.wrong_phase(),
            (pcpu.now < seen.left).then_some(What::TimeWentBack(seen.left)),
            wrong_context(seen, pcpu),
        ];
        for what in wrong.into_iter().flatten() {
            self.report(seen, pcpu, what);
        }
    }

    /// It ran, and came back with `exit`, and the engine tells this beside.
    pub fn ends<C: EngineCpu>(&mut self, pcpu: &mut Pcpu<C>, exit: Exit, told: Told) {
        let seen = &mut *self.seen().lock();
        seen.ran += pcpu.now.since(self.begun);
        seen.left = pcpu.now;
        seen.emulated = told.emulated;
        remember(seen, pcpu);
        if self.watch.vms[self.name.vm as usize].holds_lock(self.name.vcpu) {
            let (vcpu, time) = (self.name, pcpu.now);
            self.watch.writer.holds(Holds { vcpu, time });
        }
        if ends_the_vm(exit) {
            let books = &mut *self.watch.vms[self.name.vm as usize].books.lock();
            books.phase = Phase::Ended;
            books.last_vcpu = self.name.vcpu;
            books.failure = told.failure;
        }
    }

    /// It is about to get the answer to a read.
    pub fn waits_for_answer<C: EngineCpu>(&mut self, pcpu: &mut Pcpu<C>) {
        let seen = &mut *self.seen().lock();
        if let Some(what) = wrong_context(seen, pcpu) {
            self.report(seen, pcpu, what);
        }
    }

    /// It has got the answer, which is in its context now.
    pub fn got_answer<C: EngineCpu>(&mut self, pcpu: &mut Pcpu<C>) {
        remember(&mut self.seen().lock(), pcpu);
    }

    fn seen(&self) -> &common::sync::Mutex<Seen> {
        &self.watch.vms[self.name.vm as usize].vcpus[usize::from(self.name.vcpu)]
    }

    fn report<C>(&self, seen: &mut Seen, pcpu: &Pcpu<C>, what: What) {
        let violation = Violation {
            vcpu: self.name,
            pcpu: pcpu.id,
            time: pcpu.now,
            what,
        };
        self.watch.violation(seen, violation);
    }

    /// With several threads a VM that is paused or has ended may still run for a
    /// moment, on a physical CPU that has not heard of it yet.
    fn wrong_phase(&self) -> Option<What> {
        let phase = self.watch.vms[self.name.vm as usize].books.lock().phase;
        match phase {
            Phase::Created => Some(What::NotStarted),
            Phase::Paused if self.watch.strict => Some(What::Paused),
            Phase::Ended if self.watch.strict => Some(What::Ended),
            _ => None,
        }
    }
}

/// Whether a VM cannot go on after one of its vCPUs has exited like this.
fn ends_the_vm(exit: Exit) -> bool {
    match exit {
        Exit::PortOut { port, .. } => port == bus::EXIT_PORT,
        Exit::Unsupported(_) | Exit::Shutdown(_) | Exit::Failed => true,
        _ => false,
    }
}

/// Notes what is on the physical CPU.
fn remember<C: EngineCpu>(seen: &mut Seen, pcpu: &mut Pcpu<C>) {
    if let Some(context) = C::context(pcpu) {
        seen.context.clone_from(context);
    }
}

fn wrong_context<C: EngineCpu>(seen: &Seen, pcpu: &mut Pcpu<C>) -> Option<What> {
    let differences = differences(&seen.context, C::context(pcpu)?);
    (!differences.is_empty()).then_some(What::Context(differences))
}

/// In what a context differs from what it should be.
fn differences(wanted: &Context, found: &Context) -> Vec<String> {
    let mut differences = Vec::new();
    if !found.space.memory.same(&wanted.space.memory) {
        differences.push(String::from("the memory of another vm"));
    }
    if found.space.view != wanted.space.view {
        let [wanted, found] = [wanted, found].map(|context| view(context.space.view));
        differences.push(format!("the {found}'s view instead of the {wanted}'s"));
    }
    // (Names are made only where they are needed: this is done at every run.)
    let mut compare = |name: &dyn fmt::Display, wanted: u128, found: u128| {
        if found != wanted {
            differences.push(format!("{name}: {found:#x} instead of {wanted:#x}"));
        }
    };
    for register in Gpr::ALL {
        let [wanted, found] = [wanted, found].map(|one| one.registers[register].into());
        compare(&register.name(), wanted, found);
    }
    for (name, of) in SPECIAL {
        compare(&name, of(wanted).into(), of(found).into());
    }
    for (number, (&wanted, &found)) in wanted.xmm.iter().zip(&found.xmm).enumerate() {
        compare(&format_args!("xmm{number}"), wanted, found);
    }
    differences
}

/// A register that is no general one, with its name.
type Special = (&'static str, fn(&Context) -> u64);

const SPECIAL: [Special; 6] = [
    ("rip", |context| context.rip),
    ("flags", |context| context.flags),
    ("the base of fs", |context| context.fs_base),
    ("the base of gs", |context| context.gs_base),
    ("mxcsr", |context| context.mxcsr.into()),
    ("page tables at", |context| context.space.root()),
];

fn view(view: View) -> &'static str {
    match view {
        View::Kernel => "kernel",
        View::User => "user",
    }
}

impl fmt::Display for What {
    /// A clause with the vCPU as its subject.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const SHOWN: usize = 4;
        match self {
            What::Context(differences) => {
                let shown = &differences[..differences.len().min(SHOWN)];
                write!(
                    f,
                    "does not find the cpu as it left it: {}",
                    shown.join(", ")
                )?;
                match differences.len() - shown.len() {
                    0 => Ok(()),
                    more => write!(f, ", and {more} more"),
                }
            }
            What::TimeWentBack(left) => {
                write!(f, "runs at a time before {left}, where it had been already")
            }
            What::NotStarted => f.write_str("runs, and nobody has started its vm"),
            What::Paused => f.write_str("runs, and its vm is paused"),
            What::Ended => f.write_str("runs, and its vm has ended"),
        }
    }
}

#[cfg(test)]
mod tests;
