//! v6-E2 and v6-E3: who sleeps is woken when its time has come.

use super::{SLICE, expect_sound, fair, hog, vm};
use crate::checks::{Bench, HostRun, Problem};
use crate::host_order::{HostOrder, VmOrder};
use common::trace::{Device, Event};
use common::{Time, bus};

/// The APIC's register whose write starts the timer.
const INITIAL_COUNT: u64 = bus::APIC + 0x380;

pub(super) fn sleepers_wake_on_time(bench: &Bench<'_>) -> Result<(), Problem> {
    let seed = bench.seed;
    let talkers = |home: usize| (seed..seed + 3).map(move |seed| vm("talker", seed).home(home));
    let busy = [0, 0, 1, 1].map(|home| hog(100, home));
    let sets: [(usize, Vec<VmOrder>); 3] = [
        // While one sleeps, another comes and keeps its pCPU: it has to wake on the
        // other one, which sleeps, and must hear.
        (
            2,
            vec![vm("talker", seed).home(0), hog(100, 0).start(10_000)],
        ),
        // All are busy.
        (2, busy.into_iter().chain(talkers(0)).collect()),
        // Nobody is.
        (
            2,
            talkers(1)
                .chain([vm("sleeper", seed).guest_tick(70_000)])
                .collect(),
        ),
    ];
    for (pcpus, set) in sets {
        for order in fair(seed) {
            let order = HostOrder::new(set.clone())
                .pcpus(pcpus)
                .order(order)
                .limit(800_000);
            let run = bench.run_host(order)?;
            expect_sound(&run)?;
            // These need less than their share, so only other sleepers come first.
            let sleepers = run.vms().filter(|vm| is_sleeper(&run, *vm)).count();
            expect_ticks(&run, SLICE * sleepers as u64)?;
            run.expect_models()?;
        }
    }
    Ok(())
}

/// Passes if every tick of a one-shot timer comes when it is due, or within `bound`
/// ticks: who has had more than its share has to wait for the others.
pub(super) fn expect_ticks(run: &HostRun, bound: u64) -> Result<(), Problem> {
    let over = run.evidence().end.as_ref();
    let over = over.and_then(|end| end.clocks.iter().copied().min());
    let over = over.unwrap_or(Time::ZERO);
    for vm in run.vms().filter(|vm| is_sleeper(run, *vm)) {
        let mut due = None;
        for (at, _, record) in run.records_of(vm) {
            match record.event {
                Event::Device(access) if is_start(&access) => {
                    due = Some(record.time + access.value)
                }
                Event::Inject(_) => {
                    if let Some(due) = due.take().filter(|due| record.time > *due + bound) {
                        return Err(late(run, vm, due, bound, Some((record.time, at))));
                    }
                }
                _ => {}
            }
        }
        let missing = due.filter(|due| *due + bound < over && run.ended_at(vm).is_none());
        if let Some(due) = missing {
            return Err(late(run, vm, due, bound, None));
        }
    }
    Ok(())
}

fn is_sleeper(run: &HostRun, vm: u32) -> bool {
    ["talker", "sleeper"].contains(&run.order.vms[vm as usize].name.as_str())
}

fn is_start(access: &common::trace::DeviceAccess) -> bool {
    access.device == Device::Apic && access.write && access.address == INITIAL_COUNT
}

fn late(run: &HostRun, vm: u32, due: Time, bound: u64, came: Option<(Time, usize)>) -> Problem {
    let seen = match came {
        Some((time, _)) => format!("it came at {time}"),
        None => "it never came".to_string(),
    };
    let failure = run.failure(
        format!("the tick of vm {vm} that is due at {due} comes within {bound} ticks"),
        seen,
        Some(vm),
        came.map(|(_, at)| at),
    );
    failure
        .thought(
            "on whose list does this VM sleep, and who looks at that list when its time has come? \
             Where is it put then, and does the physical CPU there know?",
        )
        .into()
}
