//! `contended` and its variants: what a preempted lock holder costs.
//!
//! All vCPUs take one spin lock again and again. On a machine whose vCPUs all
//! run, the wait is as long as a critical section or a few. But a hypervisor
//! may take the physical CPU away from the vCPU that holds the lock, and then
//! all others wait until it runs again, which is the *lock-holder preemption*
//! problem (Uhlig and others, 2004). The guest measures it: how long each
//! acquisition had to wait, by `rdtsc`.
//!
//! | guest | the lock | while it waits |
//! | --- | --- | --- |
//! | `contended`, `contended-pair` | test and test-and-set | it spins |
//! | `contended-ticket` | first come, first served | it spins; if the *next in line* is not running, nobody gets the lock |
//! | `contended-yield` | test and test-and-set | it tells the hypervisor whom it waits for |
//!
//! The console says only what is the same in every run. What was measured
//! stands in memory, in variables that only the holder of the lock changes:
//!
//! - `lock_acquired` (u64): how often the lock was taken
//! - `lock_wait_total`, `lock_wait_max` (u64): waiting time, in `rdtsc` ticks
//! - `lock_waits` (64 of u64): bucket `k` counts the waits `w` with
//!   2^k <= w < 2^(k+1); the first counts w = 0 too
//! - `lock_owner` (u32): the number of the holder, all ones if there is none

use crate::asm::Asm;
use crate::catalogue::{Expected, Guest};
use crate::image::Image;
use crate::kernel::smp;
use crate::program::YIELD_PORT;
use crate::random::Random;
use crate::{console, program, x64};

/// The catalogue's entries.
pub(super) const GUESTS: [Guest; 4] = [
    Guest {
        name: "contended",
        about: "measures how long four vCPUs wait for one spin lock",
        vcpus: 4,
        build: |seed| build("contended", 4, Lock::Spin, seed),
        expected: |seed| expected("contended", 4, seed),
    },
    Guest {
        name: "contended-pair",
        about: "measures how long two vCPUs wait for one spin lock",
        vcpus: 2,
        build: |seed| build("contended-pair", 2, Lock::Spin, seed),
        expected: |seed| expected("contended-pair", 2, seed),
    },
    Guest {
        name: "contended-ticket",
        about: "measures how long four vCPUs wait for a lock that is first come, first served",
        vcpus: 4,
        build: |seed| build("contended-ticket", 4, Lock::Ticket, seed),
        expected: |seed| expected("contended-ticket", 4, seed),
    },
    Guest {
        name: "contended-yield",
        about: "measures how long four vCPUs wait for a spin lock if they yield to its holder",
        vcpus: 4,
        build: |seed| build("contended-yield", 4, Lock::Yield, seed),
        expected: |seed| expected("contended-yield", 4, seed),
    },
];

/// How the lock is taken.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Lock {
    Spin,
    Ticket,
    Yield,
}

/// After how many pauses a waiter yields.
const PATIENCE: i32 = 64;
/// Buckets of `lock_waits`.
const BUCKETS: usize = 64;
/// `lock_owner` when there is none.
const NOBODY: i32 = -1;

/// What the seed decides. A turn of a loop is two instructions.
struct Parameters {
    /// How often each vCPU takes the lock.
    acquisitions: i32,
    /// Turns that the holder spends with the lock.
    inside: i32,
    /// Turns that vCPU 0 spends without it; the others do a few more.
    outside: i32,
}

impl Parameters {
    fn new(seed: u64) -> Self {
        let mut random = Random::new(seed);
        Self {
            acquisitions: random.between(380, 420) as i32,
            inside: random.between(80, 110) as i32,
            outside: random.between(120, 160) as i32,
        }
    }
}

fn build(name: &str, vcpus: u8, lock: Lock, seed: u64) -> Image {
    let parameters = Parameters::new(seed);
    smp::build_kernel(vcpus, |asm| {
        place_data(asm);
        x64!(asm ; mov r14d, parameters.acquisitions ; xor r13d, r13d);
        smp::gather(asm);
        x64!(asm ; ->round: ; call ->acquire);
        critical_section(asm, &parameters);
        x64!(asm
            ; call ->release
            ; inc r13                   // R13: how often I had the lock
            ; imul ecx, r15d, 8
            ; add ecx, parameters.outside
            ; turn:
            ; dec ecx
            ; jnz <turn
            ; dec r14d
            ; jnz ->round
        );
        report(asm, name);
        acquire(asm, lock);
        release(asm, lock);
    })
}

fn place_data(asm: &mut Asm) {
    for variable in ["lock_word", "next_ticket", "now_serving", "guarded"] {
        asm.words(variable, &[0]);
    }
    for statistic in ["lock_acquired", "lock_wait_total", "lock_wait_max"] {
        asm.words(statistic, &[0]);
    }
    asm.words("lock_waits", &[0; BUCKETS]);
    asm.data("lock_owner", 16, NOBODY.to_le_bytes());
}

