//! v6-E2 and v6-E4: no physical CPU idles while work waits.

use super::spans::{Span, away, idle};
use super::{SLICE, expect_sound, fair, hog, vm};
use crate::checks::{Bench, HostRun, Problem};
use crate::host_order::{HostOrder, VmOrder};

/// For so long, all in all, a physical CPU may idle while a VM waits: each time
/// until whoever runs there is put back, and somebody hears of it. Two that take
/// turns never wait for long, so it is the sum that counts.
const BOUND: u64 = 8 * SLICE;

pub(super) fn nobody_waits_beside_an_idle_pcpu(bench: &Bench<'_>) -> Result<(), Problem> {
    let seed = bench.seed;
    let sets: [Vec<VmOrder>; 3] = [
        // One is started beside one that runs, while the other pCPU sleeps.
        vec![hog(100, 0), hog(100, 0).start(100_000)],
        // Those that are alone on a pCPU come to their end.
        vec![
            vm("patterns", seed).home(0),
            hog(100, 0),
            vm("patterns", seed + 1).home(1),
            hog(100, 0).start(600_000),
        ],
        // Sleepers come and go on all of them.
        vec![
            hog(100, 0),
            vm("talker", seed).home(0),
            vm("talker", seed + 1).home(0),
            hog(100, 1).start(200_000),
        ],
    ];
    for set in sets {
        for order in fair(seed) {
            let order = HostOrder::new(set.clone())
                .pcpus(2)
                .order(order)
                .limit(1_000_000);
            let run = bench.run_host(order)?;
            expect_sound(&run)?;
            expect_none(&run)?;
        }
    }
    Ok(())
}

/// Passes if nobody who never sleeps waits beside a physical CPU that idles.
fn expect_none(run: &HostRun) -> Result<(), Problem> {
    let never_sleeps = |vm: &u32| run.order.vms[*vm as usize].name != "talker";
    for vm in run.vms().filter(never_sleeps) {
        let waits = away(run, vm);
        for pcpu in 0..run.order.scenario.pcpus {
            let idles = idle(run, pcpu);
            let pairs = waits
                .iter()
                .flat_map(|waits| idles.iter().map(|idle| idle.and(*waits)));
            let both: Vec<Span> = pairs.flatten().collect();
            let sum: u64 = both.iter().map(|span| span.length()).sum();
            if sum > BOUND {
                return Err(waited(run, vm, pcpu, both[0], sum));
            }
        }
    }
    Ok(())
}

fn waited(run: &HostRun, vm: u32, pcpu: usize, first: Span, sum: u64) -> Problem {
    let stays = run.stays();
    let last = stays.iter().rev().find(|stay| stay.from.0 <= first.to);
    let failure = run.failure(
        format!("no pcpu idles for more than {BOUND} ticks while a VM that may run there waits"),
        format!(
            "vm {vm} waited while pcpu {pcpu} idled, for {sum} ticks in all, for the first time \
             from {} to {}",
            first.from, first.to
        ),
        None,
        last.map(|stay| stay.at),
    );
    failure
        .thought(
            "a physical CPU that idles looks for work once, before it falls asleep. Who puts work \
             into a queue after that, and whom does that one tell?",
        )
        .into()
}
