use super::*;
use crate::checks::{Failure, Problem};
use crate::child::{Finished, How};
use crate::host_order::VmOrder;
use common::trace::Device;
use common::{Ending, Exit, Image};
use evidence::host::{Claim, End, Evidence, Outcome, Violation, VmEnd, What};

const fn name(vm: u32) -> VcpuName {
    VcpuName { vm, vcpu: 0 }
}

fn record(pcpu: usize, time: u64, event: Event) -> Record {
    Record {
        time: Time(time),
        pcpu,
        rip: 0,
        event,
    }
}

/// A run of two keepers on two physical CPUs of which this is known.
fn run(evidence: RunEvidence) -> HostRun {
    let keeper = || VmOrder::new(guests::v1::guest("keeper").unwrap(), 3);
    let order = HostOrder::new([keeper(), keeper()]).pcpus(2);
    let images = order.vms.iter().map(|vm| Image::parse(&vm.image).unwrap());
    let observation = HostObservation {
        images: images.collect(),
        order,
        evidence: Evidence {
            runs: vec![evidence],
            damaged: false,
        },
        finished: Some(Finished {
            how: How::Exited(0),
            stdout: vec![],
            stderr: vec![],
        }),
    };
    HostRun::all("v6", observation).remove(0)
}

/// A run that was over when every VM had ended with success, having printed
/// this.
fn ended_well(consoles: [&[u8]; 2]) -> RunEvidence {
    let exit = Event::Device(common::trace::DeviceAccess {
        device: common::trace::Device::ExitPort,
        address: 0xf4,
        size: common::Size::Byte,
        write: true,
        value: 0,
    });
    let end = |vm| VmEnd {
        vm,
        now: Time(100),
        claim: Some(Claim {
            state: "ended".into(),
            ending: Some(Ending::Exited(0)),
            account: Account::default(),
        }),
        vcpus: vec![],
        last: vec![record(0, 90, exit)],
        explanation: None,
        failure: None,
        probes: vec![],
    };
    RunEvidence {
        consoles: (0..).zip(consoles.map(<[u8]>::to_vec)).collect(),
        vms: (0..2).map(|vm| (vm, end(vm))).collect(),
        end: Some(End {
            outcome: Some(Outcome::Done),
            clocks: vec![Time(100); 2],
            records: 0,
            measured: None,
        }),
        ..RunEvidence::none()
    }
}

fn failure(result: Result<(), Problem>) -> Failure {
    match result {
        Err(Problem::Failed(failure)) => *failure,
        other => panic!("{other:?}"),
    }
}

#[test]
fn stays_begin_and_end_by_the_clock_of_their_physical_cpu() {
    let (runs, idle) = (|vm| Event::Runs(name(vm)), Event::Idle);
    let mut evidence = ended_well([b"", b""]);
    evidence.records = vec![
        record(0, 0, runs(0)),
        record(1, 5, runs(1)),
        record(0, 10, runs(1)),
        record(1, 20, idle),
        record(1, 30, runs(0)),
    ];
    let run = run(evidence);
    let told: Vec<_> = run
        .stays()
        .iter()
        .map(|stay| (stay.vcpu.vm, stay.pcpu, stay.from.0, stay.to.0))
        .collect();
    let expected = [
        (0, 0, 0, 10),
        (1, 1, 5, 20),
        (1, 0, 10, 100),
        (0, 1, 30, 100),
    ];
    assert_eq!(told, expected);
    let moved: Vec<_> = run.migrations(0).iter().map(|stay| stay.at).collect();
    assert_eq!(moved, [4]);
}

#[test]
fn every_vm_is_held_against_its_own_model() {
    let wanted = guests::v1::guest("keeper").unwrap().expected(3).console;
    assert!(run(ended_well([&wanted, &wanted])).expect_models().is_ok());
    let other = [&wanted[..wanted.len() - 1], b"!"].concat();
    let failure = failure(run(ended_well([&wanted, &other])).expect_models());
    assert!(
        failure.expected.starts_with("vm 1: console line 1"),
        "{failure:?}"
    );
    assert_eq!(
        failure.look,
        "cargo lab run v6 --vm keeper:seed=3 --vm keeper:seed=3 --pcpus 2 --seed 1 --trace"
    );
}

