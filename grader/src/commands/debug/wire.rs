//! The connection to gdb.

use crate::interrupt;
use gdbstub::conn::Connection;
use std::io::{self, BufWriter, ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

/// How often it is looked for Ctrl-C while gdb says nothing.
const GLANCE: Duration = Duration::from_millis(100);

/// Bytes from gdb, and packets to it.
pub(super) struct Wire {
    stream: TcpStream,
    out: BufWriter<TcpStream>,
}

/// What comes from gdb.
pub(super) enum Heard {
    /// A byte.
    Byte(u8),
    /// The end: gdb is gone.
    Nothing,
    /// Somebody pressed Ctrl-C here.
    Interrupted,
}

impl Wire {
    pub(super) fn new(stream: TcpStream) -> io::Result<Wire> {
        stream.set_nonblocking(false)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(GLANCE))?;
        let out = BufWriter::new(stream.try_clone()?);
        Ok(Wire { stream, out })
    }

    /// Waits for a byte.
    pub(super) fn hear(&mut self) -> Heard {
        let mut byte = [0];
        loop {
            if interrupt::check().is_err() {
                return Heard::Interrupted;
            }
            match self.stream.read(&mut byte) {
                Ok(0) => return Heard::Nothing,
                Ok(_) => return Heard::Byte(byte[0]),
                Err(error) if is_nothing(&error) => {}
                Err(_) => return Heard::Nothing,
            }
        }
    }

    /// Tells whether something has come, or gdb is gone, without waiting.
    pub(super) fn ear(&self) -> io::Result<impl FnMut() -> bool + 'static> {
        let stream = self.stream.try_clone()?;
        Ok(move || {
            let quiet = stream.set_nonblocking(true);
            let looked = stream.peek(&mut [0]);
            let restored = stream.set_nonblocking(false);
            let nothing = looked.is_err_and(|error| is_nothing(&error));
            quiet.is_err() || restored.is_err() || !nothing
        })
    }

    /// Has gdb show a text while it waits for the run to stop: the protocol's `O`.
    pub(super) fn say(&mut self, text: &str) -> io::Result<()> {
        // gdb takes packets of a bounded length.
        for part in text.as_bytes().chunks(1024) {
            let digits: String = part.iter().map(|byte| format!("{byte:02x}")).collect();
            let packet = format!("O{digits}");
            let sum = packet.bytes().fold(0, u8::wrapping_add);
            write!(self.out, "${packet}#{sum:02x}")?;
        }
        self.out.flush()
    }
}

fn is_nothing(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::WouldBlock | ErrorKind::TimedOut | ErrorKind::Interrupted
    )
}

impl Connection for Wire {
    type Error = io::Error;

    fn write(&mut self, byte: u8) -> io::Result<()> {
        self.out.write_all(&[byte])
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}
