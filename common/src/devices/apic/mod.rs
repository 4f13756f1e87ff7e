//! A local APIC: the interrupt controller of one vCPU (SDM vol. 3, chapter 11;
//! chapter 10 in editions before 2023).
//!
//! It is a subset: the timer (one-shot and periodic), priorities and EOI, and
//! fixed interrupts to other vCPUs. What is deliberately absent: logical
//! destinations, the error status register, INIT and startup IPIs, level
//! triggers, TSC-deadline mode, x2APIC, and moving the page. Such registers
//! read as 0 and swallow writes.
//!
//! The APIC is a pure value. It has no clock of its own: whoever asks says what
//! time it is, and calls from the past change nothing. It calls nobody: an IPI
//! comes back as a value, and the monitor asks [`Apic::deadline`] when it must
//! look again.
//!
//! An interrupt's way through it:
//!
//! ```text
//!  timer or IPI --> requested --> acknowledge --> in service --> EOI
//!                    (IRR)        (the vCPU        (ISR)
//!                                  takes it)
//! ```

mod ipi;
mod timer;
mod vectors;

pub use ipi::{Ipi, IpiTarget};

use crate::Time;
use timer::Timer;
use vectors::Vectors;

/// Offsets of the registers in the APIC's page (SDM vol. 3, table 11-1).
pub mod register {
    /// The number of this APIC, in bits 24 to 31.
    pub const ID: u16 = 0x20;
    /// Version, and how many local vectors there are.
    pub const VERSION: u16 = 0x30;
    /// Task priority: interrupts of its class and below must wait.
    pub const TASK_PRIORITY: u16 = 0x80;
    /// Processor priority: the task's or that of the interrupt in service.
    pub const PROCESSOR_PRIORITY: u16 = 0xa0;
    /// End of interrupt: any write ends the one in service.
    pub const EOI: u16 = 0xb0;
    /// Spurious vector, and in bit 8 the software enable.
    pub const SPURIOUS: u16 = 0xf0;
    /// Interrupts in service: the first of eight registers of 32 vectors.
    pub const IN_SERVICE: u16 = 0x100;
    /// Interrupts requested: the first of eight registers of 32 vectors.
    pub const REQUESTED: u16 = 0x200;
    /// Interrupt command: a write sends an IPI.
    pub const COMMAND: u16 = 0x300;
    /// The upper half of the interrupt command: the destination.
    pub const COMMAND_HIGH: u16 = 0x310;
    /// The timer's local vector.
    pub const TIMER: u16 = 0x320;
    /// The last of the other local vectors, which are always masked here.
    pub const LAST_LOCAL_VECTOR: u16 = 0x370;
    /// What the timer counts down from; a write starts it, 0 stops it.
    pub const INITIAL_COUNT: u16 = 0x380;
    /// Where the timer stands.
    pub const CURRENT_COUNT: u16 = 0x390;
    /// By how much the timer's clock is divided.
    pub const DIVIDE: u16 = 0x3e0;
}

/// Version 0x14, and six local vectors: the number of the last is 5.
const VERSION: u32 = 0x0005_0014;
const SOFTWARE_ENABLE: u32 = 1 << 8;
/// The mask bit of a local vector.
const MASKED: u32 = 1 << 16;
/// Vectors below this belong to the CPU's exceptions (SDM vol. 3, 11.5.2).
const FIRST_VECTOR: u8 = 16;

/// A local APIC. After [`Apic::new`] it is as after reset: switched off, its
/// timer masked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Apic {
    id: u8,
    spurious: u32,
    task_priority: u8,
    /// Waiting to be taken. One bit a vector: a second request merges.
    requested: Vectors,
    /// Taken, and not ended yet.
    in_service: Vectors,
    command: u32,
    command_high: u32,
    timer: Timer,
}

impl Apic {
    /// The APIC of vCPU number `id`, after reset (SDM vol. 3, 11.4.7.1).
    pub fn new(id: u8) -> Apic {
        Apic {
            id,
            spurious: 0xff,
            task_priority: 0,
            requested: Vectors::default(),
            in_service: Vectors::default(),
            command: 0,
            command_high: 0,
            timer: Timer::default(),
        }
    }

