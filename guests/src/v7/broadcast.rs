//! `broadcast`: every way to address an interrupt, and exact counts.
//!
//! One vCPU sends interrupts with several vectors: to itself, to all, to all
//! but itself, to single vCPUs by number, and to number 255, which means all.
//! The others sleep. Every vCPU counts what arrives, by vector, and at the end
//! each count must be exact: nothing is lost, nothing comes twice or to the
//! wrong one.
//!
//! An APIC keeps one bit for each vector, so two requests of a vector can merge
//! into one before they are taken. That is no mistake of the machine. So the
//! sender goes in *rounds*: in each it sends different vectors, and then waits
//! until all of them were counted.

use crate::asm::Asm;
use crate::catalogue::{Expected, Guest};
use crate::image::Image;
use crate::kernel::apic::{self, Target};
use crate::kernel::interrupts::{self, Gate, frame};
use crate::kernel::smp;
use crate::random::Random;
use crate::{console, program, x64};

const VCPUS: u8 = 4;
/// What may be sent: vectors of three priority classes, two of them equal.
const VECTORS: [u8; 4] = [0x31, 0x52, 0x53, 0xe4];
/// The vector that ends the game.
const OVER: u8 = 0xf0;
/// The physical destination that means every APIC.
const EVERYBODY: u8 = 0xff;

/// The catalogue's entry.
pub(super) const GUEST: Guest = Guest {
    name: "broadcast",
    about: "sends interrupts to one, to all, to the others and to itself, and counts them all",
    vcpus: VCPUS,
    build,
    expected,
};

/// One interrupt that is sent.
struct Shot {
    vector: u8,
    target: Target,
    /// The destination, which counts only for [`Target::Number`].
    number: u8,
    /// Whether it is the last of its round.
    ends_round: bool,
}

impl Shot {
    /// Whether it reaches `vcpu` if `sender` sends it.
    fn reaches(&self, sender: u8, vcpu: u8) -> bool {
        match self.target {
            Target::Number => self.number == vcpu || self.number == EVERYBODY,
            Target::Myself => sender == vcpu,
            Target::All => true,
            Target::Others => sender != vcpu,
        }
    }
}

/// Who sends, and what.
fn plan(seed: u64) -> (u8, Vec<Shot>) {
    let mut random = Random::new(seed);
    let sender = random.between(0, VCPUS.into()) as u8;
    let rounds = random.between(12, 24);
    let mut shots = Vec::new();
    for _ in 0..rounds {
        let first = random.between(0, 4) as usize;
        let count = random.between(1, 5) as usize;
        shots.extend((0..count).map(|index| Shot {
            vector: VECTORS[(first + index) % VECTORS.len()],
            target: [
                Target::Number,
                Target::Myself,
                Target::All,
                Target::Others,
                Target::Number,
            ][random.between(0, 5) as usize],
            number: match random.between(0, 5) as u8 {
                number if number < VCPUS => number,
                _ => EVERYBODY,
            },
            ends_round: index + 1 == count,
        }));
    }
    shots.push(Shot {
        vector: OVER,
        target: Target::All,
        number: 0,
        ends_round: true,
    });
    (sender, shots)
}

/// A shot in the guest's table: the command, the destination, and how many
/// interrupts must have been counted before the sender goes on.
const SHOT_WORDS: i32 = 3;

/// The table of shots. The first shots of a round need not wait.
fn table(sender: u8, shots: &[Shot]) -> Vec<u64> {
    let mut reached = 0;
    let mut entry = |shot: &Shot| {
        let reaches = |vcpu: &u8| shot.reaches(sender, *vcpu);
        reached += (0..VCPUS).filter(reaches).count() as u64;
        let wait = if shot.ends_round { reached } else { 0 };
        let command = apic::command(shot.target, shot.vector);
        [command.into(), shot.number.into(), wait]
    };
    shots.iter().flat_map(&mut entry).collect()
}

