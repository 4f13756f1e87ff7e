//! `masked`: a kernel that keeps interrupts closed for longer than a tick.
//!
//! With interrupts closed it watches the timer go through several periods. The
//! APIC remembers that a tick is due, in one bit: so when interrupts are opened
//! there is *one* tick, not several and not none. And it comes in the right
//! place: not before the instruction behind `sti`, which stands in its shadow,
//! and before the next one.
//!
//! What happens is written down as letters, in the order of events: `c` closed,
//! `p` a period is over, `s` the instruction in the shadow, `t` the tick, `o`
//! the code behind it. A tick that strikes anywhere else is an `l`: late.

use crate::asm::Asm;
use crate::catalogue::{Expected, Guest};
use crate::image::Image;
use crate::kernel::apic::{self, TICK, TIMER_VECTOR, Timer};
use crate::kernel::interrupts::{self, FULL_LIMIT, Gate, frame};
use crate::random::Random;
use crate::{console, kernel, program, x64};

/// The catalogue's entry.
pub(super) const GUEST: Guest = Guest {
    name: "masked",
    about: "keeps interrupts closed for several ticks and finds one waiting behind sti",
    vcpus: 1,
    build,
    expected,
};

/// For each round, how many periods pass with interrupts closed.
fn periods(seed: u64) -> Vec<i8> {
    let mut random = Random::new(seed);
    let rounds = random.between(3, 7);
    (0..rounds).map(|_| random.between(1, 6) as i8).collect()
}

fn build(seed: u64) -> Image {
    kernel::build(|asm| {
        let tick = asm.new_label();
        asm.zeroed("log", 16, 64);
        interrupts::gate(asm, TIMER_VECTOR, Gate::Interrupt, tick);
        interrupts::load(asm, FULL_LIMIT);
        // A tick must be long enough for QEMU to see each of its ends.
        apic::enable(asm, Timer::Periodic, 5 * TICK);
        for periods in periods(seed) {
            close_for(asm, periods);
            open(asm);
            print_log(asm);
        }
        program::exit(asm, 0);
        interrupts::handler(asm, "tick", tick, TIMER_VECTOR, on_tick);
        append_routine(asm);
    })
}

/// Starts the timer and lets it go through so many periods with interrupts
/// closed.
fn close_for(asm: &mut Asm, periods: i8) {
    x64!(asm
        ; cli
        ; mov al, b'c' as i8
        ; call ->append
    );
    apic::start_timer(asm);
    x64!(asm
        ; mov dl, periods
        ; mov esi, -1                   // ESI: the count when we last looked
        ; look:
    );
    apic::current_count(asm);
    x64!(asm
        ; cmp eax, esi
        ; mov esi, eax
        ; jbe <look                     // it falls until the next period begins
        ; mov al, b'p' as i8
        ; call ->append
        ; dec dl
        ; jnz <look
        ; not_requested:                // QEMU's timer rings a little after its count says so
    );
    apic::test_requested(asm, TIMER_VECTOR);
    x64!(asm ; jz <not_requested);
    apic::stop_timer(asm);
}

/// Opens interrupts. The right place for the tick is at the label `behind`. By
/// then the instruction in the shadow has written its letter.
fn open(asm: &mut Asm) {
    let behind = asm.new_label();
    x64!(asm
        ; mov al, 0
        ; call ->append                 // RDI: where the next letter goes
        ; lea rax, [=>behind]
        ; mov [->behind], rax
        ; sti
        ; mov BYTE [rdi], b's' as i8
        ; =>behind
        ; mov al, b'o' as i8
        ; call ->append
        ; cli
    );
}

/// Writes down the tick, and whether it struck in the right place.
fn on_tick(asm: &mut Asm) {
    x64!(asm
        ; mov al, b't' as i8
        ; mov rcx, [rbp + frame::RIP]
        ; cmp rcx, [->behind]
        ; je >in_place
        ; mov al, b'l' as i8
        ; in_place:
        ; call ->append
    );
    apic::end_of_interrupt(asm);
}

/// Emits the routine `append`: writes the letter in AL behind the last one of
/// the log, at RDI. It changes nothing else.
fn append_routine(asm: &mut Asm) {
    asm.words("behind", &[0]);
    x64!(asm
        ; ->append:
        ; lea rdi, [->log]
        ; look:
        ; cmp BYTE [rdi], 0
        ; je >end
        ; inc rdi
        ; jmp <look
        ; end:
        ; mov [rdi], al
        ; ret
    );
}

/// Prints the letters and clears them.
fn print_log(asm: &mut Asm) {
    console::text(asm, "masked: ");
    x64!(asm
        ; mov al, 0
        ; call ->append                 // RDI: the end
        ; lea rsi, [->log]
        ; mov rcx, rdi
        ; sub rcx, rsi
        ; call ->console_text
        ; clear:                        // RSI is now the end
        ; dec rsi
        ; mov BYTE [rsi], 0
        ; lea rax, [->log]
        ; cmp rsi, rax
        ; ja <clear
    );
    console::text(asm, "\n");
}

fn expected(seed: u64) -> Expected {
    let line = |periods: i8| format!("masked: c{}sto\n", "p".repeat(periods as usize));
    Expected::exit(periods(seed).into_iter().map(line).collect(), 0)
}
