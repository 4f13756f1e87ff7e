//! The schedulers of versions 5 to 7 share hardware CPUs among VMs as they share
//! the software CPU, and each guest prints what its model says.
//!
//! Version 5 has one physical CPU, in this thread; versions 6 and 7 have two, in
//! a thread each.

#![cfg(all(target_os = "linux", target_arch = "x86_64"))]

mod support;

use common::devices::Apic;
use common::drive::{Order, Outcome, Stepper, nothing, threads};
use common::{Bus, Ending, Exit, NotReady, Pcpu, Time, Vcpu};
use guests::catalogue::Guest;
use kvm::{Ability, HostCpu};
use support::{Console, can, can_run, vcpus};
use v5::{Processor, Switch};

/// A vCPU as the schedulers want it.
struct OnKvm(kvm::Vcpu);

impl Vcpu for OnKvm {
    type Cpu = HostCpu;

    fn run(&mut self, pcpu: &mut Pcpu<HostCpu>, until: Time) -> Exit {
        self.0.run(pcpu, until)
    }

    fn complete(&mut self, pcpu: &mut Pcpu<HostCpu>, value: u64) {
        self.0.complete(pcpu, value);
    }

    fn can_inject(&self) -> bool {
        self.0.can_inject()
    }

    fn inject(&mut self, vector: u8) -> Result<(), NotReady> {
        self.0.inject(vector)
    }

    fn want_window(&mut self, on: bool) {
        self.0.want_window(on);
    }
}

/// The file descriptor is the saved context.
impl Switch for OnKvm {
    type Saved = ();

    fn save(&mut self, _: &mut Pcpu<HostCpu>) {}

    fn restore(&mut self, _: &mut Pcpu<HostCpu>, (): ()) {}
}

/// Half a minute.
const LIMIT: Time = Time(30_000_000);
/// How long a turn is: ten milliseconds.
const SLICE: u64 = 10_000;

/// What single guests need. Two sleep with `sti; hlt` until the one interrupt that is
/// on its way; without the shadow it may come in between, and then they sleep for ever.
/// The third needs a CPU that refuses values: the emulated one that forgets the number
/// of a gate does not.
const NEEDS: [(&str, Ability); 3] = [
    ("talker", Ability::Shadow),
    ("ping-pong", Ability::Shadow),
    ("reserved-values", Ability::GateNumber),
];

/// A guest, the parts of its VM, and what it prints.
struct Case {
    guest: &'static Guest,
    seed: u64,
    console: Console,
}

impl Case {
    /// Every guest that ends well and can run here, from these catalogues.
    fn all(guests: impl Iterator<Item = &'static Guest>) -> Vec<Case> {
        let seeds = 1..;
        let ends_well =
            |guest: &&Guest| guest.expected(1).ending == guests::catalogue::Ending::Exit(0);
        let runs_here = |guest: &&Guest| {
            let mut needs = NEEDS.iter().filter(|need| need.0 == guest.name);
            needs.all(|need| can(need.1, guest.name))
        };
        let case = |(guest, seed)| Case {
            guest,
            seed,
            console: Console::default(),
        };
        let guests = guests.filter(ends_well).filter(runs_here);
        guests.zip(seeds).map(case).collect()
    }

    fn bus(&self) -> Bus {
        Bus::new(Box::new(self.console.clone()))
    }

    fn processors(&self) -> Vec<Processor<OnKvm>> {
        let elf = self.guest.build(self.seed).elf();
        let vcpus = vcpus(&elf, self.guest.vcpus);
        let processor = |(number, vcpu)| Processor::new(OnKvm(vcpu), Apic::new(number), ());
        (0..).zip(vcpus).map(processor).collect()
    }

    fn vm(&self) -> v5::Vm<OnKvm> {
        v5::Vm::new(self.processors().remove(0), self.bus())
    }

    fn assert_printed(&self) {
        let printed = self.console.text();
        assert!(
            printed == self.guest.expected(self.seed).console,
            "{}: {}",
            self.guest.name,
            String::from_utf8_lossy(&printed)
        );
    }
}

fn pcpus(count: usize) -> Vec<Pcpu<HostCpu>> {
    (0..count)
        .map(|id| HostCpu::pcpu(id, HostCpu::TICK))
        .collect()
}

fn tenants() -> Vec<Case> {
    Case::all(guests::v5::guests().chain(guests::v3::guests()))
}

#[test]
fn many_vms_share_one_cpu_and_each_prints_what_it_prints_alone() {
    if !can_run(5) {
        return;
    }
    let cases = tenants();
    let mut scheduler = v5::Scheduler::new(SLICE);
    let ids: Vec<_> = cases
        .iter()
        .map(|case| {
            let id = scheduler.create(case.vm(), v5::Weight::default());
            scheduler.start(id, Time::ZERO).unwrap();
            id
        })
        .collect();
    let mut stepper = Stepper::new(Order::Fair(0));
    let outcome = stepper.run(&mut scheduler, &mut pcpus(1), LIMIT, &mut nothing);
    assert_eq!(outcome, Outcome::Done);
    for (case, id) in cases.iter().zip(ids) {
        case.assert_printed();
        let state = scheduler.state(id).unwrap();
        assert_eq!(
            state,
            v5::State::Ended(Ending::Exited(0)),
            "{}",
            case.guest.name
        );
    }
}

#[test]
fn many_vms_move_between_two_cpus_in_threads_of_their_own() {
    if !can_run(6) {
        return;
    }
    let cases = tenants();
    let mut pcpus = pcpus(2);
    let kicks = pcpus.iter().map(|pcpu| pcpu.kick.clone());
    let scheduler = v6::Scheduler::new(kicks, SLICE);
    for case in &cases {
        let id = scheduler.create(case.vm(), v6::Settings::default());
        scheduler.start(id, Time::ZERO).unwrap();
    }
    let outcome = threads(&scheduler, &mut pcpus, LIMIT, &mut nothing);
    assert_eq!(outcome, Outcome::Done);
    cases.iter().for_each(Case::assert_printed);
    scheduler.audit().unwrap();
}

#[test]
fn vms_of_many_vcpus_run_on_two_cpus_in_threads_of_their_own() {
    if !can_run(7) {
        return;
    }
    for case in Case::all(guests::v7::guests()) {
        // Nothing but the interrupt that it waits for ever wakes it.
        let begin = std::time::Instant::now();
        let mut pcpus = pcpus(2);
        let kicks = pcpus.iter().map(|pcpu| pcpu.kick.clone());
        let scheduler = v7::Scheduler::new(kicks, SLICE, v7::Mitigation::YieldPort);
        let settings = v6::Settings::default();
        let id = scheduler.create(case.processors(), case.bus(), settings);
        scheduler.start(id, Time::ZERO).unwrap();
        let outcome = threads(&scheduler, &mut pcpus, LIMIT, &mut nothing);
        let ending = scheduler.ending(id).unwrap();
        eprintln!(
            "v7 {}: {ending:?} after {:.1?}",
            case.guest.name,
            begin.elapsed()
        );
        assert_eq!(outcome, Outcome::Done, "{}", case.guest.name);
        assert_eq!(ending, Some(Ending::Exited(0)), "{}", case.guest.name);
        case.assert_printed();
    }
}
