use super::super::drive::{Driven, Hypervisor};
use super::super::frame::Claim;
use super::super::report::Reporter;
use super::super::scenario::{Deed, Order, Scenario};
use super::super::stand::VmParts;
use super::super::writer::Writer;
use super::super::{Evidence, Violation};
use super::*;
use common::drive::Progress;
use common::scripted::{Scripted, Step};
use common::{Cpu, Memory, Trap};
use std::path::PathBuf;

/// Two VMs with an eye on each, and one physical CPU.
struct Scene {
    folder: tempfile::TempDir,
    watch: Arc<Watch>,
    eyes: [Eye; 2],
    pcpu: Pcpu<Box<dyn Cpu>>,
}

fn evidence_in(folder: &tempfile::TempDir) -> PathBuf {
    folder.path().join("evidence")
}

impl Scene {
    fn new(order: Order) -> Scene {
        let folder = tempfile::tempdir().unwrap();
        let mut scenario = Scenario::new(vec![]);
        scenario.order = order;
        let writer = Writer::create(&evidence_in(&folder), &scenario).unwrap();
        writer.run(1);
        let contexts = [1, 2].map(|seed| context(seed, Memory::new(4096).unwrap()));
        let vms = contexts.clone().map(|context| vec![context]);
        let watch = Arc::new(Watch::new(writer, vms, &scenario));
        (0..2).for_each(|vm| watch.asks(Deed::Start(vm)));
        let [first, _] = contexts;
        let steps = (0..9)
            .map(|_| Step::new(Trap::Budget, 100).doing(work))
            .collect();
        let cpu: Box<dyn Cpu> = Box::new(Scripted::new(first.space.memory.clone(), steps));
        let mut pcpu = Pcpu::new(0, cpu);
        *pcpu.context() = first;
        let eye = |vm| Eye::new(VcpuName { vm, vcpu: 0 }, Arc::clone(&watch));
        Scene {
            eyes: [0, 1].map(eye),
            folder,
            watch,
            pcpu,
        }
    }

    /// VM `vm` runs on what is on the physical CPU now.
    fn run(&mut self, vm: usize) {
        self.eyes[vm].begins(&mut self.pcpu);
        self.pcpu.enter(100);
        self.eyes[vm].ends(&mut self.pcpu, Exit::Deadline, Told::default());
    }

    /// What was seen that must not be.
    fn violations(&self) -> Vec<Violation> {
        let evidence = Evidence::read(&evidence_in(&self.folder)).unwrap();
        evidence.runs[0].violations.clone()
    }
}

/// What guest code does to its registers.
fn work(context: &mut Context) {
    context.rip += 7;
    context.registers[Gpr::Rbx] += 1;
}

fn context(seed: u64, memory: Memory) -> Context {
    let mut pcpu = Pcpu::new(0, Scripted::new(memory, vec![]));
    pcpu.scramble(seed);
    pcpu.context().clone()
}

#[test]
fn a_right_switch_is_no_violation() {
    let mut scene = Scene::new(Order::Fair(1));
    let mut other = scene.watch.vms[1].vcpus[0].lock().context.clone();
    for _ in 0..3 {
        scene.run(0);
        std::mem::swap(scene.pcpu.context(), &mut other);
        scene.run(1);
        std::mem::swap(scene.pcpu.context(), &mut other);
    }
    assert_eq!(scene.violations(), []);
    assert_eq!(scene.watch.vms[1].vcpus[0].lock().ran, 300);
}

#[test]
fn a_switch_that_forgets_rbx_is_caught_with_both_values() {
    let mut scene = Scene::new(Order::Fair(1));
    scene.run(0);
    let mut saved = scene.pcpu.context().clone();
    let lost = saved.registers[Gpr::Rbx];
    *scene.pcpu.context() = scene.watch.vms[1].vcpus[0].lock().context.clone();
    scene.run(1);
    let others = scene.pcpu.context().registers[Gpr::Rbx];
    saved.registers[Gpr::Rbx] = others;
    *scene.pcpu.context() = saved;
    scene.run(0);
    let [violation] = &scene.violations()[..] else {
        panic!("{:?}", scene.violations());
    };
    assert_eq!(
        (violation.vcpu.vm, violation.pcpu, violation.time),
        (0, 0, Time(200))
    );
    let told = format!("rbx: {others:#x} instead of {lost:#x}");
    assert_eq!(violation.what, What::Context(vec![told]));
}

#[test]
fn nothing_of_a_context_may_be_forgotten() {
    let memory = Memory::new(4096).unwrap();
    let wanted = context(1, memory.clone());
    let other = context(2, memory);
    let spoil: [fn(&mut Context, &Context); 9] = [
        |context, other| context.registers = other.registers,
        |context, other| context.rip = other.rip,
        |context, other| context.flags = !other.flags,
        |context, other| context.fs_base = other.fs_base,
        |context, other| context.gs_base = other.gs_base,
        |context, other| context.xmm[15] = other.xmm[15],
        |context, _| context.mxcsr ^= 1,
        |context, _| context.space.set_root(0x5000),
        |context, _| context.space.view = View::User,
    ];
    for (number, spoil) in spoil.into_iter().enumerate() {
        let mut found = wanted.clone();
        assert_eq!(differences(&wanted, &found), [""; 0]);
        spoil(&mut found, &other);
        assert!(!differences(&wanted, &found).is_empty(), "number {number}");
    }
    let elsewhere = Memory::new(4096).unwrap();
    let mut found = wanted.clone();
    found.space.memory = elsewhere;
    assert_eq!(differences(&wanted, &found), ["the memory of another vm"]);
}

