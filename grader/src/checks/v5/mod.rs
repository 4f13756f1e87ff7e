//! What is asked of version 5: many VMs on one physical CPU.
//!
//! What the version's books say is nowhere believed. A check looks at who was on
//! the physical CPU and when, at what each guest printed and how it ended, and
//! at the ticks that really ran.

mod accounts;
mod context;
mod exercises;
mod lifecycle;
mod sharing;
mod sleepers;
mod trouble;

use super::on_kvm::{CONTEXT, OnKvm, TIME};
use super::{Bench, Check, Course, HostRun, Problem, Stay};
use crate::host_order::{HostOrder, VmOrder};
use common::Time;

/// Version 5's exercises and checks.
pub const COURSE: Course = Course {
    exercises: exercises::EXERCISES,
    checks: CHECKS,
};

const CHECKS: &[Check] = &[
    Check {
        name: "two-talkers-take-turns",
        points: 6,
        tests: "when a VM halts, the other one that has something to do gets the CPU at once, without any timer",
        exercises: &["v5-E1", "v5-E2", "v5-E3", "v5-E4"],
        on_kvm: OnKvm::Skipped(TIME),
        run: sharing::two_talkers_take_turns,
    },
    Check {
        name: "a-hog-cannot-keep-the-cpu",
        points: 10,
        tests: "a guest that neither halts nor does I/O loses the CPU at the end of its slice",
        exercises: &["v5-E2", "v5-E3"],
        on_kvm: OnKvm::Skipped(TIME),
        run: sharing::a_hog_cannot_keep_the_cpu,
    },
    Check {
        name: "its-own-timer-rings-in-its-turn",
        points: 4,
        tests: "a guest that does not halt gets each tick of its own timer during its turn, and not at the end of it",
        exercises: &["v5-E2"],
        on_kvm: OnKvm::Skipped(TIME),
        run: sleepers::its_own_timer_rings_in_its_turn,
    },
    Check {
        name: "a-context-is-intact",
        points: 10,
        tests: "a VM finds every register, flag, view and page table as it left them, whoever had the CPU in between",
        exercises: &["v5-E1"],
        on_kvm: OnKvm::Skipped(CONTEXT),
        run: context::a_context_is_intact,
    },
    Check {
        name: "memory-and-devices-are-apart",
        points: 8,
        tests: "what a VM stores in its memory and in its devices' registers, no other one changes",
        exercises: &["v5-E1", "v5-E2"],
        on_kvm: OnKvm::Made,
        run: context::memory_and_devices_are_apart,
    },
    Check {
        name: "older-guests-run-as-before",
        points: 4,
        tests: "guests of versions 1 to 3 do beside each other what each does alone",
        exercises: &["v5-E1", "v5-E2", "v5-E3", "v5-E4"],
        on_kvm: OnKvm::Made,
        run: context::older_guests_run_as_before,
    },
    Check {
        name: "a-fault-stays-at-home",
        points: 8,
        tests: "a VM that dies ends as its own fault says, and no other one with it",
        exercises: &["v5-E2", "v5-E3", "v5-E4"],
        on_kvm: OnKvm::SLEEPS,
        run: trouble::a_fault_stays_at_home,
    },
    Check {
        name: "trouble-costs-only-its-share",
        points: 6,
        tests: "a VM that hangs, floods its console or drowns in interrupts costs the others no more than its share",
        exercises: &["v5-E2", "v5-E3", "v5-E6"],
        on_kvm: OnKvm::Skipped(TIME),
        run: trouble::trouble_costs_only_its_share,
    },
    Check {
        name: "sleepers-come-back-on-time",
        points: 8,
        tests: "while every VM sleeps nobody runs and time goes on, and each wakes when its timer is due",
        exercises: &["v5-E2", "v5-E4"],
        on_kvm: OnKvm::SLEEPS,
        run: sleepers::sleepers_come_back_on_time,
    },
    Check {
        name: "sleepers-wake-beside-hogs",
        points: 8,
        tests: "a VM that sleeps most of the time gets the CPU soon after its timer's tick, however many others want it",
        exercises: &["v5-E4", "v5-E6"],
        on_kvm: OnKvm::Skipped(TIME),
        run: sleepers::sleepers_wake_beside_hogs,
    },
    Check {
        name: "every-tick-is-accounted",
        points: 8,
        tests: "the accounts of a VM together are its life, and each is what the machine saw",
        exercises: &["v5-E3", "v5-E5"],
        on_kvm: OnKvm::Skipped(TIME),
        run: accounts::every_tick_is_accounted,
    },
    Check {
        name: "weights-hold",
        points: 8,
        tests: "VMs that always want to run share the time as they weigh, in each part of a run",
        exercises: &["v5-E3", "v5-E6"],
        on_kvm: OnKvm::Skipped(TIME),
        run: sharing::weights_hold,
    },
    Check {
        name: "nobody-is-paid-for-sleeping",
        points: 6,
        tests: "who comes late or halts often gets from then on its share, and nothing for the time before",
        exercises: &["v5-E3", "v5-E4"],
        on_kvm: OnKvm::Skipped(TIME),
        run: sharing::nobody_is_paid_for_sleeping,
    },
    Check {
        name: "lifecycle-in-the-middle-of-a-run",
        points: 6,
        tests: "VMs are started, paused, resumed, shut down and destroyed while others run, and do not run when they may not",
        exercises: &["v5-E5", "v5-E7"],
        on_kvm: OnKvm::Skipped(TIME),
        run: lifecycle::lifecycle_in_the_middle_of_a_run,
    },
];

/// A VM with a guest of a version that came before, or of this one.
///
/// # Panics
/// If there is none of that name: a mistake in a check.
fn vm(name: &str, seed: u64) -> VmOrder {
    let catalogues = guests::v1::guest(name)
        .or_else(|| guests::v2::guest(name))
        .or_else(|| guests::v3::guest(name));
    let guest = catalogues.or_else(|| guests::v5::guest(name));
    VmOrder::new(
        guest.unwrap_or_else(|| panic!("no catalogue has a guest '{name}'")),
        seed,
    )
}

/// A set of VMs on a host whose turns last `slice`, until `limit` at most.
fn host(vms: impl IntoIterator<Item = VmOrder>, slice: u64, limit: u64) -> HostOrder {
    HostOrder::new(vms).slice(slice).limit(limit)
}

/// Runs them; the version must come to the end of it.
fn run(bench: &Bench<'_>, order: HostOrder) -> Result<HostRun, Problem> {
    let run = bench.run_host(order)?;
    run.expect_over()?;
    Ok(run)
}

/// For how many ticks a VM was on the physical CPU from `from` to `to`.
fn on_cpu(stays: &[Stay], vm: u32, from: u64, to: u64) -> u64 {
    let own = stays.iter().filter(|stay| stay.vcpu.vm == vm);
    own.map(|stay| stay.to.min(Time(to)).since(stay.from.max(Time(from))))
        .sum()
}

/// The usual length of a turn in these checks.
const SLICE: u64 = 10_000;
