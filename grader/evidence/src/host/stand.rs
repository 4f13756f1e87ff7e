//! The stand that a version with many VMs is run on.

use super::drive::{Driven, Hypervisor, control};
use super::eye::Eye;
use super::frame::{End, Frame, Outcome};
use super::report::Reporter;
use super::scenario::{Order, Policy, Scenario, VmSetup};
use super::watch::{Console, Watch};
use super::writer::Writer;
use crate::limits;
use crate::panics::report_panics;
use common::devices::Apic;
use common::drive::{self, Stepper};
use common::trace::VcpuName;
use common::{Boot, Bus, Context, Cpu, Image, Interp, Kick, Memory, PAGE_SIZE, Pcpu, Size, Time};
use std::error::Error;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

/// A host with its VMs, ready to be run once by a version.
pub struct Host {
    scenario: Arc<Scenario>,
    images: Arc<Vec<Image>>,
    memories: Vec<Memory>,
    watch: Arc<Watch>,
    pcpus: Vec<HostCpu>,
    vms: Vec<VmParts>,
}

/// What a version makes a VM of.
pub struct VmParts {
    /// Its vCPUs, from number 0.
    pub vcpus: Vec<VcpuParts>,
    /// Its devices.
    pub bus: Bus,
    /// How much it counts beside the others.
    pub weight: u32,
    /// The physical CPU on which it is placed at first, if the scenario says so.
    pub home: Option<usize>,
    /// On which physical CPUs it may run, one bit each, if not on all.
    pub affinity: Option<u64>,
}

/// What a version makes a vCPU of.
pub struct VcpuParts {
    /// The eye that has to look at it.
    pub eye: Eye,
    /// Its interrupt controller.
    pub apic: Apic,
    /// The context in which it begins.
    pub context: Context,
}

/// A physical CPU of the host.
type HostCpu = Pcpu<Box<dyn Cpu>>;

/// Puts a context into the state in which a guest kernel expects its CPU:
/// version 1's first exercise.
pub type Prepare = fn(&Boot, &mut Context);

/// What a thread of the host may take: its stack and the allocator's arena.
const THREAD: u64 = 80 << 20;