#[test]
fn an_answer_changes_the_context_rightly() {
    let mut scene = Scene::new(Order::Fair(1));
    scene.run(0);
    scene.eyes[0].waits_for_answer(&mut scene.pcpu);
    scene.pcpu.context().registers[Gpr::Rax] = 5;
    scene.eyes[0].got_answer(&mut scene.pcpu);
    scene.run(0);
    assert_eq!(scene.violations(), []);
    scene.pcpu.context().registers[Gpr::Rax] = 6;
    scene.eyes[0].waits_for_answer(&mut scene.pcpu);
    assert_eq!(scene.violations().len(), 1);
}

#[test]
fn time_that_goes_back_is_caught() {
    let mut scene = Scene::new(Order::Fair(1));
    scene.run(0);
    scene.pcpu.now = Time(99);
    scene.run(0);
    let violations = scene.violations();
    assert_eq!(violations[0].what, What::TimeWentBack(Time(100)));
    assert_eq!(violations.len(), 1);
}

#[test]
fn a_vm_that_is_paused_or_has_ended_must_not_run() {
    for (deed, what) in [
        (Deed::Pause(0), What::Paused),
        (Deed::ShutDown(0), What::Ended),
    ] {
        let mut scene = Scene::new(Order::Fair(1));
        scene.run(0);
        scene.watch.done(deed);
        scene.run(0);
        assert_eq!(scene.violations()[0].what, what);
    }
}

#[test]
fn with_threads_a_paused_vm_may_run_on_for_a_moment() {
    let mut scene = Scene::new(Order::Threads);
    scene.run(0);
    scene.watch.done(Deed::Pause(0));
    scene.run(0);
    assert_eq!(scene.violations(), []);
}

/// A version on which a VM runs, as on another thread, before `start` comes back.
struct Hasty(Scene);

impl Hypervisor for Hasty {
    type Cpu = Box<dyn Cpu>;

    fn create(&mut self, _: VmParts<Box<dyn Cpu>>) {}

    fn carry_out(&mut self, _: Deed, _: Time) -> Result<(), String> {
        self.0.run(0);
        Ok(())
    }

    fn schedule_once(&mut self, _: &mut Pcpu<Box<dyn Cpu>>) -> Progress {
        Progress::Done
    }

    fn audit(&self) -> Result<(), String> {
        Err(String::from("vm 0 is nowhere"))
    }

    fn claim(&self, _: u32, _: Time) -> Option<Claim> {
        None
    }
}

#[test]
fn who_is_lost_is_reported_once_and_only_if_nobody_else_is_inside() {
    for (order, expected) in [(Order::Fair(1), Some(Time(5))), (Order::Threads, None)] {
        let scene = Scene::new(order);
        let watch = Arc::clone(&scene.watch);
        let mut driven = Driven {
            hypervisor: Hasty(scene),
            watch: &watch,
        };
        let reporter = Reporter {
            images: &[],
            memories: &[],
            watch: &watch,
        };
        for time in [5, 6] {
            driven.ask(Deed::Plug(0), Time(time), &reporter);
        }
        let evidence = Evidence::read(&evidence_in(&driven.hypervisor.0.folder)).unwrap();
        let lost = evidence.runs[0].lost.as_ref();
        assert_eq!(lost.map(|lost| lost.time), expected);
    }
}

#[test]
fn a_vm_may_run_from_the_moment_at_which_its_start_is_asked_for() {
    for (deed, expected) in [
        (Deed::Start(0), vec![]),
        (Deed::Plug(0), vec![What::NotStarted]),
    ] {
        let scene = Scene::new(Order::Threads);
        scene.watch.vms[0].books.lock().phase = Phase::Created;
        let watch = Arc::clone(&scene.watch);
        let mut driven = Driven {
            hypervisor: Hasty(scene),
            watch: &watch,
        };
        let reporter = Reporter {
            images: &[],
            memories: &[],
            watch: &watch,
        };
        driven.ask(deed, Time::ZERO, &reporter);
        let seen = driven.hypervisor.0.violations().into_iter();
        assert_eq!(seen.map(|one| one.what).collect::<Vec<_>>(), expected);
    }
}

#[test]
fn only_the_first_violations_of_a_vcpu_are_told() {
    let mut scene = Scene::new(Order::Fair(1));
    for _ in 0..8 {
        scene.pcpu.context().rip += 1;
        scene.run(0);
    }
    assert_eq!(scene.violations().len(), 4);
}
