//! v7-E6: vCPUs of one VM that run at the same time.

use super::vm;
use crate::checks::{Bench, Failure, HostRun, Problem};
use crate::host_order::HostOrder;
use common::Time;
use evidence::host::{Order, Policy};

/// A guest beside hogs that cannot move, of which some physical CPUs have more
/// than others. So the turns of its vCPUs, one on each, are out of step.
struct Scene {
    guest: &'static str,
    pcpus: usize,
    /// The physical CPU of each hog.
    hogs: &'static [usize],
    /// With co-scheduling the vCPUs must be together for so many percent of what
    /// they are without it.
    more: u64,
}

const SCENES: [Scene; 2] = [
    // Right solutions: 67 percent together instead of 25.
    Scene {
        guest: "contended-pair",
        pcpus: 2,
        hogs: &[0, 1, 1],
        more: 170,
    },
    // 76 instead of 50.
    Scene {
        guest: "contended",
        pcpus: 4,
        hogs: &[0, 1, 1, 2, 3, 3],
        more: 130,
    },
];

/// Before the guest is done.
const LIMIT: u64 = 400_000;

pub(super) fn siblings_run_together(bench: &Bench<'_>) -> Result<(), Problem> {
    for scene in SCENES {
        for seed in bench.seed..bench.seed + 2 {
            let apart = scene.run(bench, seed, Policy::None)?;
            let together = scene.run(bench, seed, Policy::CoScheduling)?;
            let [before, after] = [&apart, &together].map(share);
            if after * 100 < before * scene.more {
                return Err(not_together(&together, before, after).into());
            }
        }
    }
    Ok(())
}

impl Scene {
    fn run(&self, bench: &Bench<'_>, seed: u64, policy: Policy) -> Result<HostRun, Problem> {
        let hog = |pcpu: &usize| vm("hog-for-ever", seed).affinity(1 << pcpu).home(*pcpu);
        let hogs = self.hogs.iter().map(hog);
        let vms = [vm(self.guest, seed)].into_iter().chain(hogs);
        let order = HostOrder::new(vms).pcpus(self.pcpus).policy(policy);
        let run = bench.run_host(order.limit(LIMIT).order(Order::Fair(seed)))?;
        run.expect_no_violations()?;
        Ok(run)
    }
}

/// While at least one vCPU of VM 0 runs: how many of the others run too, on the
/// average; in percent.
fn share(run: &HostRun) -> u64 {
    let stays = run.stays().into_iter().filter(|stay| stay.vcpu.vm == 0);
    let mut changes: Vec<(Time, i64)> = stays
        .flat_map(|stay| [(stay.from, 1), (stay.to, -1)])
        .collect();
    changes.sort();
    let (mut then, mut running) = (Time::ZERO, 0_i64);
    let (mut any, mut others) = (0, 0);
    for (time, change) in changes {
        if running > 0 {
            any += time.since(then);
            others += time.since(then) * (running as u64 - 1);
        }
        (then, running) = (time, running + change);
    }
    let siblings = u64::from(run.order.vms[0].setup.vcpus) - 1;
    others * 100 / (any * siblings).max(1)
}

fn not_together(run: &HostRun, before: u64, after: u64) -> Failure {
    run.failure(
        format!(
            "while one vCPU of vm 0 runs, many more of its siblings run than the {before} % that \
             do by chance"
        ),
        format!("{after} % of them"),
        None,
        None,
    )
    .thought(
        "a vCPU begins its slice. Where do its siblings wait, and what makes the physical CPUs \
         there look at them?",
    )
}
