//! Registers and memory, to read and to change.

use super::registers::{All, Number, value};
use super::target::{Debugger, refusal};
use crate::error::LabError;
use evidence::session::{Order, Place, Register};
use gdbstub::common::Tid;
use gdbstub::target::ext::base::multithread::{MultiThreadBase, MultiThreadResumeOps};
use gdbstub::target::ext::base::single_register_access::{
    SingleRegisterAccess, SingleRegisterAccessOps,
};
use gdbstub::target::ext::thread_extra_info::{ThreadExtraInfo, ThreadExtraInfoOps};
use gdbstub::target::{TargetError, TargetResult};

/// "Bad address", as gdb's protocol counts errors.
const BAD_ADDRESS: u8 = 14;

/// The bit of the interrupt flag.
const INTERRUPTS: u64 = 1 << 9;

impl Debugger {
    /// The virtual state of a thread: it is known of the one that is about to run.
    fn state_of(&self, thread: Tid) -> Vec<(String, String)> {
        let scene = self.session.stop().scene.as_ref();
        let scene = scene.filter(|_| thread == self.current());
        scene.map_or(Vec::new(), |scene| scene.state.clone())
    }

    /// Only the vCPU that is about to execute an instruction can be changed.
    fn must_be_current(&self, thread: Tid, what: &str) -> Result<(), LabError> {
        if thread == self.current() {
            return Ok(());
        }
        Err(LabError::Usage(format!(
            "{what} of a vcpu that is not about to run cannot be changed: this is {}. Have it take \
             its next step first, with stepi.",
            self.description(thread)
        )))
    }

    fn set(&mut self, thread: Tid, number: Number, value: u64) -> Result<(), LabError> {
        self.must_be_current(thread, "registers")?;
        let register = match number {
            Number::General(register) => Register::General(register),
            Number::Rip => Register::Rip,
            Number::FsBase => Register::FsBase,
            Number::GsBase => Register::GsBase,
            Number::Flags => {
                self.open_or_close(thread, value & INTERRUPTS != 0)?;
                Register::Flags
            }
            _ => {
                return Err(LabError::Usage(String::from(
                    "rax to r15, rip, eflags, fs_base and gs_base can be changed, and no others",
                )));
            }
        };
        self.session.set(register, value)
    }

    /// The interrupt flag is no flag of the raw CPU: the virtual CPU is asked.
    fn open_or_close(&mut self, thread: Tid, open: bool) -> Result<(), LabError> {
        let set = self.session.registers_of(self.vcpu_of(thread))?;
        let flags = value(Number::Flags, &set, &self.state_of(thread)).unwrap_or(0) as u64;
        if (flags & INTERRUPTS != 0) != open {
            self.session.order(Order::SetInterrupts(open))?;
        }
        Ok(())
    }
}

impl MultiThreadBase for Debugger {
    fn read_registers(&mut self, registers: &mut All, thread: Tid) -> TargetResult<(), Self> {
        let set = self.session.registers_of(self.vcpu_of(thread));
        *registers = All::of(&set.map_err(refusal)?, &self.state_of(thread));
        Ok(())
    }

    /// gdb changes registers one at a time; see [`SingleRegisterAccess`].
    fn write_registers(&mut self, _: &All, _: Tid) -> TargetResult<(), Self> {
        Err(TargetError::NonFatal)
    }

    fn support_single_register_access(&mut self) -> Option<SingleRegisterAccessOps<'_, Tid, Self>> {
        Some(self)
    }

    fn read_addrs(
        &mut self,
        start: u64,
        data: &mut [u8],
        thread: Tid,
    ) -> TargetResult<usize, Self> {
        let of = self.vcpu_of(thread);
        let read = self.session.read_of(of, Place::Virtual(start), data.len());
        let read = read.map_err(refusal)?;
        if read.is_empty() && !data.is_empty() {
            return Err(TargetError::Errno(BAD_ADDRESS));
        }
        data[..read.len()].copy_from_slice(&read);
        Ok(read.len())
    }

    fn write_addrs(&mut self, start: u64, data: &[u8], thread: Tid) -> TargetResult<(), Self> {
        let vm = |thread| self.vcpu_of(thread).map(|name| name.vm);
        if vm(thread) != vm(self.current()) {
            self.must_be_current(thread, "memory").map_err(refusal)?;
        }
        let written = self.session.write(Place::Virtual(start), data.to_vec());
        written.map_err(refusal)
    }

    fn list_active_threads(
        &mut self,
        thread_is_active: &mut dyn FnMut(Tid),
    ) -> Result<(), LabError> {
        self.threads().into_iter().for_each(thread_is_active);
        Ok(())
    }

    fn support_resume(&mut self) -> Option<MultiThreadResumeOps<'_, Self>> {
        Some(self)
    }

    fn support_thread_extra_info(&mut self) -> Option<ThreadExtraInfoOps<'_, Self>> {
        Some(self)
    }
}

impl SingleRegisterAccess<Tid> for Debugger {
    fn read_register(
        &mut self,
        thread: Tid,
        number: Number,
        buffer: &mut [u8],
    ) -> TargetResult<usize, Self> {
        let set = self.session.registers_of(self.vcpu_of(thread));
        let value = value(number, &set.map_err(refusal)?, &self.state_of(thread));
        let bytes = value.ok_or(TargetError::NonFatal)?.to_le_bytes();
        let length = buffer.len().min(bytes.len());
        buffer[..length].copy_from_slice(&bytes[..length]);
        Ok(length)
    }

    fn write_register(
        &mut self,
        thread: Tid,
        number: Number,
        bytes: &[u8],
    ) -> TargetResult<(), Self> {
        let mut value = [0; 8];
        let length = bytes.len().min(8);
        value[..length].copy_from_slice(&bytes[..length]);
        let value = u64::from_le_bytes(value);
        self.set(thread, number, value).map_err(refusal)
    }
}

impl ThreadExtraInfo for Debugger {
    fn thread_extra_info(&self, thread: Tid, buffer: &mut [u8]) -> Result<usize, LabError> {
        let text = self.description(thread);
        let length = text.len().min(buffer.len());
        buffer[..length].copy_from_slice(&text.as_bytes()[..length]);
        Ok(length)
    }
}