    /// The guest reads the register at `offset`.
    pub fn read(&mut self, now: Time, offset: u16) -> u32 {
        self.advance(now);
        match offset {
            register::ID => u32::from(self.id) << 24,
            register::VERSION => VERSION,
            register::TASK_PRIORITY => u32::from(self.task_priority),
            register::PROCESSOR_PRIORITY => u32::from(self.processor_priority()),
            register::SPURIOUS => self.spurious,
            register::IN_SERVICE..=0x170 => self.in_service.word(offset),
            register::REQUESTED..=0x270 => self.requested.word(offset),
            register::COMMAND => self.command,
            register::COMMAND_HIGH => self.command_high,
            register::TIMER => self.timer.local_vector(),
            0x330..=register::LAST_LOCAL_VECTOR => MASKED,
            register::INITIAL_COUNT => self.timer.initial_count(),
            register::CURRENT_COUNT => self.timer.current_count(now),
            register::DIVIDE => self.timer.divide_configuration(),
            _ => 0,
        }
    }

    /// The guest writes the register at `offset`. An IPI that this sends comes
    /// back, and the monitor delivers it by [`Apic::request`] to every APIC
    /// that it [reaches](Ipi::reaches).
    pub fn write(&mut self, now: Time, offset: u16, value: u32) -> Option<Ipi> {
        self.advance(now);
        match offset {
            register::TASK_PRIORITY => self.task_priority = value as u8,
            register::EOI => self.end_of_interrupt(),
            register::SPURIOUS => self.write_spurious(value),
            register::COMMAND_HIGH => self.command_high = value & 0xff00_0000,
            register::COMMAND => {
                self.command = value & ipi::COMMAND_BITS;
                return Ipi::from_command(self.command, self.command_high);
            }
            register::TIMER => {
                let masked = if self.is_enabled() { 0 } else { MASKED };
                self.timer.write_local_vector(value | masked);
            }
            register::INITIAL_COUNT => self.timer.start(now, value),
            register::DIVIDE => self.timer.write_divide(now, value),
            _ => {}
        }
        None
    }

    /// When the timer next requests an interrupt; [`Time::NEVER`] if it does
    /// not run or is masked.
    pub fn deadline(&self) -> Time {
        self.timer.deadline()
    }

    /// Lets the timer run to `now`. If it expired, its interrupt is requested:
    /// once, however often it expired, as a request is one bit.
    pub fn advance(&mut self, now: Time) {
        if let Some(vector) = self.timer.advance(now) {
            self.request(vector);
        }
    }

    /// An interrupt arrives. It is lost if the APIC is switched off or the
    /// vector is one of the first 16.
    pub fn request(&mut self, vector: u8) {
        if self.is_enabled() && vector >= FIRST_VECTOR {
            self.requested.set(vector);
        }
    }

    /// The interrupt that the vCPU should take now, if it takes any: the
    /// highest one requested, if its class is above the processor's priority.
    /// While the APIC is switched off, requests are held.
    pub fn pending(&self) -> Option<u8> {
        let vector = self.requested.highest()?;
        let above = class(vector) > class(self.processor_priority());
        (self.is_enabled() && above).then_some(vector)
    }

    /// The vCPU takes the [pending](Apic::pending) interrupt: it is in service
    /// from now on, and its vector is returned. If nothing is pending, that is
    /// the spurious vector, which is not in service (SDM vol. 3, 11.9).
    pub fn acknowledge(&mut self) -> u8 {
        let Some(vector) = self.pending() else {
            return self.spurious as u8;
        };
        self.requested.clear(vector);
        self.in_service.set(vector);
        vector
    }

    /// The higher of the task's priority and that of the interrupt in service
    /// (SDM vol. 3, 11.8.3.1).
    fn processor_priority(&self) -> u8 {
        let in_service = self.in_service.highest().unwrap_or(0);
        if class(self.task_priority) >= class(in_service) {
            self.task_priority
        } else {
            class(in_service)
        }
    }

    fn end_of_interrupt(&mut self) {
        if let Some(vector) = self.in_service.highest() {
            self.in_service.clear(vector);
        }
    }

    /// Switching the APIC off masks its local vectors, and switching it on does
    /// not unmask them (SDM vol. 3, 11.4.7.2).
    fn write_spurious(&mut self, value: u32) {
        self.spurious = value & (SOFTWARE_ENABLE | 0xff);
        if !self.is_enabled() {
            self.timer.mask();
        }
    }

    fn is_enabled(&self) -> bool {
        self.spurious & SOFTWARE_ENABLE != 0
    }
}

/// The priority class of a vector or a priority: its upper four bits.
const fn class(priority: u8) -> u8 {
    priority & 0xf0
}

#[cfg(test)]
mod tests;
