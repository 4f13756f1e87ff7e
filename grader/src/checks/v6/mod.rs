//! What is asked of version 6.

mod affinity;
mod balance;
mod exercises;
mod fairness;
mod hotplug;
mod idle;
mod lifecycle;
mod migration;
mod orders;
mod sleepers;
mod spans;

use super::on_kvm::{CONTEXT, ORDERS, OnKvm, TIME};
use super::{Check, Course, HostRun, Problem};
use crate::host_order::VmOrder;
use evidence::host::Order;

/// Version 6's exercises and checks.
pub const COURSE: Course = Course {
    exercises: exercises::EXERCISES,
    checks: CHECKS,
};

const CHECKS: &[Check] = &[
    Check {
        name: "one-pcpu-is-shared-fairly",
        points: 8,
        tests: "VMs that always want to run share one physical CPU by their weights, to a few slices",
        exercises: &["v6-E1"],
        on_kvm: OnKvm::Skipped(TIME),
        run: fairness::one_pcpu_is_shared_fairly,
    },
    Check {
        name: "balanced-is-left-alone",
        points: 6,
        tests: "where no move brings the loads closer, nobody is moved, and who sleeps wakes where it was if nobody else is there",
        exercises: &["v6-E1", "v6-E2", "v6-E4"],
        on_kvm: OnKvm::Skipped(TIME),
        run: balance::balanced_is_left_alone,
    },
    Check {
        name: "all-on-one-spread-and-stay",
        points: 8,
        tests: "VMs that all begin on one physical CPU spread to the others, and then stay where they are",
        exercises: &["v6-E1", "v6-E4"],
        on_kvm: OnKvm::Skipped(TIME),
        run: balance::all_on_one_spread_and_stay,
    },
    Check {
        name: "work-is-balanced-not-counts",
        points: 7,
        tests: "one VM of weight 300 is as much work as three of weight 100",
        exercises: &["v6-E1", "v6-E4"],
        on_kvm: OnKvm::Skipped(TIME),
        run: balance::work_is_balanced,
    },
    Check {
        name: "nobody-waits-beside-an-idle-pcpu",
        points: 8,
        tests: "no physical CPU idles for longer than a few slices while a VM that may run there waits",
        exercises: &["v6-E1", "v6-E2", "v6-E4"],
        on_kvm: OnKvm::Skipped(TIME),
        run: idle::nobody_waits_beside_an_idle_pcpu,
    },
    Check {
        name: "contexts-survive-migration",
        points: 8,
        tests: "VMs that move find every register, their memory and their devices as they left them, and their time never goes back",
        exercises: &["v6-E1", "v6-E2", "v6-E4"],
        on_kvm: OnKvm::Skipped(CONTEXT),
        run: migration::contexts_survive,
    },
    Check {
        name: "who-moves-keeps-its-place",
        points: 5,
        tests: "a VM that comes from another queue is neither ahead of the others there nor behind them",
        exercises: &["v6-E1", "v6-E4"],
        on_kvm: OnKvm::Skipped(TIME),
        run: fairness::who_moves_keeps_its_place,
    },
    Check {
        name: "sleepers-wake-on-time",
        points: 8,
        tests: "a VM's tick comes within a few slices of its time, on a physical CPU that is busy and on one that sleeps",
        exercises: &["v6-E2", "v6-E3"],
        on_kvm: OnKvm::Skipped(TIME),
        run: sleepers::sleepers_wake_on_time,
    },
    Check {
        name: "affinity-is-kept",
        points: 6,
        tests: "a VM runs only where it may, even if other physical CPUs idle",
        exercises: &["v6-E2", "v6-E4"],
        on_kvm: OnKvm::Made,
        run: affinity::affinity_is_kept,
    },
    Check {
        name: "unplugging-loses-nobody",
        points: 8,
        tests: "a physical CPU that is unplugged is left at once by all who run, wait or sleep there, and is used again when it is back",
        exercises: &["v6-E2", "v6-E5"],
        on_kvm: OnKvm::Skipped(ORDERS),
        run: hotplug::unplugging_loses_nobody,
    },
    Check {
        name: "no-deadlock-in-any-order",
        points: 15,
        tests: "in whatever order threads take the locks, nobody waits for ever, and no wake is lost",
        exercises: &["v6-E1", "v6-E2", "v6-E3", "v6-E4", "v6-E5"],
        on_kvm: OnKvm::Skipped(ORDERS),
        run: super::orders::none_is_bad,
    },
    Check {
        name: "owners-reach-running-vms",
        points: 6,
        tests: "a VM that runs elsewhere is paused, resumed and shut down as one that waits or sleeps is",
        exercises: &["v6-E6"],
        on_kvm: OnKvm::Skipped(ORDERS),
        run: lifecycle::owners_reach_running_vms,
    },
    Check {
        name: "nobody-is-lost-in-any-order",
        points: 5,
        tests: "in fair and in bad orders of the physical CPUs every VM is always in one place, and comes to its end",
        exercises: &["v6-E1", "v6-E2", "v6-E3", "v6-E4", "v6-E5", "v6-E6"],
        on_kvm: OnKvm::Skipped(ORDERS),
        run: orders::nobody_is_lost,
    },
    Check {
        name: "threads-change-nothing",
        points: 2,
        tests: "with a thread of the host for each physical CPU all consoles are the same",
        exercises: &["v6-E1", "v6-E2", "v6-E3", "v6-E4"],
        on_kvm: OnKvm::SLEEPS,
        run: orders::threads_change_nothing,
    },
];

/// A VM with a guest of version 5's catalogue, which is also this version's.
///
/// # Panics
/// If there is none of that name: a mistake in a check.
fn vm(name: &str, seed: u64) -> VmOrder {
    let guest = guests::v5::guest(name);
    VmOrder::new(
        guest.unwrap_or_else(|| panic!("the catalogue has no guest '{name}'")),
        seed,
    )
}

/// A VM that always wants to run, of this weight, which begins on this physical
/// CPU.
fn hog(weight: u32, home: usize) -> VmOrder {
    vm("hog-for-ever", 1).weight(weight).home(home)
}

/// How long a turn is.
const SLICE: u64 = evidence::host::Scenario::SLICE;

/// The fair orders in which a check that looks at records is made.
fn fair(seed: u64) -> impl Iterator<Item = Order> {
    (seed..seed + 2).map(Order::Fair)
}

/// Passes if nothing went wrong that no run may show: the machine saw no
/// violation, nobody was lost, and the run was over as it should be.
fn expect_sound(run: &HostRun) -> Result<(), Problem> {
    run.expect_nobody_lost()?;
    run.expect_no_violations()
}
