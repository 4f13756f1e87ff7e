use super::*;
use crate::testing::Host;
use common::Exit;
use common::drive::{Order, Outcome, nothing, threads};
use common::scripted::Play;
use proptest::prelude::*;

const VECTOR: u8 = 40;
const NAP: &[Play] = &[Play::Nap, Play::END_OF_INTERRUPT];
const SPIN: Play = Play::Exit(Exit::SpinLoop);

fn send(target: u8) -> Vec<Play> {
    Play::send(VECTOR, target).to_vec()
}

/// Number 0 throws a ball to number 1 and sleeps until it comes back, so many
/// times. Nobody else wakes anybody.
fn ping_pong(rounds: usize) -> [Vec<Play>; 2] {
    let ping = [send(1), NAP.to_vec()].concat().repeat(rounds);
    let pong = [NAP.to_vec(), send(0)].concat().repeat(rounds);
    [
        [ping, vec![Play::SWITCH_OFF]].concat(),
        [pong, vec![Play::ComputeForEver]].concat(),
    ]
}

fn on(home: usize) -> Settings {
    Settings {
        home: Some(home),
        ..Settings::default()
    }
}

fn ended_well(host: &Host, id: Id) -> bool {
    host.scheduler.ending(id) == Ok(Some(Ending::Exited(0)))
}

#[test]
fn a_ball_that_is_thrown_by_interrupts_alone_comes_back_every_time() {
    for (pcpus, seed) in [(1, 1), (2, 1), (2, 2), (3, 3)] {
        let mut host = Host::new(pcpus, Mitigation::None);
        let id = host.start(&ping_pong(50), Settings::default());
        assert_eq!(host.run(Order::Fair(seed), 1_000_000), Outcome::Done);
        assert!(ended_well(&host, id));
    }
}

proptest! {
    #[test]
    fn no_order_loses_an_interrupt(seed: u64, pcpus in 1..4usize, games in 1..4usize) {
        let mut host = Host::new(pcpus, Mitigation::None);
        let ids: Vec<_> = (0..games)
            .map(|_| host.start(&ping_pong(20), Settings::default()))
            .collect();
        prop_assert_eq!(host.run(Order::Adversarial(seed), 10_000_000), Outcome::Done);
        prop_assert!(ids.iter().all(|id| ended_well(&host, *id)));
    }
}

#[test]
fn no_interrupt_is_lost_between_threads() {
    for round in 0..20 {
        let mut host = Host::new(1 + round % 3, Mitigation::None);
        let ids = [0, 1].map(|_| host.start(&ping_pong(200), Settings::default()));
        let outcome = threads(&host.scheduler, &mut host.pcpus, Time::NEVER, &mut nothing);
        assert_eq!(outcome, Outcome::Done);
        assert!(ids.iter().all(|id| ended_well(&host, *id)));
    }
}

#[test]
fn when_one_vcpu_switches_the_machine_off_its_siblings_stop_whatever_they_do() {
    let mut host = Host::new(2, Mitigation::None);
    let scripts = [
        vec![Play::ComputeForEver],
        vec![Play::Interrupts(true), Play::HALT],
        vec![Play::ComputeForEver],
        vec![Play::Compute(5_000), Play::SWITCH_OFF],
    ];
    let id = host.start(&scripts, Settings::default());
    assert_eq!(host.run(Order::Fair(1), 100_000), Outcome::Done);
    assert!(ended_well(&host, id));
    let ran = host.time_of(id, 0);
    assert!(ran < 20_000, "a sibling ran on for {ran}");
    host.scheduler.destroy(id).unwrap();
    let gone = Err(LifecycleError::NoSuchVm(id));
    assert_eq!(host.scheduler.ending(id), gone);
}

#[test]
fn a_machine_ends_when_its_last_vcpu_does() {
    let mut host = Host::new(2, Mitigation::None);
    let leaves = |ticks| vec![Play::Compute(ticks), Play::HALT];
    let id = host.start(&[leaves(100), leaves(9_000)], Settings::default());
    host.run(Order::Fair(1), 5_000);
    assert_eq!(host.scheduler.ending(id), Ok(None));
    assert_eq!(host.run(Order::Fair(1), 50_000), Outcome::Done);
    assert_eq!(host.scheduler.ending(id), Ok(Some(Ending::Halted)));
}

#[test]
fn a_machine_whose_vcpus_all_wait_for_each_other_has_halted() {
    let mut host = Host::new(2, Mitigation::None);
    let waits = vec![Play::Compute(100), Play::Nap];
    let id = host.start(&[waits.clone(), waits], Settings::default());
    assert_eq!(host.run(Order::Fair(1), 50_000), Outcome::Done);
    assert_eq!(host.scheduler.ending(id), Ok(Some(Ending::Halted)));
}

#[test]
fn a_letter_to_a_vcpu_that_is_no_more_does_not_keep_the_machine_alive() {
    let mut host = Host::new(2, Mitigation::None);
    let leaves = vec![Play::HALT];
    let writes = [&[Play::Compute(5_000)][..], &send(1), &[Play::HALT]].concat();
    let id = host.start(&[writes, leaves], Settings::default());
    assert_eq!(host.run(Order::Fair(1), 50_000), Outcome::Done);
    assert_eq!(host.scheduler.ending(id), Ok(Some(Ending::Halted)));
}

