//! Guests that show how a machine with several vCPUs ends: `stopper` by one
//! vCPU's word, `last-one-out` when nobody is left, `all-asleep` when nobody is
//! left to wake anybody, `dying` by one vCPU's death.

use crate::asm::Asm;
use crate::catalogue::{Ending, Expected, Guest, SURVIVED};
use crate::image::Image;
use crate::kernel::apic::{self, Target};
use crate::kernel::interrupts::vector::NOT_PRESENT;
use crate::kernel::smp;
use crate::random::Random;
use crate::{console, program, x64};

const VCPUS: u8 = 4;

/// The catalogue's entries.
pub(super) const GUESTS: [Guest; 4] = [
    Guest {
        name: "stopper",
        about: "ends the machine from its last vCPU while the others sleep, compute and wait",
        vcpus: VCPUS,
        build: build_stopper,
        expected: expected_stopper,
    },
    Guest {
        name: "last-one-out",
        about: "halts one vCPU after the other with interrupts closed, until none is left",
        vcpus: VCPUS,
        build: build_last_one_out,
        expected: expected_last_one_out,
    },
    Guest {
        name: "all-asleep",
        about: "puts one vCPU after the other to sleep, until none is left to wake another",
        vcpus: VCPUS,
        build: build_all_asleep,
        expected: expected_all_asleep,
    },
    Guest {
        name: "dying",
        about: "dies of a triple fault on one vCPU while the others live",
        vcpus: VCPUS,
        build: build_dying,
        expected: expected_dying,
    },
];

/// What the vCPUs do that do not end the machine: one sleeps, with interrupts
/// open although none will come; one computes; one waits for something that
/// never happens. R14 says which. None of them comes back.
fn live_on(asm: &mut Asm) {
    x64!(asm
        ; cmp r14d, 1
        ; je >compute
        ; cmp r14d, 2
        ; je >wait
        ; sleep:
        ; sti
        ; hlt
        ; jmp <sleep
        ; compute:
        ; lea rax, [rax + 2 * rax + 1]
        ; jmp <compute
        ; wait:
        ; pause
        ; jmp <wait
    );
}

/// A vCPU that ends the machine lets the others get to their places first, for
/// so many turns of a loop. (Nothing depends on it but what the end looks like.)
fn let_them_live(asm: &mut Asm, turns: u64) {
    x64!(asm
        ; mov ecx, turns as i32
        ; turn:
        ; dec ecx
        ; jnz <turn
    );
}

/// The exit code of `stopper`, and how long it lets the others live.
fn stop(seed: u64) -> (u8, u64) {
    let mut random = Random::new(seed);
    (random.between(1, 100) as u8, random.between(1_000, 20_000))
}

fn build_stopper(seed: u64) -> Image {
    let (code, turns) = stop(seed);
    smp::build_kernel(VCPUS, |asm| {
        smp::in_turn(asm, |asm| {
            smp::introduce(asm, "stopper");
            console::text(asm, " is here\n");
        });
        x64!(asm
            ; mov r14, r15
            ; cmp r15d, i32::from(VCPUS - 1)
            ; je ->stop
        );
        live_on(asm);
        x64!(asm ; ->stop:);
        let_them_live(asm, turns);
        console::text(asm, STOPPED);
        program::exit(asm, code);
    })
}

const STOPPED: &str = "stopper: and now it is over for all\n";

fn expected_stopper(seed: u64) -> Expected {
    let line = |vcpu| format!("stopper: vCPU {vcpu} is here\n");
    let console = (0..VCPUS).map(line).collect::<String>() + STOPPED;
    Expected::exit(console, stop(seed).0.into())
}

/// The order in which the vCPUs leave: the turn of each.
fn turns(seed: u64) -> [u64; VCPUS as usize] {
    let mut random = Random::new(seed);
    let mut turns = std::array::from_fn(|vcpu| vcpu as u64);
    for last in (1..turns.len()).rev() {
        turns.swap(last, random.between(0, last as u64 + 1) as usize);
    }
    turns
}

/// The vCPUs in the order of their turns.
fn in_order(seed: u64) -> Vec<usize> {
    let turns = turns(seed);
    let mut order: Vec<usize> = (0..turns.len()).collect();
    order.sort_by_key(|vcpu| turns[*vcpu]);
    order
}

