//! `sleeper`: sleeps long, wakes for a moment, and sleeps again.
//!
//! It hardly needs a CPU, but it must be woken when its time has come, however
//! busy the others are; and while everybody sleeps, time must go on.

use crate::asm::Asm;
use crate::catalogue::{Expected, Guest};
use crate::image::Image;
use crate::kernel::apic::{self, TIMER_VECTOR, Timer};
use crate::kernel::interrupts::{self, FULL_LIMIT, Gate};
use crate::random::Random;
use crate::{console, kernel, program, x64};

/// The catalogue's entry.
pub(super) const GUEST: Guest = Guest {
    name: "sleeper",
    about: "sleeps long with a one-shot timer, a few times, and says how often it was woken",
    vcpus: 1,
    build,
    expected,
};

/// How often it sleeps, and how many ticks of time each sleep is long.
fn parameters(seed: u64) -> (i32, u32) {
    let mut random = Random::new(seed);
    let naps = random.between(3, 8) as i32;
    (naps, random.between(500_000, 1_000_000) as u32)
}

fn build(seed: u64) -> Image {
    let (naps, length) = parameters(seed);
    kernel::build(|asm| {
        let tick = asm.new_label();
        asm.words("woken", &[0]);
        interrupts::gate(asm, TIMER_VECTOR, Gate::Interrupt, tick);
        interrupts::load(asm, FULL_LIMIT);
        console::text(asm, BEGIN);
        apic::enable(asm, Timer::OneShot, length);
        x64!(asm ; xor ebx, ebx);
        nap(asm);
        x64!(asm ; cmp ebx, naps ; jb ->nap);
        console::text(asm, "sleeper: woken ");
        x64!(asm ; mov eax, [->woken]);
        console::decimal(asm);
        console::text(asm, END);
        program::exit(asm, 0);
        interrupts::handler(asm, "tick", tick, TIMER_VECTOR, |asm| {
            x64!(asm ; inc DWORD [->woken]);
            apic::end_of_interrupt(asm);
        });
    })
}

const BEGIN: &str = "sleeper: good night\n";
const END: &str = " times\n";

/// Sleeps once more; EBX counts.
fn nap(asm: &mut Asm) {
    x64!(asm ; ->nap: ; inc ebx);
    apic::start_timer(asm);
    x64!(asm
        ; asleep:
        ; sti
        ; hlt
        ; cli
        ; cmp [->woken], ebx
        ; jb <asleep
    );
}

fn expected(seed: u64) -> Expected {
    let (naps, _) = parameters(seed);
    Expected::exit(format!("{BEGIN}sleeper: woken {naps}{END}"), 0)
}
