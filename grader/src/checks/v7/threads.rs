//! What only threads can do to each other.

use super::{right_runs, vm};
use crate::checks::{Bench, Problem, orders};
use crate::host_order::HostOrder;
use evidence::host::Order;

/// How often threads are let loose with each guest.
const ROUNDS: u64 = 3;

/// A search for bad orders, which is the same every time; and if it finds none,
/// the real thing, which never is.
pub(super) fn no_wake_lost_in_any_order(bench: &Bench<'_>) -> Result<(), Problem> {
    orders::none_is_bad(bench)?;
    for (guest, pcpus) in [("together", 2), ("ping-pong", 2), ("stopper", 3)] {
        let vms = [vm(guest, bench.seed), vm(guest, bench.seed + 1)];
        // The host may take the CPU from any thread for any time, and the others'
        // clocks go on: so there is no limit but the host's.
        let order = HostOrder::new(vms).pcpus(pcpus).limit(1 << 40);
        let order = order.order(Order::Threads).seeds(ROUNDS);
        right_runs(bench, order.patience(60))?;
    }
    Ok(())
}