#[test]
fn a_vm_that_never_ended_is_told_with_how_the_run_was_over() {
    let wanted = guests::v1::guest("keeper").unwrap().expected(3).console;
    let mut evidence = ended_well([&wanted, &[]]);
    let claim = evidence.vms.get_mut(&1).unwrap().claim.as_mut().unwrap();
    (claim.state, claim.ending) = ("asleep".into(), None);
    evidence.end.as_mut().unwrap().outcome = Some(Outcome::Stuck);
    let failure = failure(run(evidence).expect_models());
    assert_eq!(failure.expected, "vm 1: the guest exited with success");
    assert!(
        failure
            .seen
            .contains("it was asleep; every physical CPU slept"),
        "{}",
        failure.seen
    );
}

#[test]
fn a_violation_is_told_before_anything_that_follows_from_it() {
    let mut evidence = ended_well([b"nonsense", b""]);
    evidence.records = vec![
        record(0, 0, Event::Runs(name(0))),
        record(0, 70, Event::Runs(name(1))),
    ];
    evidence.violations.push(Violation {
        vcpu: name(1),
        pcpu: 0,
        time: Time(70),
        what: What::Context(vec!["rbx: 0x5 instead of 0x7".into()]),
    });
    let failure = failure(run(evidence).expect_no_violations());
    assert_eq!(
        failure.expected,
        "vm 1 finds the physical CPU as it left it"
    );
    assert!(
        failure.seen.contains("at 70 vm 1 on pcpu 0"),
        "{}",
        failure.seen
    );
    assert!(
        failure.seen.ends_with("rbx: 0x5 instead of 0x7"),
        "{}",
        failure.seen
    );
    assert_eq!(failure.moments.len(), 2);
}

#[test]
fn a_hole_is_told_as_the_exercise_that_is_next() {
    let mut evidence = RunEvidence::none();
    evidence.panic = Some(evidence::Panic {
        message: "not yet implemented: v6-E2: take".into(),
        place: None,
    });
    let run = run(evidence);
    for result in [run.expect_no_violations(), run.expect_models()] {
        assert_eq!(failure(result).not_yet.as_deref(), Some("v6-E2"));
    }
}

#[test]
fn each_run_of_a_sweep_has_a_command_with_its_own_seed() {
    let mut first = run(ended_well([b"", b""]));
    let observation = Rc::get_mut(&mut first.observation).unwrap();
    observation.evidence.runs.push(RunEvidence::none());
    let (order, images) = (
        observation.order.clone().seeds(2),
        observation.images.clone(),
    );
    let observation = HostObservation {
        order,
        images,
        evidence: observation.evidence.clone(),
        finished: observation.finished.clone(),
    };
    let runs = HostRun::all("v6", observation);
    let commands: Vec<_> = runs.iter().map(HostRun::command).collect();
    assert!(
        commands[0].ends_with("--seed 1") && commands[1].ends_with("--seed 2"),
        "{commands:?}"
    );
}

#[test]
fn a_nap_is_over_when_the_timer_that_the_guest_set_is_due() {
    use crate::checks::naps::{Nap, naps};
    let apic = |time, offset: u64, value| {
        let access = common::trace::DeviceAccess {
            device: Device::Apic,
            address: common::bus::APIC + offset,
            size: common::Size::Dword,
            write: true,
            value,
        };
        record(0, time, Event::Device(access))
    };
    let halted = |time| record(0, time, Event::Exit(Exit::Halted));
    let mut evidence = ended_well([b"", b""]);
    evidence.records = vec![
        record(0, 0, Event::Runs(name(0))),
        apic(1, 0xf0, 0x1ff),
        apic(2, 0x320, 32),
        apic(3, 0x3e0, 0b1011),
        apic(10, 0x380, 100),
        halted(50),
        record(0, 50, Event::Runs(name(1))),
        record(0, 130, Event::Runs(name(0))),
        record(0, 130, Event::Inject(32)),
    ];
    let nap = Nap {
        vm: 0,
        halted: Time(50),
        at: 5,
        due: Time(110),
        woken: Some((Time(130), 8)),
        stirred: None,
    };
    assert_eq!(naps(&run(evidence), 0), [nap]);
    assert_eq!(nap.late(), 20);
}
