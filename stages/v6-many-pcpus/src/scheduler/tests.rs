use super::*;
use crate::testing::Host;
use crate::{Affinity, HotplugError, Settings};
use common::devices::Apic;
use common::drive::{Order, Outcome, nothing, threads};
use common::scripted::{Play, apic_with_timer};
use proptest::prelude::*;
use v5::Weight;

fn on(home: usize) -> Settings {
    Settings {
        home: Some(home),
        ..Settings::default()
    }
}

fn weighing(weight: u32) -> Settings {
    Settings {
        weight: Weight::new(weight).unwrap(),
        ..on(0)
    }
}

/// Sleeps and works in turn, `times` times, then ends.
fn sleeper(times: usize) -> Vec<Play> {
    let round = [Play::Nap, Play::END_OF_INTERRUPT, Play::Compute(50)];
    let mut script = round.repeat(times);
    script.push(Play::SWITCH_OFF);
    script
}

#[test]
fn what_is_balanced_already_is_left_alone() {
    let mut host = Host::new(2);
    let ids = [0, 0, 1, 1].map(|home| host.hog(on(home)));
    host.run(Order::Fair(1), 300_000);
    let paths = ids.map(|id| host.path(id));
    assert_eq!(paths, [vec![0], vec![0], vec![1], vec![1]]);
}

#[test]
fn all_on_one_pcpu_spread_to_the_others_and_then_stay() {
    let mut host = Host::new(4);
    let ids = [0; 8].map(|home| host.hog(on(home)));
    host.run(Order::Fair(1), 100_000);
    host.ran.clear();
    host.run(Order::Fair(2), 500_000);
    let mut homes: Vec<usize> = Vec::new();
    for id in ids {
        let path = host.path(id);
        assert_eq!(path.len(), 1, "{id} moved on: {path:?}");
        homes.extend(path);
    }
    homes.sort();
    assert_eq!(homes, [0, 0, 1, 1, 2, 2, 3, 3]);
}

#[test]
fn work_is_balanced_and_not_the_number_of_vms() {
    let mut host = Host::new(2);
    let heavy = host.hog(weighing(300));
    let light = [100; 3].map(|weight| host.hog(weighing(weight)));
    host.run(Order::Fair(1), 200_000);
    host.ran.clear();
    host.run(Order::Fair(2), 600_000);
    let alone = host.path(heavy);
    assert_eq!(alone.len(), 1);
    assert!(light.iter().all(|id| host.path(*id) == [1 - alone[0]]));
}

#[test]
fn no_pcpu_idles_while_a_vm_waits_elsewhere() {
    let mut host = Host::new(2);
    let [a, b] = [0, 0].map(|home| host.hog(on(home)));
    host.run(Order::Fair(3), 100_000);
    let [a, b] = [a, b].map(|id| host.time_of(id));
    assert!(a > 95_000 && b > 95_000, "{a} and {b} of 100,000");
}

/// A VM that is started at 50,000 on a physical CPU that has been busy with
/// another one since 0, while a second one sleeps: how long each has run at
/// 100,000.
fn started_late(settings: Settings) -> [u64; 2] {
    let mut host = Host::new(2);
    let early = host.hog(on(0));
    let late = host.create(Apic::new(0), &[Play::ComputeForEver], settings);
    host.run_with(Order::Fair(1), 100_000, Time(50_000), |scheduler| {
        scheduler.start(late, Time(50_000)).unwrap();
    });
    [early, late].map(|id| host.time_of(id))
}

#[test]
fn an_idle_pcpu_fetches_one_that_is_started_beside_a_busy_one() {
    let [early, late] = started_late(on(0));
    assert!(early > 98_000 && late > 48_000, "{early} and {late}");
}

#[test]
fn who_may_run_elsewhere_makes_room_for_one_that_may_not() {
    let bound = Settings {
        affinity: Affinity::only(0),
        ..on(0)
    };
    let [early, late] = started_late(bound);
    assert!(early > 78_000 && late > 28_000, "{early} and {late}");
}

#[test]
fn two_who_wake_at_once_on_one_pcpu_run_on_two() {
    let mut host = Host::new(2);
    let script = [Play::Nap, Play::END_OF_INTERRUPT, Play::ComputeForEver];
    let ids = [0, 0].map(|home| host.start(apic_with_timer(5_000), &script, on(home)));
    // It keeps the other one busy until both sleep.
    let busy = [Play::Compute(3_000), Play::SWITCH_OFF];
    host.start(Apic::new(0), &busy, on(1));
    host.run(Order::Fair(1), 6_000);
    let times = ids.map(|id| host.time_of(id));
    assert!(times.iter().all(|time| *time > 900), "{times:?}");
}

#[test]
fn a_vm_stays_where_its_affinity_says_even_if_others_idle() {
    let mut host = Host::new(2);
    let bound = Settings {
        affinity: Affinity::only(1),
        ..Settings::default()
    };
    let ids = [bound, bound].map(|settings| host.hog(settings));
    host.run(Order::Fair(1), 50_000);
    assert!(ids.iter().all(|id| host.path(*id) == [1]));
}

