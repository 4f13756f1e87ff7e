//! An access to a device that KVM reports as a whole, in the pieces in which the
//! software CPU would show it.
//!
//! KVM reads ahead: `rep insb` of five bytes is one exit of five. And an access
//! outside RAM that crosses a page may be three bytes long. Here each item of a
//! string is an exit of its own, and so is each power of two.

use super::run_page::{MemoryAccess, PortAccess, RunPage};
use common::{Exit, Mmio, MmioOperation, Size};
use kvm_bindings::KVM_EXIT_IO_OUT;

/// What is left of an access.
pub struct Access {
    target: Target,
    is_write: bool,
    /// Where the next piece's data are in the shared page.
    at: usize,
    /// Bytes that are left.
    rest: usize,
}

#[derive(Clone, Copy)]
enum Target {
    Port { port: u16, size: Size },
    Memory { gpa: u64 },
}

/// Where the answer to a read goes in the shared page.
#[derive(Clone, Copy)]
pub struct Answer {
    pub at: usize,
    pub size: Size,
}

impl Access {
    /// An access to a port; `None` if its width is none that x86 has.
    pub fn to_port(io: PortAccess) -> Option<Access> {
        let size = Size::from_bytes(io.size.into())?;
        Some(Access {
            target: Target::Port {
                port: io.port,
                size,
            },
            is_write: u32::from(io.direction) == KVM_EXIT_IO_OUT,
            at: io.data_offset as usize,
            rest: usize::from(io.size) * io.count as usize,
        })
    }

    /// An access outside RAM, whose data are at `at`.
    pub fn to_memory(mmio: MemoryAccess, at: usize) -> Access {
        Access {
            target: Target::Memory { gpa: mmio.gpa },
            is_write: mmio.is_write,
            at,
            rest: mmio.length,
        }
    }

    /// Whether every piece has been told.
    pub fn is_over(&self) -> bool {
        self.rest == 0
    }

    /// The next piece; `None` if there is none.
    pub fn next(&mut self, page: &RunPage) -> Option<(Exit, Option<Answer>)> {
        if self.is_over() {
            return None;
        }
        let (at, is_write) = (self.at, self.is_write);
        let (exit, size) = match &mut self.target {
            Target::Port { port, size } => (port_exit(*port, *size, is_write, page, at), *size),
            Target::Memory { gpa } => {
                let size = widest(self.rest);
                let exit = memory_exit(*gpa, size, is_write, page, at);
                *gpa = gpa.wrapping_add(size.bytes());
                (exit, size)
            }
        };
        self.at += size.bytes() as usize;
        self.rest -= size.bytes() as usize;
        Some((exit, (!is_write).then_some(Answer { at, size })))
    }
}

fn port_exit(port: u16, size: Size, is_write: bool, page: &RunPage, at: usize) -> Exit {
    if is_write {
        let value = page.load(at, size) as u32;
        Exit::PortOut { port, size, value }
    } else {
        Exit::PortIn { port, size }
    }
}

fn memory_exit(gpa: u64, size: Size, is_write: bool, page: &RunPage, at: usize) -> Exit {
    let operation = if is_write {
        MmioOperation::Write(page.load(at, size))
    } else {
        MmioOperation::Read
    };
    Exit::Mmio(Mmio {
        gpa,
        size,
        operation,
    })
}

/// The widest access of at most so many bytes, which are not 0.
fn widest(bytes: usize) -> Size {
    let fits = |size: &&Size| size.bytes() as usize <= bytes;
    *Size::ALL.iter().rev().find(fits).unwrap_or(&Size::Byte)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_odd_number_of_bytes_begins_with_the_widest_piece() {
        let sizes = [1, 2, 3, 4, 5, 7, 8].map(widest);
        let [byte, word, dword, qword] = Size::ALL;
        assert_eq!(sizes, [byte, word, word, dword, dword, dword, qword]);
    }
}