/// Adds 1 to a counter, slowly: between load and store nobody else may.
fn critical_section(asm: &mut Asm, parameters: &Parameters) {
    x64!(asm
        ; ->critical_section:
        ; mov rbx, [->guarded]
        ; mov ecx, parameters.inside
        ; turn:
        ; dec ecx
        ; jnz <turn
        ; inc rbx
        ; mov [->guarded], rbx
    );
}

/// `acquire`: takes the lock and notes how long that took. R8 is the time
/// before.
fn acquire(asm: &mut Asm, lock: Lock) {
    x64!(asm ; ->acquire:);
    read_time(asm);
    x64!(asm ; mov r8, rax);
    match lock {
        Lock::Spin => wait_spinning(asm),
        Lock::Ticket => wait_in_line(asm),
        Lock::Yield => wait_yielding(asm),
    }
    read_time(asm);
    x64!(asm
        ; mov [->lock_owner], r15d
        ; sub rax, r8
        ; inc QWORD [->lock_acquired]
        ; add [->lock_wait_total], rax
        ; cmp [->lock_wait_max], rax
        ; jae >no_record
        ; mov [->lock_wait_max], rax
        ; no_record:
        ; or rax, 1                     // the bucket of 0 is that of 1
        ; bsr rcx, rax
        ; lea rdx, [->lock_waits]
        ; inc QWORD [rdx + 8 * rcx]
        ; ret
    );
}

/// Reads the time stamp counter into RAX. Changes RDX.
fn read_time(asm: &mut Asm) {
    x64!(asm
        ; rdtsc
        ; shl rdx, 32
        ; or rax, rdx
    );
}

fn wait_spinning(asm: &mut Asm) {
    x64!(asm ; lea rdi, [->lock_word]);
    smp::lock(asm);
}

/// Takes a ticket and waits until it is served.
fn wait_in_line(asm: &mut Asm) {
    x64!(asm
        ; mov eax, 1
        ; lock xadd [->next_ticket], eax
        ; ->wait:
        ; cmp [->now_serving], eax
        ; je >mine
        ; pause
        ; jmp ->wait
        ; mine:
    );
}

/// As [`wait_spinning`], but whoever has waited too long names the holder at
/// [`YIELD_PORT`]. There may be none at that moment: then it tries again.
fn wait_yielding(asm: &mut Asm) {
    x64!(asm
        ; try_it:
        ; mov eax, 1
        ; xchg [->lock_word], eax
        ; test eax, eax
        ; jz >mine
        ; mov ecx, PATIENCE
        ; ->wait:
        ; pause
        ; cmp DWORD [->lock_word], 0
        ; je <try_it
        ; dec ecx
        ; jnz ->wait
        ; mov eax, [->lock_owner]
        ; cmp eax, NOBODY
        ; je <try_it
        ; out YIELD_PORT as i8, al
        ; jmp <try_it
        ; mine:
    );
}

/// `release`: gives the lock back.
fn release(asm: &mut Asm, lock: Lock) {
    x64!(asm ; ->release: ; mov DWORD [->lock_owner], NOBODY);
    if lock == Lock::Ticket {
        x64!(asm ; inc DWORD [->now_serving]);
    } else {
        x64!(asm ; mov DWORD [->lock_word], 0);
    }
    x64!(asm ; ret);
}

/// Each vCPU says how often it had the lock; vCPU 0 ends the guest.
fn report(asm: &mut Asm, name: &str) {
    smp::in_turn(asm, |asm| {
        smp::introduce(asm, name);
        console::text(asm, " had the lock ");
        x64!(asm ; mov rax, r13);
        console::decimal(asm);
        console::text(asm, " times\n");
    });
    smp::leave_to_first(asm);
    console::text(asm, &format!("{name}: the guarded counter says "));
    x64!(asm ; mov rax, [->guarded]);
    console::decimal(asm);
    console::text(asm, "\n");
    program::exit(asm, 0);
}

fn expected(name: &str, vcpus: u8, seed: u64) -> Expected {
    let Parameters { acquisitions, .. } = Parameters::new(seed);
    let line = |vcpu| format!("{name}: vCPU {vcpu} had the lock {acquisitions} times\n");
    let all = i32::from(vcpus) * acquisitions;
    let mut console: String = (0..vcpus).map(line).collect();
    console += &format!("{name}: the guarded counter says {all}\n");
    Expected::exit(console, 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_measured_can_be_found_by_its_symbol() {
        let sizes = [
            ("lock_acquired", 8),
            ("lock_wait_total", 8),
            ("lock_wait_max", 8),
            ("lock_waits", 8 * BUCKETS as u64),
            ("lock_owner", 4),
        ];
        for guest in GUESTS {
            let image = guest.build(1);
            for (name, size) in sizes {
                let symbol = image.symbol(name).expect(name);
                assert!(symbol.size >= size, "{}: {name}", guest.name);
            }
        }
    }
}
