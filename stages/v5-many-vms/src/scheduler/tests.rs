use super::*;
use crate::testing::{run, vm};
use crate::{Account, Weight};
use common::devices::Apic;
use common::drive::Outcome;
use common::scripted::{Play, ScriptedVcpu, TIMER, apic_with_timer};

const SWITCH_OFF: Play = Play::SWITCH_OFF;
const END_OF_INTERRUPT: Play = Play::END_OF_INTERRUPT;
const HOG: &[Play] = &[Play::ComputeForEver];

type Host = (Scheduler<ScriptedVcpu>, Pcpu<()>);

/// A host with slices of 1,000 ticks.
fn host() -> Host {
    (Scheduler::new(1_000), Pcpu::new(0, ()))
}

impl Scheduler<ScriptedVcpu> {
    fn started(&mut self, apic: Apic, script: &[Play], weight: u32) -> Id {
        let id = self.create(vm(apic, script), Weight::new(weight).unwrap());
        self.start(id, Time::ZERO).unwrap();
        id
    }

    fn hog(&mut self, weight: u32) -> Id {
        self.started(Apic::new(0), HOG, weight)
    }

    fn ran(&self, id: Id, now: Time) -> u64 {
        self.account(id, now).unwrap().run
    }
}

#[test]
fn two_vms_that_compute_have_equal_time() {
    let (mut scheduler, mut pcpu) = host();
    let [a, b] = [scheduler.hog(100), scheduler.hog(100)];
    run(&mut scheduler, &mut pcpu, 20_000);
    assert_eq!(scheduler.ran(a, pcpu.now), 10_000);
    assert_eq!(scheduler.ran(b, pcpu.now), 10_000);
}

#[test]
fn weights_divide_the_time_whoever_came_first() {
    let (mut scheduler, mut pcpu) = host();
    let [light, heavy] = [scheduler.hog(30), scheduler.hog(70)];
    run(&mut scheduler, &mut pcpu, 1_000_000);
    assert!(scheduler.ran(heavy, pcpu.now).abs_diff(700_000) <= 2_000);
    assert!(scheduler.ran(light, pcpu.now).abs_diff(300_000) <= 2_000);
}

#[test]
fn a_vm_that_ends_leaves_its_time_to_the_others() {
    let (mut scheduler, mut pcpu) = host();
    let script = [Play::Compute(1_500), SWITCH_OFF];
    let short = scheduler.started(Apic::new(0), &script, 100);
    let hog = scheduler.hog(100);
    run(&mut scheduler, &mut pcpu, 10_000);
    assert_eq!(scheduler.state(short), Ok(State::Ended(Ending::Exited(0))));
    assert_eq!(scheduler.ran(hog, pcpu.now), pcpu.now.0 - 1_501);
}

#[test]
fn all_is_done_when_the_last_vm_has_ended() {
    let (mut scheduler, mut pcpu) = host();
    for _ in 0..3 {
        scheduler.started(Apic::new(0), &[SWITCH_OFF], 100);
    }
    assert_eq!(run(&mut scheduler, &mut pcpu, 10_000), Outcome::Done);
}

#[test]
fn a_sleeper_is_woken_on_time_beside_a_vm_that_never_stops() {
    let (mut scheduler, mut pcpu) = host();
    scheduler.hog(100);
    let ticking = [Play::Nap, END_OF_INTERRUPT].repeat(40);
    let sleeper = scheduler.started(apic_with_timer(2_500), &ticking, 100);
    run(&mut scheduler, &mut pcpu, 50_000);
    let Account {
        run,
        waiting,
        halted,
        ..
    } = scheduler.account(sleeper, pcpu.now).unwrap();
    assert!(halted > 40_000, "it slept for {halted}");
    assert!(run > 0 && waiting < 5_000, "ran {run}, waited {waiting}");
}

#[test]
fn while_all_sleep_time_passes_and_nobody_pays_for_it() {
    let (mut scheduler, mut pcpu) = host();
    let script = [Play::Nap, END_OF_INTERRUPT, SWITCH_OFF];
    let sleeper = scheduler.started(apic_with_timer(5_000), &script, 100);
    assert_eq!(run(&mut scheduler, &mut pcpu, 10_000), Outcome::Done);
    let account = scheduler.account(sleeper, pcpu.now).unwrap();
    assert_eq!((account.run, account.halted), (3, 4_999));
}

