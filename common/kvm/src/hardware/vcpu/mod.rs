//! The virtual CPU: enters the guest through KVM, and says in the terms of all
//! engines why it came back.

mod end;
mod settle;

use crate::hardware::access::{Access, Answer};
use crate::hardware::error::Error;
use crate::hardware::failure::{Cause, Failure};
use crate::hardware::host_cpu::HostCpu;
use crate::hardware::machine::Machine;
use crate::hardware::run_page::RunPage;
use crate::hardware::signal::Entry;
use crate::hardware::steps::Steps;
use crate::hardware::{boot, emulate, ioctl};
use common::{Boot, Exit, NotReady, Pcpu, Time};
use kvm_bindings::{
    KVM_EXIT_DEBUG, KVM_EXIT_HLT, KVM_EXIT_INTERNAL_ERROR, KVM_EXIT_INTR, KVM_EXIT_IO,
    KVM_EXIT_IRQ_WINDOW_OPEN, KVM_EXIT_MMIO, KVM_INTERNAL_ERROR_EMULATION,
};
use kvm_ioctls::VcpuFd;
use std::io;

/// A virtual CPU that KVM runs.
///
/// It may run on one physical CPU now and on another later, in any threads. All
/// that it is stays in the kernel, behind its file descriptor, so nothing has to
/// be saved or restored when another takes its place.
pub struct Vcpu {
    fd: VcpuFd,
    page: RunPage,
    /// Keeps the guest's memory mapped as long as KVM may use it.
    machine: Machine,
    /// The access at which the guest stands, if it has more pieces.
    access: Option<Access>,
    /// Where the answer to the last exit goes, if it is a read.
    waiting: Option<Answer>,
    /// An exit that came while the one before it was finished.
    early: Option<Exit>,
    /// KVM has yet to finish an access to a device, which it does at the next
    /// entry.
    unsettled: bool,
    /// An interrupt would be taken now.
    takes_interrupts: bool,
    /// The monitor wants to know when that is so.
    window: bool,
    /// How the guest is led to its window, where KVM would notice it late.
    steps: Option<Steps>,
    /// How many instructions were carried out here, as KVM could not.
    emulated: u64,
    failure: Option<Box<Failure>>,
}

impl Vcpu {
    pub(in crate::hardware) fn new(
        machine: Machine,
        fd: VcpuFd,
        page_length: usize,
        boot: &Boot,
    ) -> Result<Vcpu, Error> {
        let refused = |what| move |error: kvm_ioctls::Error| Error::Refused(what, error.into());
        let reset = fd
            .get_sregs()
            .map_err(refused("give its system registers"))?;
        fd.set_sregs(&boot::system(boot, reset))
            .map_err(refused("take the system registers of long mode"))?;
        fd.set_regs(&boot::general(boot))
            .map_err(refused("take registers"))?;
        let page = RunPage::map(&fd, page_length)
            .map_err(|error| Error::Refused("share a page with us", error))?;
        Ok(Vcpu {
            fd,
            page,
            access: None,
            waiting: None,
            early: None,
            unsettled: false,
            takes_interrupts: false,
            window: false,
            steps: machine.notices_windows_late().then(Steps::default),
            emulated: 0,
            failure: None,
            machine,
        })
    }

    /// Why it cannot go on, after [`Exit::Failed`], [`Exit::Unsupported`] or
    /// [`Exit::Shutdown`].
    pub fn failure(&self) -> Option<&Failure> {
        self.failure.as_deref()
    }

    /// How many instructions were carried out here, as KVM could not.
    pub fn emulated(&self) -> u64 {
        self.emulated
    }

    /// The VM that it belongs to.
    pub fn machine(&self) -> &Machine {
        &self.machine
    }

    /// Runs until something is to be reported.
    fn run_until(&mut self, pcpu: &mut Pcpu<HostCpu>, until: Time) -> Exit {
        if pcpu.kick.take() {
            return Exit::Kicked;
        }
        if pcpu.now >= until {
            return Exit::Deadline;
        }
        if let Some(exit) = self.early.take().or_else(|| self.next_piece()) {
            return exit;
        }
        if self.window && self.takes_interrupts {
            return self.window_is_open();
        }
        if self.steps.is_some()
            && let Some(exit) = self.prepare_steps()
        {
            return exit;
        }
        loop {
            pcpu.cpu.ring_at(until);
            let entered = self.enter();
            pcpu.now = pcpu.cpu.now();
            match entered {
                Ok(()) => {
                    if let Some(exit) = self.exit() {
                        return exit;
                    }
                }
                Err(error) if is_call(&error) => {
                    pcpu.cpu.called();
                    if pcpu.kick.take() {
                        return Exit::Kicked;
                    }
                    if pcpu.now >= until {
                        return Exit::Deadline;
                    }
                }
                Err(error) => return self.fail(Cause::Run(error)),
            }
        }
    }