/// Runs a version in the scenario that the command line names, once for each of
/// its seeds, and reports to the file that it names second: `run-v5 SCENARIO
/// EVIDENCE`.
///
/// `run` makes the version's scheduler and gives it to [`Host::step`] or
/// [`Host::drive`].
pub fn main(prepare: Prepare, run: impl Fn(Host)) -> ExitCode {
    let arguments: Vec<PathBuf> = std::env::args_os().skip(1).map(PathBuf::from).collect();
    let done = match &arguments[..] {
        [scenario, evidence] => report(prepare, run, scenario, evidence),
        _ => Err("usage: SCENARIO EVIDENCE (`cargo lab run` calls this for you)".into()),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn report(
    prepare: Prepare,
    run: impl Fn(Host),
    scenario: &Path,
    evidence: &Path,
) -> Result<(), Box<dyn Error>> {
    let scenario: Scenario = serde_json::from_slice(&std::fs::read(scenario)?)?;
    let writer = Writer::create(evidence, &scenario)?;
    let guests: u64 = scenario.vms.iter().map(|vm| vm.memory).sum();
    limits::set(guests + scenario.pcpus as u64 * THREAD, scenario.patience)?;
    let panics = writer.clone();
    report_panics(move |panic| panics.put(&Frame::Panic(panic)));
    let image = |vm: &VmSetup| -> Result<Image, Box<dyn Error>> {
        Ok(Image::parse(&std::fs::read(&vm.image)?)?)
    };
    let images: Result<Vec<_>, _> = scenario.vms.iter().map(image).collect();
    let images = Arc::new(images?);
    for later in 0..scenario.seeds.max(1) {
        let order = scenario.order.later(later);
        let scenario = Arc::new(Scenario {
            order,
            ..scenario.clone()
        });
        writer.run(order.seed().unwrap_or(0));
        let ran = catch_unwind(AssertUnwindSafe(|| {
            Host::new(&scenario, &images, &writer, prepare).map(&run)
        }));
        match ran {
            Ok(done) => done?,
            Err(_) => return Ok(()), // the panic is on record
        }
    }
    Ok(())
}

impl Host {
    pub(crate) fn new(
        scenario: &Arc<Scenario>,
        images: &Arc<Vec<Image>>,
        writer: &Writer,
        prepare: Prepare,
    ) -> Result<Host, Box<dyn Error>> {
        let machines = scenario.vms.iter().zip(&**images);
        let machines = machines.map(|(setup, image)| machine(setup, image, prepare));
        let machines: Result<Vec<_>, _> = machines.collect();
        let (memories, contexts): (Vec<_>, Vec<_>) = machines?.into_iter().unzip();
        let watch = Arc::new(Watch::new(writer.clone(), contexts.clone(), scenario));
        let vms = scenario.vms.iter().zip(contexts).zip(0..);
        Ok(Host {
            scenario: Arc::clone(scenario),
            images: Arc::clone(images),
            memories,
            pcpus: pcpus(scenario, &watch)?,
            vms: vms
                .map(|((setup, contexts), vm)| parts(setup, contexts, vm, &watch))
                .collect(),
            watch,
        })
    }

    /// How long a turn is, in ticks.
    pub fn slice(&self) -> u64 {
        self.scenario.slice
    }

    /// What is done about spinning vCPUs.
    pub fn policy(&self) -> Policy {
        self.scenario.policy
    }

    /// The kicks of the physical CPUs, by their numbers.
    pub fn kicks(&self) -> Vec<Kick> {
        self.pcpus.iter().map(|pcpu| pcpu.kick.clone()).collect()
    }

    /// Runs a version that belongs to one thread.
    ///
    /// # Panics
    /// If the scenario asks for threads.
    pub fn step<H: Hypervisor>(self, hypervisor: H) {
        let order = match self.scenario.order {
            Order::Fair(seed) => drive::Order::Fair(seed),
            Order::Adversarial(seed) => drive::Order::Adversarial(seed),
            Order::Threads => panic!("this version has one thread"),
        };
        self.run(hypervisor, |driven, pcpus, limit, control| {
            Stepper::new(order).run(driven, pcpus, limit, control)
        });
    }

    /// Runs a version that threads can share, in whichever way the scenario
    /// asks.
    pub fn drive<H: Hypervisor + Copy + Send + Sync>(self, hypervisor: H) {
        match self.scenario.order {
            Order::Threads => self.run(hypervisor, |driven, pcpus, limit, control| {
                drive::threads(*driven, pcpus, limit, control)
            }),
            _ => self.step(hypervisor),
        }
    }

    /// Creates the VMs, has them driven, and reports.
    fn run<H: Hypervisor>(
        self,
        hypervisor: H,
        driver: impl for<'a> FnOnce(
            &mut Driven<'a, H>,
            &mut [HostCpu],
            Time,
            &mut drive::Control<'_, Driven<'a, H>>,
        ) -> drive::Outcome,
    ) {
        let Host {
            scenario,
            images,
            memories,
            watch,
            mut pcpus,
            vms,
        } = self;
        let reporter = Reporter {
            images: &images,
            memories: &memories,
            watch: &watch,
        };
        let watch = &*watch;
        let mut driven = Driven { hypervisor, watch };
        let outcome = catch_unwind(AssertUnwindSafe(|| {
            vms.into_iter().for_each(|vm| driven.hypervisor.create(vm));
            let mut control = control(scenario.plan(), &reporter);
            driver(&mut driven, &mut pcpus, scenario.limit, &mut control)
        }));
        let clocks: Vec<_> = pcpus.iter().map(|pcpu| pcpu.now).collect();
        let now = clocks.iter().copied().max().unwrap_or(Time::ZERO);
        for vm in 0..memories.len() as u32 {
            let claim = catch_unwind(AssertUnwindSafe(|| driven.hypervisor.claim(vm, now)));
            reporter.report(reporter.look(vm, now, claim.ok().flatten()));
        }
        watch.writer.put(&Frame::End(End {
            outcome: outcome.ok().map(Outcome::from),
            clocks,
            records: watch.writer.seen(),
        }));
    }
}

/// One VM's memory with its guest, and the contexts of its vCPUs.
fn machine(
    setup: &VmSetup,
    image: &Image,
    prepare: Prepare,
) -> Result<(Memory, Vec<Context>), Box<dyn Error>> {
    let memory = Memory::new(setup.memory)?;
    image.load(&memory)?;
    let tick_length = image.symbols.address_of("tick_length");
    if let (Some(address), Some(ticks)) = (tick_length, setup.guest_tick) {
        memory.store(address, Size::Dword, ticks.into());
    }
    let boot = Boot::prepare(&memory, image.entry)?;
    let context = |vcpu: u8| -> Result<Context, Box<dyn Error>> {
        let mut context = Context::new(memory.clone());
        prepare(&boot.for_vcpu(vcpu.into())?, &mut context);
        Ok(context)
    };
    let contexts: Result<_, _> = (0..setup.vcpus).map(context).collect();
    Ok((memory, contexts?))
}

fn parts(setup: &VmSetup, contexts: Vec<Context>, vm: u32, watch: &Arc<Watch>) -> VmParts {
    let vcpu = |(context, vcpu)| VcpuParts {
        eye: Eye::new(VcpuName { vm, vcpu }, Arc::clone(watch)),
        apic: Apic::new(vcpu),
        context,
    };
    let watch = Arc::clone(watch);
    VmParts {
        vcpus: contexts.into_iter().zip(0..).map(vcpu).collect(),
        bus: Bus::new(Box::new(Console { watch, vm })),
        weight: setup.weight,
        home: setup.home,
        affinity: setup.affinity,
    }
}

/// The physical CPUs, their registers full of garbage.
fn pcpus(scenario: &Scenario, watch: &Arc<Watch>) -> Result<Vec<HostCpu>, Box<dyn Error>> {
    let pcpu = |id| -> Result<HostCpu, Box<dyn Error>> {
        let nobodys = Memory::new(PAGE_SIZE)?;
        let cpu: Box<dyn Cpu> = Box::new(Interp::new(nobodys));
        let mut pcpu = Pcpu::new(id, cpu);
        pcpu.scramble(scenario.garbage.wrapping_add(id as u64));
        let sink = Arc::clone(watch).sink(scenario.limit);
        pcpu.recorder.record_all(sink);
        Ok(pcpu)
    };
    (0..scenario.pcpus).map(pcpu).collect()
}
