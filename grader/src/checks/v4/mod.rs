//! What is asked of version 4. The student's code is a part of the guest here;
//! the VMM is version 3's.

mod exercises;
mod fork_bomb;
mod switching;

use super::on_kvm::{OnKvm, TRAPS};
use super::{Check, Course};

/// Version 4's exercises and checks.
pub const COURSE: Course = Course {
    exercises: exercises::EXERCISES,
    checks: CHECKS,
};

const CHECKS: &[Check] = &[
    Check {
        name: "threads-cooperate",
        points: 20,
        tests: "threads that yield to each other share a sum, report in turn, and end one by one",
        exercises: &["v4-E1", "v4-E2"],
        on_kvm: OnKvm::Made,
        run: switching::threads_cooperate,
    },
    Check {
        name: "registers-survive-a-switch",
        points: 20,
        tests: "threads that ticks take the CPU from find every register and flag as they left it",
        exercises: &["v4-E1"],
        on_kvm: OnKvm::Made,
        run: switching::registers_survive_a_switch,
    },
    Check {
        name: "nobody-starves",
        points: 15,
        tests: "at every tick the next thread of the table has its turn: nobody waits for more ticks than there are threads",
        exercises: &["v4-E2"],
        on_kvm: OnKvm::Skipped(TRAPS),
        run: switching::nobody_starves,
    },
    Check {
        name: "sleepers-wake-in-order",
        points: 15,
        tests: "a sleeping thread does not run before its tick, and then does",
        exercises: &["v4-E2"],
        on_kvm: OnKvm::Made,
        run: switching::sleepers_wake_in_order,
    },
    Check {
        name: "nobody-ready-means-sleep",
        points: 10,
        tests: "while every thread sleeps the guest halts, and the VMM has nothing to do",
        exercises: &["v4-E2"],
        on_kvm: OnKvm::Made,
        run: switching::nobody_ready_means_sleep,
    },
    Check {
        name: "fork-bomb-stays-inside",
        points: 20,
        tests: "a fork bomb fills the guest's own table, and the VMM's work for each tick stays what it was",
        exercises: &["v4-E1", "v4-E2"],
        on_kvm: OnKvm::Made,
        run: fork_bomb::stays_inside,
    },
];

/// A guest of version 4's catalogue.
///
/// # Panics
/// If there is none of that name: a mistake in a check.
fn guest(name: &str) -> &'static guests::v4::Guest {
    guests::v4::guest(name).unwrap_or_else(|| panic!("the catalogue has no guest '{name}'"))
}

/// Ticks of a host timer that does not ring while a guest runs.
const NEVER: u64 = 1 << 40;

/// The guest's own ticks: short, so that there are many.
const TICK: u32 = 3_001;

/// The end of a run that gets nowhere: ten times what a right one needs.
const LIMIT: u64 = 20_000_000;