fn build_last_one_out(seed: u64) -> Image {
    smp::build_kernel(VCPUS, |asm| {
        asm.words("turns", &turns(seed));
        x64!(asm ; lea rax, [->turns] ; mov rax, [rax + 8 * r15]);
        smp::await_turn(asm);
        smp::introduce(asm, "last-one-out");
        console::text(asm, " leaves\n");
        smp::end_turn(asm);
        smp::halt_for_ever(asm);
    })
}

fn expected_last_one_out(seed: u64) -> Expected {
    let line = |vcpu: &usize| format!("last-one-out: vCPU {vcpu} leaves\n");
    Expected {
        console: in_order(seed)
            .iter()
            .map(line)
            .collect::<String>()
            .into_bytes(),
        ending: Ending::Halt,
    }
}

/// For each turn whether who has it then sleeps with interrupts open. The last
/// two differ: one can be woken by nothing, the other only by the one before.
fn sleeps_open(seed: u64) -> [bool; VCPUS as usize] {
    let last = seed.is_multiple_of(2);
    [true, false, !last, last]
}

/// As [`build_last_one_out`], but some sleep with interrupts open, and could be
/// woken if somebody were awake to do so. The last one sends an interrupt to the
/// one of turn 1, who has them closed for ever.
fn build_all_asleep(seed: u64) -> Image {
    let turns = turns(seed);
    let closed = in_order(seed)[1] as i32;
    let open = turns.map(|turn| u64::from(sleeps_open(seed)[turn as usize]));
    smp::build_kernel(VCPUS, |asm| {
        asm.words("turns", &turns);
        asm.words("open", &open);
        x64!(asm ; lea rax, [->turns] ; mov rax, [rax + 8 * r15]);
        smp::await_turn(asm);
        smp::introduce(asm, "all-asleep");
        console::text(asm, FALLS_ASLEEP);
        x64!(asm
            ; cmp DWORD [->turn], i32::from(VCPUS - 1)
            ; jne >not_last
            ; mov eax, closed
        );
        apic::send(asm, Target::Number, IN_VAIN);
        x64!(asm ; not_last:);
        smp::end_turn(asm);
        x64!(asm
            ; lea rax, [->open]
            ; cmp QWORD [rax + 8 * r15], 0
            ; jne >sleep
        );
        smp::halt_for_ever(asm);
        x64!(asm
            ; sleep:
            ; sti
            ; hlt
            ; jmp <sleep
        );
    })
}

/// The vector of an interrupt that nobody takes.
const IN_VAIN: u8 = 0x40;

const FALLS_ASLEEP: &str = " falls asleep\n";

fn expected_all_asleep(seed: u64) -> Expected {
    let line = |vcpu: &usize| format!("all-asleep: vCPU {vcpu}{FALLS_ASLEEP}");
    Expected {
        console: in_order(seed)
            .iter()
            .map(line)
            .collect::<String>()
            .into_bytes(),
        ending: Ending::Halt,
    }
}

/// Which vCPU dies, and how long it lets the others live.
fn death(seed: u64) -> (u8, u64) {
    let mut random = Random::new(seed);
    let vcpu = random.between(0, VCPUS.into()) as u8;
    (vcpu, random.between(1_000, 20_000))
}

fn build_dying(seed: u64) -> Image {
    let (vcpu, turns) = death(seed);
    smp::build_kernel(VCPUS, |asm| {
        smp::gather(asm);
        x64!(asm
            ; lea r14, [r15 - i32::from(vcpu)]
            ; and r14d, i32::from(VCPUS - 1)
            ; jz ->die
        );
        live_on(asm);
        x64!(asm ; ->die:);
        let_them_live(asm, turns);
        smp::introduce(asm, "dying");
        console::text(asm, ABOUT_TO_DIE);
        x64!(asm ; ->deed: ; ud2);
        console::text(asm, "dying: still alive\n");
        program::exit(asm, SURVIVED);
    })
}

const ABOUT_TO_DIE: &str = " is about to do it\n";

/// No gate for #UD, none for #NP, none for #DF.
fn expected_dying(seed: u64) -> Expected {
    let (vcpu, _) = death(seed);
    Expected {
        console: format!("dying: vCPU {vcpu}{ABOUT_TO_DIE}").into_bytes(),
        ending: Ending::TripleFault([NOT_PRESENT; 3]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_turn_is_somebody_s() {
        for seed in 0..50 {
            let mut turns = turns(seed);
            turns.sort();
            assert_eq!(turns, [0, 1, 2, 3]);
        }
    }

    #[test]
    fn some_seeds_let_another_vcpu_than_the_last_be_the_last_one_out() {
        assert!((0..20).any(|seed| turns(seed)[3] != 3));
    }
}
