//! `ticks`: a kernel that counts timer ticks while it works.
//!
//! Its work is to hold known values in registers and flags for a while, and to
//! look whether they are still there: a tick may strike between any two
//! instructions, and nobody but its handler may notice. In between it changes
//! two counters that must always be equal, one after the other. That takes a
//! *critical section*: it closes interrupts (`cli`), changes both, and opens
//! them again (`sti`). The handler looks whether it ever sees the two unequal.
//!
//! A tick that comes due in a critical section is not lost: it waits for `sti`.

use crate::asm::Asm;
use crate::catalogue::{Expected, Guest};
use crate::image::Image;
use crate::kernel::apic::{self, TICK, TIMER_VECTOR, Timer};
use crate::kernel::interrupts::{self, FULL_LIMIT, Gate};
use crate::random::Random;
use crate::{console, kernel, program, x64};

/// The catalogue's entry.
pub(super) const GUEST: Guest = Guest {
    name: "ticks",
    about: "counts timer ticks while it works, with critical sections that no tick may break",
    vcpus: 1,
    build,
    expected,
};

/// Every so many ticks there is a line on the console.
const LINE_EVERY: i32 = 10;
/// How often the loops turn in which a tick may strike: with two or three
/// instructions each, a tick comes every few rounds.
const TURNS: i32 = 1000;
/// How many sets of values there are for the registers.
const SETS: u64 = 4;
/// Numbers of the registers that are given values: all but RAX, RCX and RSP,
/// which the work itself needs.
const HELD: [u8; 13] = [2, 3, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15];
/// The flags that `lahf` and `sahf` move, as bits of AH: SF, ZF, AF, PF, CF;
/// bit 1 is always 1.
const FLAGS: u64 = 0xd5;
const ALWAYS_SET: u64 = 2;

fn ticks(seed: u64) -> i32 {
    Random::new(seed).between(40, 80) as i32
}

fn build(seed: u64) -> Image {
    kernel::build(|asm| {
        let tick = asm.new_label();
        for counter in ["ticks", "critical", "broken", "left", "right"] {
            asm.words(counter, &[0]);
        }
        interrupts::gate(asm, TIMER_VECTOR, Gate::Interrupt, tick);
        interrupts::load(asm, FULL_LIMIT);
        apic::enable(asm, Timer::Periodic, TICK);
        apic::start_timer(asm);
        x64!(asm ; sti);
        work(asm, seed);
        report(asm);
        interrupts::handler(asm, "tick", tick, TIMER_VECTOR, |asm| on_tick(asm, seed));
        report_loss(asm);
    })
}

/// Works until all ticks were counted.
fn work(asm: &mut Asm, seed: u64) {
    let mut random = Random::new(!seed);
    x64!(asm ; ->round:);
    for set in 0..SETS {
        let values = HELD.map(|register| (register, random.next()));
        let flags = (random.next() & FLAGS | ALWAYS_SET) as u8;
        hold(asm, &values, flags, set % 2 == 0);
        critical_section(asm);
    }
    x64!(asm
        ; cmp DWORD [->ticks], ticks(seed)
        ; jb ->round
    );
}

/// Fills registers and flags, lets time pass, and looks whether all is as it
/// was. `overflow` is the flag OF, which `sahf` does not set.
fn hold(asm: &mut Asm, values: &[(u8, u64)], flags: u8, overflow: bool) {
    for &(register, value) in values {
        x64!(asm ; mov Rq(register), QWORD value as i64);
    }
    x64!(asm
        ; mov ecx, TURNS
        ; mov al, i8::from(overflow)
        ; add al, i8::MAX               // 127 + 1 overflows, 127 + 0 does not
        ; mov ah, flags as i8
        ; sahf
        ; turn:                         // this loop changes no flag
        ; lea rcx, [rcx - 1]
        ; jrcxz >over
        ; jmp <turn
        ; over:
        ; seto al
        ; lahf
        ; cmp ax, i16::from_le_bytes([overflow.into(), flags])
        ; jne ->lost
    );
    for &(register, value) in values {
        x64!(asm
            ; mov rcx, QWORD value as i64
            ; cmp rcx, Rq(register)
            ; jne ->lost
        );
    }
}

/// Changes both counters with interrupts closed.
fn critical_section(asm: &mut Asm) {
    x64!(asm
        ; cli
        ; inc DWORD [->critical]
        ; inc DWORD [->left]
        ; mov ecx, TURNS
        ; turn:
        ; dec ecx
        ; jnz <turn
        ; inc DWORD [->right]
        ; dec DWORD [->critical]
        ; sti
    );
}

/// Counts the tick and, if it should not have come here, that it did.
fn on_tick(asm: &mut Asm, seed: u64) {
    x64!(asm
        ; cmp DWORD [->ticks], ticks(seed)
        ; je ->tick_done                // one more that was already on its way
        ; cmp DWORD [->critical], 0
        ; jne >broken
        ; mov eax, [->left]
        ; cmp eax, [->right]
        ; je >count
        ; broken:
        ; inc DWORD [->broken]
        ; count:
        ; inc DWORD [->ticks]
        ; mov eax, [->ticks]
        ; xor edx, edx
        ; mov ecx, LINE_EVERY
        ; div ecx
        ; test edx, edx
        ; jnz >enough
    );
    console::text(asm, "ticks: tick ");
    x64!(asm ; mov eax, [->ticks]);
    console::decimal(asm);
    console::text(asm, "\n");
    x64!(asm
        ; enough:
        ; cmp DWORD [->ticks], ticks(seed)
        ; jb ->tick_done
    );
    apic::stop_timer(asm);
    x64!(asm ; ->tick_done:);
    apic::end_of_interrupt(asm);
}

/// Ends the guest.
fn report(asm: &mut Asm) {
    x64!(asm ; mov eax, [->ticks]);
    console::decimal(asm);
    console::text(asm, " ticks, ");
    x64!(asm ; mov eax, [->broken]);
    console::decimal(asm);
    console::text(asm, SUMMARY);
    program::exit(asm, 0);
}

const SUMMARY: &str = " of them in critical sections; registers and flags kept\n";

/// `lost`: says that a register or flag has changed, and ends the guest.
fn report_loss(asm: &mut Asm) {
    x64!(asm ; ->lost: ; cli);
    console::text(asm, "ticks: a register or flag was lost\n");
    program::exit(asm, 1);
}

fn expected(seed: u64) -> Expected {
    let ticks = ticks(seed);
    let mut console = String::new();
    for tick in (LINE_EVERY..=ticks).step_by(LINE_EVERY as usize) {
        console += &format!("ticks: tick {tick}\n");
    }
    console += &format!("{ticks} ticks, 0{SUMMARY}");
    Expected::exit(console, 0)
}
