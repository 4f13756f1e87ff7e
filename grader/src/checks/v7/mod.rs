//! What is asked of version 7.

mod endings;
mod exercises;
mod fairness;
mod interrupts;
mod sharing;
mod spinning;
mod threads;
mod together;

use super::on_kvm::{CONTEXT, ORDERS, OnKvm, PAUSES, TIME};
use super::{Bench, Check, Course, HostRun, Problem};
use crate::host_order::{HostOrder, VmOrder};
use evidence::host::Outcome;

/// Version 7's exercises and checks.
pub const COURSE: Course = Course {
    exercises: exercises::EXERCISES,
    checks: CHECKS,
};

const CHECKS: &[Check] = &[
    Check {
        name: "vcpus-share-one-machine",
        points: 10,
        tests: "vCPUs of one VM share its memory and its devices, on one physical CPU and on several",
        exercises: &["v7-E1"],
        on_kvm: OnKvm::SLEEPS,
        run: sharing::vcpus_share_one_machine,
    },
    Check {
        name: "every-vcpu-keeps-its-own",
        points: 6,
        tests: "each vCPU finds its registers as it left them, wherever it runs next",
        exercises: &["v7-E1"],
        on_kvm: OnKvm::Skipped(CONTEXT),
        run: sharing::every_vcpu_keeps_its_own,
    },
    Check {
        name: "no-wake-is-lost",
        points: 12,
        tests: "two vCPUs that only wake each other go on to the end",
        exercises: &["v7-E1", "v7-E2"],
        on_kvm: OnKvm::Skipped(ORDERS),
        run: interrupts::no_wake_is_lost,
    },
    Check {
        name: "interrupts-reach-their-targets",
        points: 9,
        tests: "an interrupt to one, to all, to all others and to oneself reaches each of them, once, and nobody else",
        exercises: &["v7-E2"],
        on_kvm: OnKvm::SLEEPS,
        run: interrupts::interrupts_reach_their_targets,
    },
    Check {
        name: "closed-means-held",
        points: 5,
        tests: "an interrupt to a vCPU that has interrupts closed waits, and one to a vCPU that computes comes soon",
        exercises: &["v7-E1", "v7-E2"],
        on_kvm: OnKvm::Skipped(ORDERS),
        run: interrupts::closed_means_held,
    },
    Check {
        name: "one-ends-all",
        points: 9,
        tests: "when one vCPU switches the VM off, or dies, its siblings stop, whatever they do",
        exercises: &["v7-E1", "v7-E3"],
        on_kvm: OnKvm::Skipped(ORDERS),
        run: endings::one_ends_all,
    },
    Check {
        name: "the-last-one-ends-it",
        points: 7,
        tests: "a VM goes on until its last vCPU has halted for ever, and ends when none is left that could wake another",
        exercises: &["v7-E1", "v7-E3"],
        on_kvm: OnKvm::SLEEPS,
        run: endings::the_last_one_ends_it,
    },
    Check {
        name: "no-wake-lost-in-any-order",
        points: 10,
        tests: "in whatever order threads take the locks, nobody waits for ever, and no wake is lost",
        exercises: &["v7-E1", "v7-E2", "v7-E3", "v7-E4"],
        on_kvm: OnKvm::Skipped(ORDERS),
        run: threads::no_wake_lost_in_any_order,
    },
    Check {
        name: "spinning-gives-way",
        points: 9,
        tests: "a vCPU that spins gives its turn to a sibling that waits, so that the lock's holder runs sooner",
        exercises: &["v7-E4"],
        on_kvm: OnKvm::Skipped(PAUSES),
        run: spinning::spinning_gives_way,
    },
    Check {
        name: "no-yield-for-nothing",
        points: 4,
        tests: "who spins while no sibling waits for a physical CPU keeps its turn",
        exercises: &["v7-E4"],
        on_kvm: OnKvm::Skipped(PAUSES),
        run: spinning::no_yield_for_nothing,
    },
    Check {
        name: "the-guest-says-for-whom",
        points: 7,
        tests: "who names the vCPU that it waits for gives its turn to that one",
        exercises: &["v7-E5"],
        on_kvm: OnKvm::Skipped(TIME),
        run: spinning::the_guest_says_for_whom,
    },
    Check {
        name: "siblings-run-together",
        points: 7,
        tests: "co-scheduled vCPUs of one VM run at the same time wherever they can",
        exercises: &["v7-E6"],
        on_kvm: OnKvm::Skipped(TIME),
        run: together::siblings_run_together,
    },
    Check {
        name: "others-are-unharmed",
        points: 5,
        tests: "other VMs keep their share of the time, however a VM beside them spins, and whatever number it names at the yield port",
        exercises: &["v7-E1", "v7-E4", "v7-E5", "v7-E6"],
        on_kvm: OnKvm::Skipped(TIME),
        run: fairness::others_are_unharmed,
    },
];

/// A VM with a guest of one of the catalogues.
///
/// # Panics
/// If there is none of that name: a mistake in a check.
fn vm(name: &str, seed: u64) -> VmOrder {
    let found = guests::v7::guest(name).or_else(|| guests::v5::guest(name));
    let guest = found.unwrap_or_else(|| panic!("the catalogue has no guest '{name}'"));
    VmOrder::new(guest, seed)
}

/// Runs VMs for each of the order's seeds. In each of them the machine must have
/// seen nothing wrong, and every VM must have done what its model says.
fn right_runs(bench: &Bench<'_>, order: HostOrder) -> Result<Vec<HostRun>, Problem> {
    let runs = bench.sweep(order)?;
    for run in &runs {
        run.expect_no_violations()?;
        run.expect_models()?;
        nobody_is_left(run)?;
    }
    Ok(runs)
}

/// Passes if the run was over because there was nobody left who could ever run.
/// In all of these runs every VM ends.
fn nobody_is_left(run: &HostRun) -> Result<(), Problem> {
    let end = run.evidence().end.as_ref();
    if end.and_then(|end| end.outcome) == Some(Outcome::Done) {
        return Ok(());
    }
    Err(run
        .failed("every VM has ended, and so has each of its vCPUs")
        .thought("which vCPU is left, and who should have told it that its machine is off?")
        .into())
}
