//! The run, as the target of the stub: who the threads are.
//!
//! Each vCPU is a thread. Only one of them is about to execute an instruction; the
//! registers of the others are what they left on their physical CPU, so they can
//! be read and not changed.

use super::places::Places;
use super::registers::X86_64;
use super::travel::Way;
use crate::commands::say::note;
use crate::error::LabError;
use crate::session::{Session, whereabouts};
use common::trace::VcpuName;
use gdbstub::common::Tid;
use gdbstub::target::ext::base::BaseOps;
use gdbstub::target::ext::breakpoints::BreakpointsOps;
use gdbstub::target::ext::monitor_cmd::MonitorCmdOps;
use gdbstub::target::{Target, TargetError};

/// A run in front of gdb.
pub(super) struct Debugger {
    pub(super) session: Session,
    /// The VM in which breakpoints and watchpoints count, if there are many.
    pub(super) vm: Option<u32>,
    pub(super) places: Places,
    /// What gdb has asked for last.
    pub(super) way: Way,
    /// How many news gdb has been told of.
    pub(super) told: usize,
}

impl Debugger {
    /// Puts a session in front of gdb. From version 5 on breakpoints and
    /// watchpoints count in the VM with this number.
    pub(super) fn new(session: Session, vm: u32) -> Debugger {
        Debugger {
            vm: (!session.vcpus().is_empty()).then_some(vm),
            places: Places::default(),
            way: Way::On,
            told: session.news().len(),
            session,
        }
    }

    /// The threads: who is about to execute an instruction first, since gdb takes
    /// the first for the current one, and then the others by their numbers.
    pub(super) fn threads(&self) -> Vec<Tid> {
        let current = self.current();
        let all = (1..=self.session.vcpus().len().max(1)).filter_map(Tid::new);
        let others = all.filter(|tid| *tid != current);
        std::iter::once(current).chain(others).collect()
    }

    /// The thread that is about to execute an instruction.
    pub(super) fn current(&self) -> Tid {
        self.thread_of(self.session.stop().vcpu)
    }

    /// A vCPU's thread. There is one without a name in a version with one VM.
    pub(super) fn thread_of(&self, name: Option<VcpuName>) -> Tid {
        let vcpus = self.session.vcpus();
        let number = vcpus.iter().position(|vcpu| Some(*vcpu) == name);
        Tid::MIN.saturating_add(number.unwrap_or(0))
    }

    /// A thread's vCPU, if the version tells vCPUs apart.
    pub(super) fn vcpu_of(&self, thread: Tid) -> Option<VcpuName> {
        self.session.vcpus().get(thread.get() - 1).copied()
    }

    /// A thread as `info threads` shows it.
    pub(super) fn description(&self, thread: Tid) -> String {
        let Some(name) = self.vcpu_of(thread) else {
            return String::from("the vcpu");
        };
        let place = match self.session.is_over() {
            true => String::from("the run is over"),
            false => whereabouts(self.session.news()).of(name),
        };
        format!("vm {} vcpu {}, {place}", name.vm, name.vcpu)
    }
}

/// What cannot be done is said here, since gdb only shows that it was not done, and
/// nothing is lost by it. The rest ends the session.
pub(super) fn refusal(error: LabError) -> TargetError<LabError> {
    match error {
        LabError::Usage(why) => {
            note!("refused: {why}");
            TargetError::NonFatal
        }
        error => TargetError::Fatal(error),
    }
}

impl Target for Debugger {
    type Arch = X86_64;
    type Error = LabError;

    fn base_ops(&mut self) -> BaseOps<'_, X86_64, LabError> {
        BaseOps::MultiThread(self)
    }

    fn support_breakpoints(&mut self) -> Option<BreakpointsOps<'_, Debugger>> {
        Some(self)
    }

    fn support_monitor_cmd(&mut self) -> Option<MonitorCmdOps<'_, Debugger>> {
        Some(self)
    }

    /// Nobody here forks.
    fn use_fork_stop_reason(&self) -> bool {
        false
    }

    fn use_vfork_stop_reason(&self) -> bool {
        false
    }

    fn use_vforkdone_stop_reason(&self) -> bool {
        false
    }
}
