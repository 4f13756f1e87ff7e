//! Device accesses in words.

use super::{Device, DeviceAccess};
use crate::devices::apic::register;
use crate::{Size, bus};
use std::fmt::{Display, Formatter, Result};

impl Display for DeviceAccess {
    /// Device and register, an arrow in the direction of the data, and the
    /// value: as a character if the console prints it.
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        match self.device {
            Device::Serial => write!(f, "serial {}", serial_register(self))?,
            Device::ExitPort => f.write_str("exit port")?,
            Device::Apic => match apic_register(self.address) {
                Some(name) => write!(f, "apic {name}")?,
                None => write!(f, "apic +{:#05x}", self.address.wrapping_sub(bus::APIC))?,
            },
            Device::YieldPort => f.write_str("yield port")?,
            Device::Nobody => write!(f, "nobody at {:#x}", self.address)?,
        }
        f.write_str(if self.write { " <- " } else { " -> " })?;
        let is_data = self.device == Device::Serial && self.address == u64::from(bus::COM1);
        if is_data && self.size == Size::Byte {
            write!(f, "'{}'", std::ascii::escape_default(self.value as u8))
        } else {
            write!(f, "{:#x}", self.value)
        }
    }
}

/// The 16550's register, as long as the divisor latch is closed.
fn serial_register(access: &DeviceAccess) -> &'static str {
    match access.address.wrapping_sub(u64::from(bus::COM1)) {
        0 => "data",
        1 => "interrupt enable",
        2 if access.write => "fifo control",
        2 => "interrupt id",
        3 => "line control",
        4 => "modem control",
        5 => "line status",
        6 => "modem status",
        7 => "scratch",
        _ => "and below",
    }
}

fn apic_register(address: u64) -> Option<&'static str> {
    Some(match u16::try_from(address.checked_sub(bus::APIC)?).ok()? {
        register::ID => "id",
        register::VERSION => "version",
        register::TASK_PRIORITY => "task priority",
        register::PROCESSOR_PRIORITY => "processor priority",
        register::EOI => "eoi",
        register::SPURIOUS => "spurious vector",
        register::COMMAND => "command",
        register::COMMAND_HIGH => "command destination",
        register::TIMER => "timer vector",
        register::INITIAL_COUNT => "initial count",
        register::CURRENT_COUNT => "current count",
        register::DIVIDE => "divide",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_console_byte_is_shown_as_its_character() {
        let shown = [b'H', b'\n', 0xe9].map(|byte| {
            let access = DeviceAccess {
                device: Device::Serial,
                address: 0x3f8,
                size: Size::Byte,
                write: true,
                value: u64::from(byte),
            };
            access.to_string()
        });
        let expected = ["'H'", r"'\n'", r"'\xe9'"].map(|text| format!("serial data <- {text}"));
        assert_eq!(shown, expected);
    }

    #[test]
    fn a_wide_write_to_the_console_is_shown_as_its_number() {
        let access = DeviceAccess {
            device: Device::Serial,
            address: 0x3f8,
            size: Size::Word,
            write: true,
            value: 0x0f48,
        };
        assert_eq!(access.to_string(), "serial data <- 0xf48");
    }

    #[test]
    fn a_register_is_shown_by_its_name_and_an_unknown_one_by_its_offset() {
        let shown = [0xfee0_0390, 0xfee0_0280].map(|address| {
            let access = DeviceAccess {
                device: Device::Apic,
                address,
                size: Size::Dword,
                write: false,
                value: 7,
            };
            access.to_string()
        });
        assert_eq!(shown, ["apic current count -> 0x7", "apic +0x280 -> 0x7"]);
    }
}
