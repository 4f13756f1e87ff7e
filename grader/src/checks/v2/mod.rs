//! What is asked of version 2.

mod before;
mod endings;
mod exceptions;
mod exercises;
mod idle;
mod ticks;

use super::on_kvm::{OnKvm, TRAPS, VIRTUAL_CPU};
use super::{Check, Course};

/// Version 2's exercises and checks.
pub const COURSE: Course = Course {
    exercises: exercises::EXERCISES,
    checks: CHECKS,
};

const CHECKS: &[Check] = &[
    Check {
        name: "handler-is-reached",
        points: 8,
        tests: "the first exception goes to the address that its gate in the guest's table names",
        exercises: &["v2-E1", "v2-E3"],
        on_kvm: OnKvm::Skipped(VIRTUAL_CPU),
        run: exceptions::handler_is_reached,
    },
    Check {
        name: "exceptions-tell-what-happened",
        points: 15,
        tests: "a handler finds vector, error code, CR2, the flags and the way back, through either kind of gate",
        exercises: &["v2-E1", "v2-E2", "v2-E3", "v2-E5"],
        on_kvm: OnKvm::Skipped(VIRTUAL_CPU),
        run: exceptions::exceptions_tell_what_happened,
    },
    Check {
        name: "ticks-are-delivered",
        points: 15,
        tests: "every tick of the guest's timer reaches its handler once, and the code it interrupts keeps its registers and flags",
        exercises: &["v2-E3", "v2-E4", "v2-E5"],
        on_kvm: OnKvm::Made,
        run: ticks::ticks_are_delivered,
    },
    Check {
        name: "closed-means-closed",
        points: 10,
        tests: "no interrupt is injected while the guest has interrupts closed, or in the shadow of sti",
        exercises: &["v2-E2", "v2-E3", "v2-E4"],
        on_kvm: OnKvm::Skipped(TRAPS),
        run: ticks::closed_means_closed,
    },
    Check {
        name: "masked-tick-is-not-lost",
        points: 15,
        tests: "a tick that comes due while interrupts are closed is delivered right behind the shadow of sti, and once",
        exercises: &["v2-E2", "v2-E4"],
        on_kvm: OnKvm::Made,
        run: ticks::masked_tick_is_not_lost,
    },
    Check {
        name: "storm-makes-progress",
        points: 4,
        tests: "a timer that is faster than its handler neither hangs the VMM nor piles up ticks",
        exercises: &["v2-E4", "v2-E5"],
        on_kvm: OnKvm::Made,
        run: ticks::storm_makes_progress,
    },
    Check {
        name: "idle-sleeps-until-the-tick",
        points: 10,
        tests: "a guest that halts with interrupts open costs nothing until its timer is due, and then wakes",
        exercises: &["v2-E2", "v2-E7"],
        on_kvm: OnKvm::SLEEPS,
        run: idle::idle_sleeps_until_the_tick,
    },
    Check {
        name: "dead-halt-is-recognised",
        points: 5,
        tests: "a guest that halts with interrupts closed, or with no timer that could ring, never wakes, and ends as halted",
        exercises: &["v2-E7"],
        on_kvm: OnKvm::Made,
        run: idle::dead_halt_is_recognised,
    },
    Check {
        name: "faults-on-the-way-are-delivered",
        points: 7,
        tests: "an event whose gate is missing becomes #NP, and if that has no gate either, a double fault",
        exercises: &["v2-E1", "v2-E6"],
        on_kvm: OnKvm::Skipped(VIRTUAL_CPU),
        run: endings::faults_on_the_way_are_delivered,
    },
    Check {
        name: "broken-tables-shut-down",
        points: 6,
        tests: "a guest whose tables or stack are beyond help ends in a triple fault, by the way the manual prescribes",
        exercises: &["v2-E6"],
        on_kvm: OnKvm::Skipped(VIRTUAL_CPU),
        run: endings::broken_tables_shut_down,
    },
    Check {
        name: "version-1-still-runs",
        points: 5,
        tests: "guests that know nothing of interrupts run as before, and their exceptions now end in a triple fault",
        exercises: &["v2-E6", "v2-E7"],
        on_kvm: OnKvm::Made,
        run: before::version_1_still_runs,
    },
];

/// A guest of version 2's catalogue.
///
/// # Panics
/// If there is none of that name: a mistake in a check.
fn guest(name: &str) -> &'static guests::catalogue::Guest {
    guests::v2::guest(name).unwrap_or_else(|| panic!("the catalogue has no guest '{name}'"))
}

/// Ticks of a host timer that does not ring while a guest runs.
const NEVER: u64 = 1 << 40;