#[test]
fn unplugging_loses_nobody_and_plugging_in_brings_the_work_back() {
    let mut host = Host::new(2);
    let ids = [0, 0, 1, 1].map(|home| host.hog(on(home)));
    let idler = host.start(apic_with_timer(3_000), &sleeper(100), on(1));
    host.run(Order::Fair(1), 50_000);
    host.scheduler.unplug(1).unwrap();
    host.ran.clear();
    host.run(Order::Fair(2), 150_000);
    let before = ids.map(|id| host.time_of(id));
    assert!(ids.iter().all(|id| host.path(*id).contains(&0)));
    host.scheduler.plug(1).unwrap();
    host.run(Order::Fair(3), 400_000);
    for (id, before) in ids.into_iter().zip(before) {
        assert!(host.time_of(id) > before + 80_000, "{id} runs on");
    }
    assert_eq!(
        host.scheduler.state(idler),
        Ok(State::Ended(Ending::Exited(0)))
    );
}

#[test]
fn the_last_pcpu_cannot_be_unplugged() {
    let host = Host::new(2);
    host.scheduler.unplug(0).unwrap();
    assert_eq!(host.scheduler.unplug(1), Err(HotplugError::LastOne(1)));
    assert_eq!(
        host.scheduler.unplug(0),
        Err(HotplugError::Already(0, false))
    );
    let error = host.scheduler.plug(2).unwrap_err().to_string();
    assert_eq!(error, "pcpu 2 does not exist: there are 2, numbered from 0");
}

#[test]
fn a_vm_that_runs_elsewhere_is_paused_when_that_pcpu_looks_up() {
    let mut host = Host::new(1);
    let id = host.hog(on(0));
    host.scheduler.schedule_once(&mut host.pcpus[0]);
    host.pcpus[0].kick.kick();
    let now = host.pcpus[0].now;
    host.scheduler.schedule_once(&mut host.pcpus[0]);
    host.scheduler.pause(id, now).unwrap();
    host.scheduler.schedule_once(&mut host.pcpus[0]);
    assert_eq!(host.scheduler.state(id), Ok(State::Paused));
    host.scheduler.resume(id, now).unwrap();
    assert_eq!(host.scheduler.state(id), Ok(State::Ready));
}

#[test]
fn sleepers_wake_on_an_idle_pcpu_beside_one_that_never_stops() {
    let mut host = Host::new(2);
    host.hog(on(0));
    let id = host.start(apic_with_timer(2_000), &sleeper(20), on(0));
    host.run(Order::Fair(1), 60_000);
    assert_eq!(
        host.scheduler.state(id),
        Ok(State::Ended(Ending::Exited(0)))
    );
}

/// A mixed load: hogs that end, sleepers, on any number of physical CPUs.
fn mixed(pcpus: usize, vms: &[(bool, u32)]) -> (Host, Vec<Id>) {
    let mut host = Host::new(pcpus);
    let mut ids = Vec::new();
    for (index, (sleeps, weight)) in vms.iter().enumerate() {
        let settings = Settings {
            weight: Weight::new(*weight).unwrap(),
            ..on(index % pcpus)
        };
        let work = [Play::Compute(7_000 + 31 * index as u64), Play::SWITCH_OFF];
        ids.push(match sleeps {
            true => host.start(apic_with_timer(900), &sleeper(10), settings),
            false => host.start(Apic::new(0), &work, settings),
        });
    }
    (host, ids)
}

proptest! {
    /// The stepper audits the invariant after each step.
    #[test]
    fn in_any_order_everybody_comes_to_their_end(
        pcpus in 1..5usize,
        vms in prop::collection::vec((any::<bool>(), 1..1_000u32), 1..12),
        seed: u64,
        adversarial: bool,
    ) {
        let (mut host, ids) = mixed(pcpus, &vms);
        let order = if adversarial { Order::Adversarial(seed) } else { Order::Fair(seed) };
        prop_assert_eq!(host.run(order, 3_000_000), Outcome::Done);
        for id in ids {
            prop_assert_eq!(host.scheduler.state(id), Ok(State::Ended(Ending::Exited(0))));
        }
    }
}

#[test]
fn with_a_thread_for_each_pcpu_everybody_comes_to_their_end() {
    for round in 0..30 {
        let vms = [
            (true, 100),
            (false, 100),
            (true, 300),
            (false, 50),
            (false, 100),
        ];
        let (mut host, ids) = mixed(1 + round % 4, &vms);
        let outcome = threads(&host.scheduler, &mut host.pcpus, Time::NEVER, &mut nothing);
        assert_eq!(outcome, Outcome::Done);
        host.scheduler.audit().unwrap();
        for id in ids {
            let ended = Ok(State::Ended(Ending::Exited(0)));
            assert_eq!(host.scheduler.state(id), ended);
        }
    }
}
