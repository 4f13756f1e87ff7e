//! CPU seconds: what was used, whatever else the host was doing.

use nix::sys::resource::{Usage, UsageWho, getrusage};
use nix::sys::time::TimeVal;

/// CPU seconds that this process has used.
pub fn own() -> f64 {
    used(UsageWho::RUSAGE_SELF)
}

/// CPU seconds that the children of this process have used which have ended
/// and been waited for.
pub fn of_children() -> f64 {
    used(UsageWho::RUSAGE_CHILDREN)
}

fn used(who: UsageWho) -> f64 {
    let usage: Usage = getrusage(who).expect("getrusage fails only for an unknown process");
    seconds(usage.user_time()) + seconds(usage.system_time())
}

fn seconds(time: TimeVal) -> f64 {
    time.tv_sec() as f64 + time.tv_usec() as f64 / 1e6
}