    /// Enters the guest once, unless a signal came since the last time.
    fn enter(&mut self) -> io::Result<()> {
        let entry = Entry::new(self.page.immediate_exit());
        if entry.was_called() {
            return Err(io::ErrorKind::Interrupted.into());
        }
        let entered = ioctl::run(&self.fd);
        if entered.is_err() {
            entry.was_called();
        }
        drop(entry);
        self.unsettled = false;
        self.takes_interrupts = self.page.takes_interrupts();
        entered
    }

    /// Why KVM returned; `None` if for no reason.
    fn exit(&mut self) -> Option<Exit> {
        match self.page.exit_reason() {
            KVM_EXIT_IO => {
                self.unsettled = true;
                self.access = Access::to_port(self.page.port_access());
                self.next_piece()
            }
            KVM_EXIT_MMIO => {
                self.unsettled = true;
                let at = self.page.memory_data();
                self.access = Some(Access::to_memory(self.page.memory_access(), at));
                self.next_piece()
            }
            KVM_EXIT_HLT => Some(Exit::Halted),
            KVM_EXIT_IRQ_WINDOW_OPEN => Some(self.window_is_open()),
            KVM_EXIT_INTR => None,
            KVM_EXIT_INTERNAL_ERROR if self.emulate() => None,
            KVM_EXIT_DEBUG if self.steps.is_some() => self.stepped(),
            reason => Some(self.die(reason)),
        }
    }

    /// The next piece of the access at which the guest stands, if there is one.
    fn next_piece(&mut self) -> Option<Exit> {
        let (exit, answer) = self.access.as_mut()?.next(&self.page)?;
        self.waiting = answer;
        Some(exit)
    }

    /// Carries out what KVM's emulator lacks, if it is something that we know.
    #[cold]
    fn emulate(&mut self) -> bool {
        let (suberror, _) = self.page.internal_error();
        let done = suberror == KVM_INTERNAL_ERROR_EMULATION
            && emulate::emulate(&self.fd, self.machine.memory());
        self.emulated += u64::from(done);
        done
    }

    /// Has the guest go step by step exactly while its window is wanted. An exit
    /// may come of it.
    #[cold]
    fn prepare_steps(&mut self) -> Option<Exit> {
        if self.window
            && let Err(error) = self.settle()
        {
            return Some(self.fail(Cause::Run(io::Error::other(error))));
        }
        let steps = self.steps.as_mut()?;
        match steps.prepare(&self.fd, self.window) {
            Ok(()) => self.early.take(),
            Err(error) => Some(self.fail(Cause::Run(error))),
        }
    }

    /// The guest has made one step.
    #[cold]
    fn stepped(&mut self) -> Option<Exit> {
        let steps = self.steps.as_mut()?;
        if steps.was_halt(&self.fd, self.machine.memory(), self.page.debug_address()) {
            return Some(Exit::Halted);
        }
        let is_open = self.window && self.takes_interrupts;
        is_open.then(|| self.window_is_open())
    }

    fn window_is_open(&mut self) -> Exit {
        self.set_window(false);
        Exit::WindowOpen
    }

    fn set_window(&mut self, on: bool) {
        self.window = on;
        self.page.request_window(on);
    }

    pub(in crate::hardware) fn fd(&self) -> &VcpuFd {
        &self.fd
    }

    pub(in crate::hardware) fn state_was_set(&mut self, takes_interrupts: bool) {
        self.takes_interrupts = takes_interrupts;
        (self.access, self.early, self.failure) = (None, None, None);
    }
}

/// Whether `KVM_RUN` failed only since somebody called the thread (or because the
/// vCPU is not runnable yet, which passes).
fn is_call(error: &io::Error) -> bool {
    use io::ErrorKind::{Interrupted, WouldBlock};
    matches!(error.kind(), Interrupted | WouldBlock)
}

impl common::Vcpu for Vcpu {
    type Cpu = HostCpu;

    fn run(&mut self, pcpu: &mut Pcpu<HostCpu>, until: Time) -> Exit {
        assert!(self.waiting.is_none(), "a read still waits for its answer");
        if let Err(error) = pcpu.cpu.begin(pcpu.now) {
            return self.fail(Cause::Timer(error));
        }
        let exit = self.run_until(pcpu, until);
        pcpu.cpu.end();
        exit
    }

    fn complete(&mut self, _: &mut Pcpu<HostCpu>, value: u64) {
        let answer = self.waiting.take().expect("no read waits for an answer");
        self.page.store(answer.at, answer.size, value);
    }

    fn can_inject(&self) -> bool {
        self.takes_interrupts
    }

    /// KVM would deliver it even to a guest that has interrupts closed, so it is
    /// not asked unless they are open.
    fn inject(&mut self, vector: u8) -> Result<(), NotReady> {
        if !self.takes_interrupts || ioctl::interrupt(&self.fd, vector).is_err() {
            return Err(NotReady);
        }
        self.takes_interrupts = false;
        Ok(())
    }

    fn want_window(&mut self, on: bool) {
        if on != self.window {
            self.set_window(on);
        }
    }
}
