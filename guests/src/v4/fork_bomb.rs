//! `fork-bomb`: a thread that makes threads that make threads.
//!
//! The table has an end, and the kernel refuses politely. When every thread has
//! been refused, they all end. Nothing of this concerns the hypervisor: to it the
//! bomb is one guest that computes, with one timer that ticks.

use crate::asm::Asm;
use crate::catalogue::Expected;
use crate::image::Image;
use crate::kernel::user_text::UserText;
use crate::random::Random;
use crate::v4::kernel::{self, Kernel, TRY_AGAIN};
use crate::v4::{CAPACITY, Guest, Threads};
use crate::{console, x64};

/// The catalogue's entry.
pub(super) const GUEST: Guest = Guest {
    name: "fork-bomb",
    about: "makes threads that make threads, until the kernel has no room for more",
    build,
    expected,
};

/// Where in the shared page it is counted how many threads have been refused.
const REFUSED: i32 = 0;

fn limit(seed: u64) -> i32 {
    Random::new(seed).between(6, CAPACITY as u64 + 1) as i32
}

fn build(threads: &Threads, seed: u64) -> Image {
    let kernel = Kernel {
        threads,
        ticks: true,
        limit: limit(seed),
    };
    kernel.build(|asm, text| user(asm, text, limit(seed)), over)
}

/// The first thread says what it is, and then is as all others.
fn user(asm: &mut Asm, text: &mut UserText, limit: i32) {
    let bomb = asm.new_label();
    text.print(asm, BEGIN);
    x64!(asm ; ->bomb: ; =>bomb);
    kernel::create(asm, bomb, 0);
    x64!(asm
        ; cmp rax, TRY_AGAIN
        ; jne =>bomb
        ; inc DWORD [->user_memory + REFUSED as isize]
    );
    kernel::await_turn(asm, REFUSED, limit);
    kernel::exit(asm);
}

const BEGIN: &str = "fork-bomb: here it comes\n";

/// The kernel's last words.
fn over(asm: &mut Asm) {
    console::text(asm, "kernel: ");
    x64!(asm ; mov eax, [->created]);
    console::decimal(asm);
    console::text(asm, CREATED);
    x64!(asm ; mov eax, [->refused]);
    console::decimal(asm);
    console::text(asm, REFUSALS);
}

const CREATED: &str = " threads, ";
const REFUSALS: &str = " refused, none is left\n";

fn expected(seed: u64) -> Expected {
    let limit = limit(seed);
    let end = format!("kernel: {limit}{CREATED}{limit}{REFUSALS}");
    Expected::exit(format!("{BEGIN}{end}"), 0)
}