fn build(seed: u64) -> Image {
    let (sender, shots) = plan(seed);
    smp::build_kernel(VCPUS, |asm| {
        let vectors = VECTORS.into_iter().chain([OVER]);
        let handlers: Vec<_> = vectors.map(|vector| (vector, asm.new_label())).collect();
        for &(vector, label) in &handlers {
            interrupts::gate(asm, vector, Gate::Interrupt, label);
        }
        asm.words("shots", &table(sender, &shots));
        asm.words("received", &[0]);
        asm.zeroed("counts", 16, 8 * 256 * usize::from(VCPUS));
        smp::gather(asm);
        x64!(asm ; cmp r15d, i32::from(sender) ; je ->send);
        sleep_until_over(asm);
        x64!(asm ; ->send:);
        send_all(asm, shots.len() as i32);
        x64!(asm ; ->over:);
        smp::in_turn(asm, report);
        smp::leave_to_first(asm);
        program::exit(asm, 0);
        for (vector, label) in handlers {
            let name = format!("vector_{vector:#x}");
            interrupts::handler(asm, &name, label, vector, count);
        }
    })
}

/// The receivers sleep until they have counted [`OVER`]. It has the highest
/// priority, so another vector could still be on its way; but the sender sends
/// it when nothing else is.
fn sleep_until_over(asm: &mut Asm) {
    load_counts(asm);
    x64!(asm
        ; mov rbx, rdi
        ; look:
        ; cli
        ; cmp QWORD [rbx + 8 * i32::from(OVER)], 0
        ; jne ->over
        ; sti
        ; hlt
        ; jmp <look
    );
}

/// The sender goes through the table. It never sleeps; its own interrupts come
/// while it waits. They are closed while it writes the two halves of a command.
fn send_all(asm: &mut Asm, shots: i32) {
    x64!(asm
        ; lea rbx, [->shots]
        ; mov r12d, shots
        ; shot:
        ; cli
        ; mov eax, [rbx]
        ; mov edx, [rbx + 8]
    );
    apic::send_command(asm);
    x64!(asm
        ; sti
        ; wait:
        ; mov rax, [->received]
        ; cmp rax, [rbx + 16]
        ; jae >enough
        ; pause
        ; jmp <wait
        ; enough:
        ; add rbx, 8 * SHOT_WORDS
        ; dec r12d
        ; jnz <shot
        ; cli
    );
}

/// Counts an interrupt: for this vCPU by vector, and in the sum of all.
fn count(asm: &mut Asm) {
    load_counts(asm);
    x64!(asm
        ; mov rax, [rbp + frame::VECTOR]
        ; inc QWORD [rdi + 8 * rax]
    );
    apic::end_of_interrupt(asm);
    x64!(asm ; lock inc QWORD [->received]);
}

/// Loads the address of this vCPU's 256 counts into RDI.
fn load_counts(asm: &mut Asm) {
    x64!(asm
        ; mov rdi, r15
        ; shl rdi, 8 + 3
        ; lea rax, [->counts]
        ; add rdi, rax
    );
}

/// Prints the counts of this vCPU.
fn report(asm: &mut Asm) {
    smp::introduce(asm, "broadcast");
    console::text(asm, " counted");
    load_counts(asm);
    x64!(asm ; mov rbx, rdi);
    for vector in VECTORS {
        console::text(asm, &format!(" {vector:#x}: "));
        x64!(asm ; mov rax, [rbx + 8 * i32::from(vector)]);
        console::decimal(asm);
    }
    console::text(asm, "\n");
}

fn expected(seed: u64) -> Expected {
    let (sender, shots) = plan(seed);
    let line = |vcpu| {
        let count = |vector| {
            let shots = shots.iter().filter(|shot| shot.vector == vector);
            shots.filter(|shot| shot.reaches(sender, vcpu)).count()
        };
        let counts = VECTORS.map(|vector| format!(" {vector:#x}: {}", count(vector)));
        format!("broadcast: vCPU {vcpu} counted{}\n", counts.concat())
    };
    Expected::exit((0..VCPUS).map(line).collect(), 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_round_sends_a_vector_twice() {
        for seed in 0..100 {
            let mut sent = Vec::new();
            for shot in plan(seed).1 {
                assert!(!sent.contains(&shot.vector), "seed {seed}");
                sent.push(shot.vector);
                if shot.ends_round {
                    sent.clear();
                }
            }
        }
    }

    #[test]
    fn every_way_to_address_is_tried_with_every_seed() {
        for seed in 0..20 {
            let (_, shots) = plan(seed);
            for target in [Target::Number, Target::Myself, Target::All, Target::Others] {
                let tried = shots.iter().any(|shot| shot.target == target);
                assert!(tried, "seed {seed}: {target:?}");
            }
        }
    }
}
