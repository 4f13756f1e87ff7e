//! The guest workloads: x86-64 assembly text inside Rust functions, assembled
//! into ELF64 images.
//!
//! A guest is what runs *in* the virtual machine. This crate makes guests and
//! says, by a model in plain Rust, what each must print and how it must end;
//! it never runs one, and it knows nothing of hypervisors.
//!
//! - [`v1`] is the catalogue of version 1's guests: name, purpose, builder, model.
//!   [`v2`], [`v3`], [`v4`], [`v5`] and [`v7`] are those of later versions.
//!   (Version 6 runs version 5's on several CPUs.)
//! - [`mod@bench`] has four kernels to measure the speed of an engine with.
//! - [`pvh`] wraps an image so that QEMU boots it: the proof that the machine
//!   described here is a PC and not an invention.
//! - [`asm`], [`program`] and [`console`] are what guests are written with, and
//!   [`kernel`] what those that handle interrupts are built of; [`image`] is what
//!   comes out.
//!
//! # The machine a guest finds
//!
//! At its first instruction a guest is in 64-bit long mode at CPL 0. The first
//! 4 GiB are mapped one to one by 1 GiB pages. The GDT is flat, with Linux's
//! selectors: CS 0x10; DS, ES and SS 0x18. RSP is the top of a stack of 16 KiB
//! in low memory, RDI is the number of the vCPU, and all other general
//! registers are 0. Interrupts are off and there is no IDT: an exception ends
//! the machine. CR0.WP and EFER.NXE are set.
//!
//! A machine may have several vCPUs. All start at the same time, at the same
//! place and in the same state, but for their numbers and stacks.
//!
//! The machine has 16 MiB of memory, a 16550 serial port (COM1) at ports 0x3f8
//! to 0x3ff, and an exit port at 0xf4: the value written is the guest's exit
//! code, 0 for success. Ports that no device claims read as all ones.
//!
//! # What a guest does not do
//!
//! Guest kernels use no `popf`, `pushf`, `sgdt`, `mov r, cs` or `int n`, no
//! SSE but plain moves, no BMI and no `popcnt`: the first group because x86
//! does not let a hypervisor trap it, the second because some hypervisors
//! cannot emulate it. Version 1's guests keep to the user ISA with `in`, `out`
//! and `hlt`; those for several vCPUs add `pause`, `rdtsc` and `lock`. A guest
//! that exists to break these rules says so.
//!
//! Everything a guest does follows from its seed, and so does its image:
//! equal seeds give equal bytes, and no answer can be known beforehand.

pub mod asm;
pub mod bench;
pub mod catalogue;
pub mod console;
mod elf;
pub mod image;
pub mod kernel;
pub mod program;
pub mod pvh;
pub mod random;
mod registers;
pub mod v1;
pub mod v2;
pub mod v3;
pub mod v4;
pub mod v5;
pub mod v7;
