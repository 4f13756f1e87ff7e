//! Many VMs under the versions that run them, from the order to what a check
//! sees.

mod support;

use evidence::host::{Deed, Order, Outcome};
use lab::checks::HostRun;
use lab::compile::{Compiled, compile};
use lab::guest::Guest;
use lab::host_order::{HostOrder, VmOrder, observe_host};
use lab::vm_fate::VmFate;
use std::path::PathBuf;
use support::{stage, workspace};

/// The versions with many VMs whose runner is here.
const STAGES: [&str; 2] = ["v5", "v6"];

fn runner(name: &str) -> PathBuf {
    match compile(stage(name), &workspace()).expect("a build") {
        Compiled::Runner(runner) => runner,
        Compiled::Rejected(rejection) => panic!("{}", rejection.diagnostics),
    }
}

fn vm(guest: &str, seed: u64) -> VmOrder {
    VmOrder::new(Guest::find(guest, stage("v5")).expect("a guest"), seed)
}

fn run_all(name: &'static str, order: HostOrder) -> Vec<HostRun> {
    let observation = observe_host(&runner(name), order, |_| {}).expect("runs");
    HostRun::all(name, observation)
}

fn run(name: &'static str, order: HostOrder) -> HostRun {
    run_all(name, order).remove(0)
}

fn expect_all_well(run: &HostRun) {
    run.expect_no_violations()
        .and_then(|()| run.expect_models())
        .unwrap_or_else(|problem| panic!("{}: {problem:?}", run.command()));
}

#[test]
fn vms_that_share_a_host_do_what_each_does_alone() {
    for name in STAGES {
        let vms = [
            vm("talker", 1),
            vm("talker", 2),
            vm("hog", 3),
            vm("patterns", 4),
            vm("ticks", 5),
        ];
        let run = run(name, HostOrder::new(vms));
        expect_all_well(&run);
        let over = run.evidence().end.as_ref().expect("an end").outcome;
        assert_eq!(over, Some(Outcome::Done));
        for vm in run.vms() {
            let account = run.account(vm).expect("an account");
            assert_eq!(account.run, run.ran(vm), "{name}: vm {vm}");
            let stays = run.stays();
            let stays = stays.iter().filter(|stay| stay.vcpu.vm == vm);
            let there: u64 = stays.map(|stay| stay.to.since(stay.from)).sum();
            assert_eq!(there, run.ran(vm), "{name}: vm {vm}");
        }
    }
}

#[test]
fn equal_orders_give_equal_evidence() {
    for name in STAGES {
        let order = || HostOrder::new([vm("talker", 1), vm("hog", 2)]).order(Order::Adversarial(9));
        let runs = [order(), order()].map(|order| run(name, order));
        assert!(runs[0].evidence() == runs[1].evidence(), "{name}");
    }
}

#[test]
fn a_sweep_runs_every_seed_and_keeps_what_matters() {
    let order = || {
        let vms = [
            vm("talker", 1),
            vm("hog", 2),
            vm("patterns", 3),
            vm("idle", 4),
        ];
        HostOrder::new(vms).pcpus(2)
    };
    let adversary = order().order(Order::Adversarial(1)).seeds(20);
    let runs = run_all("v6", adversary.patience(30));
    assert_eq!(runs.len(), 20);
    for run in &runs {
        assert_eq!(run.evidence().records, []);
        expect_all_well(run);
    }
    let ended = |run: &HostRun| run.evidence().ended.clone();
    assert!(runs.iter().any(|run| ended(run) != ended(&runs[0])));
    let alone = order().order(runs[7].order.scenario.order);
    assert_eq!(
        ended(&runs[7]),
        ended(&run("v6", alone)),
        "a seed is found again"
    );
}

#[test]
fn threads_of_the_host_give_the_same_consoles() {
    let vms = [
        vm("talker", 1),
        vm("hog", 2),
        vm("patterns", 3),
        vm("idle", 4),
    ];
    let order = HostOrder::new(vms)
        .pcpus(2)
        .order(Order::Threads)
        .limit(u64::MAX);
    let run = run("v6", order);
    expect_all_well(&run);
}

#[test]
fn commands_are_carried_out_at_their_times() {
    for name in STAGES {
        let hog = || vm("hog-for-ever", 1);
        let order = HostOrder::new([hog(), hog(), hog().start(300_000)])
            .at(100_000, Deed::Pause(0))
            .at(200_000, Deed::Resume(0))
            .at(500_000, Deed::ShutDown(1))
            .at(600_000, Deed::Destroy(1))
            .at(700_000, Deed::Resume(1))
            .limit(800_000);
        let run = run(name, order);
        expect_all_well(&run);
        assert_eq!(
            run.account(0).expect("an account").paused,
            100_000,
            "{name}"
        );
        let late = run.stays().into_iter().find(|stay| stay.vcpu.vm == 2);
        assert!(late.expect("a stay").from.0 >= 300_000);
        assert!(run.ended_at(1).expect("an end").0 >= 500_000);
        assert!(run.probe(0, "work").expect("a count")[0] > 0);
        assert!(matches!(run.fate_of(0), VmFate::Alive(_)));
        let refused: Vec<_> = run
            .evidence()
            .commands
            .iter()
            .map(|one| one.refused.is_some())
            .collect();
        let expected = [false, false, false, false, false, false, false, true];
        assert_eq!(refused, expected, "{name}: {:?}", run.evidence().commands);
    }
}

#[test]
fn a_vm_that_sleeps_through_its_death_is_told_apart_from_one_that_lives() {
    let run = run(
        "v5",
        HostOrder::new([vm("dead-halt", 1), vm("divide", 2), vm("failing", 3)]),
    );
    run.expect_no_violations().expect("no violations");
    for vm in run.vms() {
        assert!(
            run.fate_of(vm).ending().is_some(),
            "vm {vm}: {}",
            run.fate_of(vm)
        );
    }
    let end = &run.evidence().vms[&1];
    let explanation = end.explanation.as_ref().expect("an explanation");
    assert_eq!(explanation.place, "deed");
}
