//! The bus: carries the guest's accesses to the devices.
//!
//! ```text
//!  port  0x00f4           the exit port: the value written ends the machine
//!  port  0x00e0           the yield port: the guest gives its turn away
//!  port  0x03f8..=0x03ff  COM1
//!  gpa   0xfee0_0000      the local APIC of the vCPU that asks, one page
//! ```
//!
//! Where nobody is, reads give all ones and writes vanish, as on a PC. No
//! access fails, so the guest can do nothing here that would hurt the VMM.
//! Every access is recorded, once, as the guest made it.

use crate::devices::{Apic, Com1, Ipi};
use crate::trace::{Device, DeviceAccess, Event, Recorder};
use crate::{Size, Time};
use std::io::Write;

/// The port that ends the machine, where tests under QEMU usually put its
/// `isa-debug-exit` device. It takes accesses of any width that begin at it.
pub const EXIT_PORT: u16 = 0xf4;
/// The port by which a guest that knows of its VMM gives the rest of its turn
/// away: it writes the number of the vCPU that it waits for. On a PC nobody is
/// there, and the write vanishes. The monitor of version 7 knows it.
pub const YIELD_PORT: u16 = 0xe0;
/// The first port of COM1.
pub const COM1: u16 = 0x3f8;
/// The guest-physical address of the local APIC's page.
pub const APIC: u64 = 0xfee0_0000;

/// The devices that all vCPUs of a machine share.
pub struct Bus {
    com1: Com1,
}

impl Bus {
    /// A bus whose serial port writes to `console`.
    ///
    /// If `console` fails, the byte is lost and the guest goes on. Nor does the
    /// bus limit how much a guest prints: the console decides what it keeps.
    pub fn new(console: Box<dyn Write + Send>) -> Bus {
        Bus {
            com1: Com1::new(console),
        }
    }

    /// The guest reads a port: gives the value for
    /// [`Vcpu::complete`](crate::Vcpu::complete).
    pub fn read_port(&mut self, recorder: &mut Recorder, now: Time, port: u16, size: Size) -> u64 {
        let value = bytes_at(port, size)
            .rev()
            .map(|port| self.read_byte(port))
            .fold(0, |value, byte| value << 8 | u64::from(byte));
        let access = DeviceAccess {
            device: self.device_at(port, size),
            address: u64::from(port),
            size,
            write: false,
            value,
        };
        recorder.record(now, Event::Device(access));
        value
    }

    /// The guest writes `value` to a port. If that ends the machine, gives the
    /// guest's exit code.
    pub fn write_port(
        &mut self,
        recorder: &mut Recorder,
        now: Time,
        port: u16,
        size: Size,
        value: u32,
    ) -> Option<u32> {
        let value = size.truncate(u64::from(value)) as u32;
        let access = DeviceAccess {
            device: self.device_at(port, size),
            address: u64::from(port),
            size,
            write: true,
            value: u64::from(value),
        };
        recorder.record(now, Event::Device(access));
        if port == EXIT_PORT {
            return Some(value);
        }
        for (port, byte) in bytes_at(port, size).zip(value.to_le_bytes()) {
            if let Some(offset) = Com1::offset(port) {
                self.com1.write(offset, byte);
            }
        }
        None
    }

    fn read_byte(&mut self, port: u16) -> u8 {
        match Com1::offset(port) {
            Some(offset) => self.com1.read(offset),
            None => 0xff,
        }
    }

    fn device_at(&self, port: u16, size: Size) -> Device {
        if port == EXIT_PORT {
            Device::ExitPort
        } else if port == YIELD_PORT {
            Device::YieldPort
        } else if bytes_at(port, size).any(|port| Com1::offset(port).is_some()) {
            Device::Serial
        } else {
            Device::Nobody
        }
    }
}

/// The ports that an access touches, one for each byte: our devices are a byte
/// wide, and the bus of a PC splits what is wider. After the last port comes
/// port 0.
fn bytes_at(port: u16, size: Size) -> impl DoubleEndedIterator<Item = u16> {
    (0..size.bytes() as u16).map(move |byte| port.wrapping_add(byte))
}

/// The guest reads memory where there is no RAM: gives the value for
/// [`Vcpu::complete`](crate::Vcpu::complete). `apic` is the one of the vCPU
/// that reads.
pub fn read_memory(
    apic: &mut Apic,
    recorder: &mut Recorder,
    now: Time,
    gpa: u64,
    size: Size,
) -> u64 {
    let answer = apic_register(gpa, size).map(|offset| u64::from(apic.read(now, offset)));
    let value = answer.unwrap_or(size.mask());
    let access = DeviceAccess {
        device: device_behind(answer.is_some()),
        address: gpa,
        size,
        write: false,
        value,
    };
    recorder.record(now, Event::Device(access));
    value
}

/// The guest writes `value` to memory where there is no RAM. If that sends an
/// interrupt to other vCPUs, gives it: the monitor delivers it.
pub fn write_memory(
    apic: &mut Apic,
    recorder: &mut Recorder,
    now: Time,
    gpa: u64,
    size: Size,
    value: u64,
) -> Option<Ipi> {
    let value = size.truncate(value);
    let register = apic_register(gpa, size);
    let access = DeviceAccess {
        device: device_behind(register.is_some()),
        address: gpa,
        size,
        write: true,
        value,
    };
    recorder.record(now, Event::Device(access));
    apic.write(now, register?, value as u32)
}

fn device_behind(apic_answers: bool) -> Device {
    if apic_answers {
        Device::Apic
    } else {
        Device::Nobody
    }
}

/// The offset of the APIC's register that an access means, if it is one. The
/// registers are accessed as aligned dwords, and in no other way (SDM vol. 3,
/// 11.4.1).
fn apic_register(gpa: u64, size: Size) -> Option<u16> {
    let offset = gpa.checked_sub(APIC)?;
    let good = offset < crate::PAGE_SIZE && offset.is_multiple_of(16) && size == Size::Dword;
    good.then_some(offset as u16)
}

#[cfg(test)]
mod tests;
