//! What guest kernels are built of: pieces of assembly, one to a file, that a
//! guest puts together as it needs them.
//!
//! - [`interrupts`] sets up the table of handlers, and saves and restores the
//!   registers around each handler.
//! - [`apic`] drives the local APIC and its timer.
//! - [`segments`], [`paging`] and [`user`] are for kernels with user code: its
//!   segments, its memory, the ways into it and back.
//! - [`smp`] is for kernels on several vCPUs.
//! - [`user_text`] is what user code says.
//!
//! Like all functions here, they emit instructions at the place where they are
//! called. What they emit changes RAX, RCX, RDX, RSI, RDI and the flags unless
//! they say otherwise.

pub mod apic;
pub mod interrupts;
pub mod paging;
pub mod segments;
pub mod smp;
pub mod user;
pub mod user_text;

use crate::asm::Asm;
use crate::image::Image;
use crate::program;

/// Builds a guest with a handler table. `body` writes its code, of which the
/// first instruction is the entry point.
///
/// # Panics
///
/// If the text does not assemble.
pub fn build(body: impl FnOnce(&mut Asm)) -> Image {
    program::build(|asm| {
        body(asm);
        interrupts::library(asm);
    })
}