#[test]
fn the_accounts_of_each_vm_make_up_its_whole_life() {
    let (mut scheduler, mut pcpu) = host();
    let ids = [
        scheduler.hog(100),
        scheduler.hog(300),
        scheduler.started(
            apic_with_timer(700),
            &[Play::Nap, END_OF_INTERRUPT].repeat(99),
            100,
        ),
    ];
    run(&mut scheduler, &mut pcpu, 30_000);
    let accounts = ids.map(|id| scheduler.account(id, pcpu.now).unwrap());
    for account in accounts {
        assert_eq!(account.total(), pcpu.now.0);
    }
    let run: u64 = accounts.iter().map(|account| account.run).sum();
    assert_eq!(run, pcpu.now.0, "somebody always ran");
}

#[test]
fn a_paused_vm_does_not_run_and_goes_on_when_it_is_resumed() {
    let (mut scheduler, mut pcpu) = host();
    let [a, b] = [scheduler.hog(100), scheduler.hog(100)];
    run(&mut scheduler, &mut pcpu, 10_000);
    let before = scheduler.ran(a, pcpu.now);
    scheduler.pause(a, pcpu.now).unwrap();
    run(&mut scheduler, &mut pcpu, 20_000);
    assert_eq!(scheduler.ran(a, pcpu.now), before);
    assert_eq!(scheduler.account(a, pcpu.now).unwrap().paused, 10_000);
    scheduler.resume(a, pcpu.now).unwrap();
    run(&mut scheduler, &mut pcpu, 30_000);
    let [a, b] = [a, b].map(|id| scheduler.ran(id, pcpu.now));
    assert!(
        a.abs_diff(b) >= 8_000,
        "the pause is not made up for: {a} and {b}"
    );
}

#[test]
fn a_sleeper_that_is_paused_is_not_woken_by_its_timer() {
    let (mut scheduler, mut pcpu) = host();
    let script = [Play::Nap, END_OF_INTERRUPT, SWITCH_OFF];
    let sleeper = scheduler.started(apic_with_timer(5_000), &script, 100);
    let hog = scheduler.hog(100);
    run(&mut scheduler, &mut pcpu, 3_000);
    scheduler.pause(sleeper, pcpu.now).unwrap();
    run(&mut scheduler, &mut pcpu, 9_000);
    assert_eq!(scheduler.state(sleeper), Ok(State::Paused));
    scheduler.resume(sleeper, pcpu.now).unwrap();
    run(&mut scheduler, &mut pcpu, 12_000);
    assert_eq!(
        scheduler.state(sleeper),
        Ok(State::Ended(Ending::Exited(0)))
    );
    assert_eq!(scheduler.state(hog), Ok(State::Ready));
}

#[test]
fn a_vm_that_is_shut_down_ends_and_can_be_destroyed() {
    let (mut scheduler, mut pcpu) = host();
    let id = scheduler.hog(100);
    run(&mut scheduler, &mut pcpu, 5_000);
    scheduler.shut_down(id, pcpu.now).unwrap();
    assert_eq!(scheduler.state(id), Ok(State::Ended(Ending::Stopped)));
    assert_eq!(scheduler.schedule_once(&mut pcpu), Progress::Done);
    assert!(scheduler.destroy(id).is_ok());
    assert_eq!(scheduler.state(id), Err(LifecycleError::NoSuchVm(id)));
}

#[test]
fn what_a_vm_cannot_do_now_is_refused_in_words() {
    let (mut scheduler, _) = host();
    let id = scheduler.hog(100);
    let error = scheduler.resume(id, Time::ZERO).unwrap_err();
    assert_eq!(
        error.to_string(),
        "vm 0 is ready, and must be paused for this"
    );
    let error = scheduler.pause(Id(7), Time::ZERO).unwrap_err();
    assert_eq!(error.to_string(), "vm 7 does not exist");
}

#[test]
fn a_timer_that_is_never_served_hurts_nobody_else() {
    let (mut scheduler, mut pcpu) = host();
    let storm = scheduler.started(apic_with_timer(10), HOG, 100);
    let hog = scheduler.hog(100);
    run(&mut scheduler, &mut pcpu, 20_000);
    assert_eq!(scheduler.ran(hog, pcpu.now), 10_000);
    assert_eq!(scheduler.ran(storm, pcpu.now), 10_000);
    assert_eq!(scheduler.entry(storm).unwrap().vm.vcpu().injected, [TIMER]);
}
