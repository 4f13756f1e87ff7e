//! Four kernels to measure the speed of an engine with.
//!
//! Each is one position-independent function, so the same bytes run as a guest
//! ([`Kernel::guest`]) on any engine, and natively from an executable buffer:
//!
//! ```text
//! extern "sysv64" fn(rounds: u64, scratch: *mut u8) -> u64
//! ```
//!
//! `scratch` is at least [`SCRATCH_SIZE`] bytes of memory, aligned to 16, with
//! any content; the result is a checksum of all that was computed. A kernel
//! calls nobody, makes no port access and uses the stack as the ABI allows. It
//! follows the ABI in its registers: RBX, RBP and R12 to R15 are kept, DF is 0.
//!
//! One round is 12 to 16 million instructions (the table has the numbers, as
//! counted by QEMU), all of the plain integer ISA.
//!
//! | kernel | instructions a round | what it stresses |
//! | --- | --- | --- |
//! | `sieve` | 15.2 million | byte stores with growing strides over 1 MiB, short loops |
//! | `crc` | 12.6 million, and 0.9 once | dependent loads from a table, one byte at a time |
//! | `recursion` | 14.1 million | call, return, push, pop |
//! | `mix` | 12.8 million | multiplication, division, shifts, rotates, loads and stores |

mod crc;
mod mix;
mod recursion;
mod sieve;

use crate::asm::Asm;
use crate::catalogue::Expected;
use crate::image::Image;
use crate::{console, program, x64};

/// Bytes of memory that a kernel may use.
pub const SCRATCH_SIZE: usize = 1 << 20;

/// A kernel.
#[derive(Debug, Clone, Copy)]
pub struct Kernel {
    /// What it is called.
    pub name: &'static str,
    emit: fn(&mut Asm),
    checksum: fn(rounds: u64) -> u64,
}

/// All kernels.
pub static KERNELS: [Kernel; 4] = [sieve::KERNEL, crc::KERNEL, recursion::KERNEL, mix::KERNEL];

/// The kernel of this name.
pub fn kernel(name: &str) -> Option<&'static Kernel> {
    KERNELS.iter().find(|kernel| kernel.name == name)
}

impl Kernel {
    /// The function's bytes, the entry being the first. They run at any address.
    pub fn code(&self) -> Vec<u8> {
        let mut asm = Asm::new();
        (self.emit)(&mut asm);
        let mut image = asm.finish().expect("kernels refer to no other code");
        assert_eq!(image.segments.len(), 1, "kernels have no data of their own");
        image.segments.swap_remove(0).bytes
    }

    /// A guest that calls the kernel with these rounds, prints the checksum and
    /// exits with 0. The kernel's bytes in it are those of [`Kernel::code`].
    pub fn guest(&self, rounds: u64) -> Image {
        program::build(|asm| {
            asm.zeroed("scratch", 4096, SCRATCH_SIZE);
            x64!(asm
                ; mov rdi, QWORD rounds as i64
                ; lea rsi, [->scratch]
                ; call ->kernel
                ; mov rbx, rax
            );
            console::text(asm, &format!("{}: {rounds} rounds: ", self.name));
            x64!(asm ; mov rax, rbx);
            console::hexadecimal(asm, 16);
            console::text(asm, "\n");
            program::exit(asm, 0);
            x64!(asm ; .align 16 ; ->kernel:);
            (self.emit)(asm);
        })
    }

    /// What the kernel returns, by a model in Rust.
    pub fn checksum(&self, rounds: u64) -> u64 {
        (self.checksum)(rounds)
    }

    /// What the guest prints and how it ends.
    pub fn expected(&self, rounds: u64) -> Expected {
        let checksum = self.checksum(rounds);
        let name = self.name;
        Expected::exit(format!("{name}: {rounds} rounds: {checksum:#018x}\n"), 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_guest_holds_the_same_bytes_as_the_kernel() {
        for kernel in &KERNELS {
            let image = kernel.guest(1);
            let code = &image.segments[0];
            let start = image.symbol("kernel").unwrap().address - code.address;
            let code = &code.bytes[start as usize..];
            assert!(code.starts_with(&kernel.code()), "{}", kernel.name);
        }
    }

    #[test]
    fn more_rounds_give_another_checksum() {
        for kernel in &KERNELS {
            assert_ne!(kernel.checksum(1), kernel.checksum(2), "{}", kernel.name);
        }
    }
}
