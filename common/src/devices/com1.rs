//! COM1, the console: a 16550 UART.

use crate::bus;
use std::convert::Infallible;
use std::io::Write;
use vm_superio::serial::NoEvents;
use vm_superio::{Serial, Trigger};

/// COM1. What the guest sends goes to the console at once; it never receives.
pub(crate) struct Com1(Serial<NoInterrupt, NoEvents, Box<dyn Write + Send>>);

/// On a PC COM1 would raise IRQ 4 at the interrupt controller, and this machine
/// has none: a guest polls the line status, which always says "ready".
struct NoInterrupt;

impl Trigger for NoInterrupt {
    type E = Infallible;

    fn trigger(&self) -> Result<(), Infallible> {
        Ok(())
    }
}

impl Com1 {
    pub(crate) fn new(console: Box<dyn Write + Send>) -> Com1 {
        Com1(Serial::new(NoInterrupt, console))
    }

    /// Which of the eight registers `port` is, if it is one.
    pub(crate) fn offset(port: u16) -> Option<u8> {
        port.checked_sub(bus::COM1)
            .filter(|offset| *offset < 8)
            .map(|offset| offset as u8)
    }

    pub(crate) fn read(&mut self, offset: u8) -> u8 {
        self.0.read(offset)
    }

    pub(crate) fn write(&mut self, offset: u8, value: u8) {
        // The only error is the console's, and that is not the guest's fault:
        // a UART does not notice whether anybody reads what it sends.
        let _lost_byte = self.0.write(offset, value);
    }
}
