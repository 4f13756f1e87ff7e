//! What is asked of version 1.

mod endings;
mod entering;
mod exercises;
mod ports;
mod timer;
mod truth;

use super::on_kvm::{OnKvm, TRAPS, VIRTUAL_CPU};
use super::{Check, Course};

/// Version 1's exercises and checks.
pub const COURSE: Course = Course {
    exercises: exercises::EXERCISES,
    checks: CHECKS,
};

const CHECKS: &[Check] = &[
    Check {
        name: "context-is-prepared",
        points: 10,
        tests: "the guest finds its CPU as the boot protocol promises, and nothing of what others left there",
        exercises: &["v1-E1"],
        on_kvm: OnKvm::Skipped(VIRTUAL_CPU),
        run: entering::context_is_prepared,
    },
    Check {
        name: "guest-gets-the-cpu",
        points: 5,
        tests: "the guest runs from its entry up to the first instruction that needs somebody",
        exercises: &["v1-E2", "v1-E3"],
        on_kvm: OnKvm::Skipped(VIRTUAL_CPU),
        run: entering::guest_gets_the_cpu,
    },
    Check {
        name: "kick-stops-once",
        points: 5,
        tests: "a kick ends the run at once, and the guest can be run on afterwards",
        exercises: &["v1-E2"],
        on_kvm: OnKvm::Skipped(TRAPS),
        run: entering::kick_stops_once,
    },
    Check {
        name: "console-is-right",
        points: 15,
        tests: "a guest that computes prints its results and ends with success",
        exercises: &["v1-E2", "v1-E4"],
        on_kvm: OnKvm::Made,
        run: ports::console_is_right,
    },
    Check {
        name: "ports-in-all-widths",
        points: 15,
        tests: "each form of in and out moves as many bits as it names, to and from the right port",
        exercises: &["v1-E4"],
        on_kvm: OnKvm::Made,
        run: ports::ports_in_all_widths,
    },
    Check {
        name: "timer-loses-nothing",
        points: 15,
        tests: "the host gets its CPU back on time, thousands of times, and the guest does not notice",
        exercises: &["v1-E3", "v1-E4"],
        on_kvm: OnKvm::Made,
        run: timer::timer_loses_nothing,
    },
    Check {
        name: "runaway-guests-are-stopped",
        points: 10,
        tests: "a guest that never ends by itself is stopped when its time is over",
        exercises: &["v1-E3", "v1-E4"],
        on_kvm: OnKvm::Made,
        run: timer::runaway_guests_are_stopped,
    },
    Check {
        name: "fresh-guests",
        points: 10,
        tests: "guests that nobody has seen before do what their model says, under any tick",
        exercises: &["v1-E3", "v1-E4"],
        on_kvm: OnKvm::Made,
        run: ports::fresh_guests,
    },
    Check {
        name: "halt-is-no-success",
        points: 5,
        tests: "a guest that halts for ever ends as halted, which is not a success",
        exercises: &["v1-E5"],
        on_kvm: OnKvm::Made,
        run: endings::halt_is_no_success,
    },
    Check {
        name: "unsupported-is-refused",
        points: 10,
        tests: "a guest that does what this version cannot do dies of exactly that, and the VMM lives",
        exercises: &["v1-E6"],
        on_kvm: OnKvm::Skipped(VIRTUAL_CPU),
        run: endings::unsupported_is_refused,
    },
];

/// A guest of version 1's catalogue.
///
/// # Panics
/// If there is none of that name: a mistake in a check.
fn guest(name: &str) -> &'static guests::catalogue::Guest {
    guests::v1::guest(name).unwrap_or_else(|| panic!("the catalogue has no guest '{name}'"))
}

/// Ticks of a timer that does not ring while a guest runs.
const NEVER: u64 = 1 << 40;
