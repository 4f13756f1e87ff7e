//! What is asked of version 3.

mod before;
mod calls;
mod exercises;
mod intruder;
mod user;

use super::on_kvm::{OnKvm, VIRTUAL_CPU};
use super::{Check, Course};

/// Version 3's exercises and checks.
pub const COURSE: Course = Course {
    exercises: exercises::EXERCISES,
    checks: CHECKS,
};

const CHECKS: &[Check] = &[
    Check {
        name: "user-mode-is-entered",
        points: 10,
        tests: "the kernel sets up user mode, and iretq takes the guest to its user thread",
        exercises: &["v3-E1", "v3-E2", "v3-E5"],
        on_kvm: OnKvm::Skipped(VIRTUAL_CPU),
        run: user::user_mode_is_entered,
    },
    Check {
        name: "system-calls-are-forwarded",
        points: 15,
        tests: "every syscall goes to the kernel's entry, and every sysretq back behind its syscall, if the registers behind them say so; and these refuse what they cannot hold",
        exercises: &["v3-E2", "v3-E3"],
        on_kvm: OnKvm::Skipped(VIRTUAL_CPU),
        run: calls::system_calls_are_forwarded,
    },
    Check {
        name: "user-ticks-reach-the-kernel",
        points: 15,
        tests: "a tick that lands in user mode goes to the kernel's handler at once, and none lands in the kernel, which keeps interrupts closed",
        exercises: &["v3-E3", "v3-E4"],
        on_kvm: OnKvm::Skipped(VIRTUAL_CPU),
        run: user::user_ticks_reach_the_kernel,
    },
    Check {
        name: "user-keeps-its-registers",
        points: 15,
        tests: "a user thread that is interrupted and makes system calls finds all its registers, flags and answers in place",
        exercises: &["v3-E3", "v3-E4", "v3-E5"],
        on_kvm: OnKvm::Skipped(VIRTUAL_CPU),
        run: user::user_keeps_its_registers,
    },
    Check {
        name: "segment-bases-follow",
        points: 10,
        tests: "the bases of FS and GS are the user's in user mode and the kernel's in the kernel",
        exercises: &["v3-E2"],
        on_kvm: OnKvm::Skipped(VIRTUAL_CPU),
        run: user::segment_bases_follow,
    },
    Check {
        name: "privileged-is-refused",
        points: 15,
        tests: "what only a kernel may do is #GP in user mode, to the guest's own kernel, and the VM lives on; the rest user code may do",
        exercises: &["v3-E4", "v3-E5", "v3-E6"],
        on_kvm: OnKvm::Skipped(VIRTUAL_CPU),
        run: intruder::privileged_is_refused,
    },
    Check {
        name: "kernel-memory-is-out-of-reach",
        points: 10,
        tests: "user code that reads, writes or executes what is not its own gets a page fault that says so",
        exercises: &["v3-E1", "v3-E4"],
        on_kvm: OnKvm::Skipped(VIRTUAL_CPU),
        run: intruder::kernel_memory_is_out_of_reach,
    },
    Check {
        name: "broken-tss-shuts-down",
        points: 5,
        tests: "without a usable stack in its TSS, the first exception from user mode ends in the triple fault that the manual prescribes",
        exercises: &["v3-E4", "v3-E5"],
        on_kvm: OnKvm::Skipped(VIRTUAL_CPU),
        run: before::broken_tss_shuts_down,
    },
    Check {
        name: "versions-before-still-run",
        points: 5,
        tests: "kernels without user mode run as before, ticks and exceptions included, also on interrupt stacks",
        exercises: &["v3-E4", "v3-E5"],
        on_kvm: OnKvm::Skipped(VIRTUAL_CPU),
        run: before::versions_before_still_run,
    },
];

/// A guest of version 3's catalogue.
///
/// # Panics
/// If there is none of that name: a mistake in a check.
fn guest(name: &str) -> &'static guests::catalogue::Guest {
    guests::v3::guest(name).unwrap_or_else(|| panic!("the catalogue has no guest '{name}'"))
}

/// Ticks of a host timer that does not ring while a guest runs.
const NEVER: u64 = 1 << 40;