#[test]
fn one_machines_end_is_nothing_to_another() {
    let mut host = Host::new(1, Mitigation::None);
    let dies = vec![
        Play::Compute(100),
        Play::Exit(Exit::Unsupported(common::Trap::SpinLoop)),
    ];
    let dead = host.start(&[dies, vec![Play::ComputeForEver]], Settings::default());
    let well = host.start(&ping_pong(10), Settings::default());
    assert_eq!(host.run(Order::Fair(1), 100_000), Outcome::Done);
    let ending = host.scheduler.ending(dead).unwrap();
    assert!(matches!(ending, Some(Ending::Died(_))), "{ending:?}");
    assert!(ended_well(&host, well));
}

/// Two vCPUs on one physical CPU: number 0 spins as long as there is script,
/// number 1 works. How long number 0 has run when number 1 is done.
fn spun(mitigation: Mitigation, spin: Play) -> u64 {
    let mut host = Host::new(1, mitigation);
    let spins = [Play::Compute(49), spin].repeat(500);
    let works = vec![Play::Compute(2_500), Play::SWITCH_OFF];
    let id = host.start(&[spins, works], Settings::default());
    assert_eq!(host.run(Order::Fair(1), 100_000), Outcome::Done);
    host.time_of(id, 0)
}

#[test]
fn who_spins_gives_its_turn_to_a_sibling_that_waits() {
    let [before, after] = [Mitigation::None, Mitigation::SpinExits].map(|how| spun(how, SPIN));
    assert!(before >= 2_000 && after <= 500, "{before} and {after}");
}

#[test]
fn who_says_for_whom_it_waits_gives_its_turn_to_that_one() {
    let says = Play::Exit(Exit::PortOut {
        port: common::bus::YIELD_PORT,
        size: common::Size::Byte,
        value: 1,
    });
    let [before, after] = [Mitigation::None, Mitigation::YieldPort].map(|how| spun(how, says));
    assert!(before >= 2_000 && after <= 500, "{before} and {after}");
}

#[test]
fn a_vcpu_that_does_not_exist_is_waited_for_in_vain_and_does_no_harm() {
    let mut host = Host::new(1, Mitigation::YieldPort);
    let says = Play::Exit(Exit::PortOut {
        port: common::bus::YIELD_PORT,
        size: common::Size::Dword,
        value: u32::MAX,
    });
    let id = host.start(&[vec![says, Play::SWITCH_OFF]], Settings::default());
    assert_eq!(host.run(Order::Fair(1), 100_000), Outcome::Done);
    assert!(ended_well(&host, id));
}

#[test]
fn to_spin_does_not_take_time_from_other_vms() {
    let mut host = Host::new(1, Mitigation::SpinExits);
    let spins = [Play::Compute(49), SPIN].repeat(4_000);
    let spinning = host.start(&[spins.clone(), spins], Settings::default());
    let hog = host.start(&[vec![Play::ComputeForEver]], Settings::default());
    host.run(Order::Fair(1), 90_000);
    let [a, b] = [0, 1].map(|vcpu| host.time_of(spinning, vcpu));
    let hog = host.time_of(hog, 0);
    assert!(
        hog >= 26_000,
        "a third of the time is its own: {a}, {b}, {hog}"
    );
}

/// Two VMs of two vCPUs on two physical CPUs, out of step. For how much of the
/// time of one vCPU its sibling ran too, in percent.
fn together(mitigation: Mitigation) -> usize {
    let mut host = Host::new(2, mitigation);
    host.start(&[vec![Play::Compute(500), Play::SWITCH_OFF]], on(0));
    let hogs = [vec![Play::ComputeForEver], vec![Play::ComputeForEver]];
    let [pair, _] = [0, 1].map(|_| host.start(&hogs, Settings::default()));
    let (mut both, mut either) = (0, 0);
    for moment in 1..400 {
        host.run(Order::Fair(moment), 20_000 + moment * 250);
        let runs = |vcpu| host.scheduler.state(pair, vcpu) == Ok(State::Running);
        either += usize::from(runs(0));
        both += usize::from(runs(0) && runs(1));
    }
    both * 100 / either.max(1)
}

#[test]
fn siblings_that_are_co_scheduled_run_at_the_same_time() {
    let [apart, together] = [Mitigation::None, Mitigation::CoScheduling].map(together);
    assert!(
        together >= 80 && apart < together,
        "{apart} and {together} percent"
    );
}

#[test]
fn a_paused_machine_stands_still_with_all_its_vcpus() {
    let mut host = Host::new(2, Mitigation::None);
    let hogs = vec![Play::ComputeForEver];
    let id = host.start(&[hogs.clone(), hogs], on(0));
    host.run(Order::Fair(1), 10_000);
    let now = Time(10_000);
    host.scheduler.pause(id, now).unwrap();
    host.run(Order::Fair(1), 12_000);
    let before = [0, 1].map(|vcpu| host.time_of(id, vcpu));
    host.run(Order::Fair(1), 50_000);
    assert_eq!([0, 1].map(|vcpu| host.time_of(id, vcpu)), before);
    host.scheduler.resume(id, now).unwrap();
    host.run(Order::Fair(1), 60_000);
    assert!((0..2).all(|vcpu| host.time_of(id, vcpu) > before[usize::from(vcpu)]));
}
