//! What does a lock holder cost that has lost its physical CPU, and what do the
//! three mitigations save?
//!
//! ```text
//! cargo bench -p v7-many-vcpus --bench lock_holder
//! cargo bench -p v7-many-vcpus --bench lock_holder -- --pcpus 2 --seeds 20
//! ```
//!
//! How it measures:
//!
//! - A guest whose vCPUs take one spin lock again and again runs beside a hog for
//!   each physical CPU, until it is done; and so under nothing and under each of
//!   the three mitigations, all else equal.
//! - How long each acquisition waited is what the guest itself has measured, and
//!   what share of its vCPUs' lives that was; whoever waits may be off its
//!   physical CPU for a part of it.
//! - All times are virtual, one tick for each instruction, so every run repeats
//!   exactly, whatever else the host does.
//! - What differs from seed to seed is the order in which the physical CPUs are
//!   stepped, and the guest's own parameters. A row is the mean of all seeds, and
//!   its longest wait the longest of all.

use clap::Parser;
use common::devices::Apic;
use common::drive::{Order, Outcome, Progress, Schedule, Stepper, nothing};
use common::{
    Boot, Bus, Context, Cpu, Ending, Image, Interp, Memory, PAGE_SIZE, PauseFilter, Pcpu, Size,
    Symbols, Time,
};
use guests::catalogue::Guest;
use v5::{Id, Processor};
use v6::Settings;
use v7::{Core, Mitigation, Scheduler, VirtualCpu};

/// What a preempted lock holder costs, and what is done about it.
#[derive(Parser)]
struct Options {
    /// Only guests whose name contains this
    #[arg(long, value_name = "TEXT", default_value = "contended")]
    guest: String,
    /// Only so many physical CPUs
    #[arg(long, value_name = "N", value_delimiter = ',', default_values_t = [1, 2, 4])]
    pcpus: Vec<usize>,
    /// How long a slice is, in ticks
    #[arg(long, value_name = "TICKS", default_value_t = 10_000)]
    slice: u64,
    /// How many seeds each row is the mean of
    #[arg(long, value_name = "N", default_value_t = 5)]
    seeds: u64,
    /// After how many pauses a spin loop is reported
    #[arg(long, value_name = "PAUSES", default_value_t = 64)]
    filter: u32,
    /// What cargo passes to every benchmark
    #[arg(long, hide = true)]
    bench: bool,
}

/// The pauses of one loop are no further apart than this.
const GAP: u64 = 16;
/// A run that is not over by then never will be.
const LIMIT: Time = Time(1_000_000_000);
/// Bytes of memory of each VM.
const MEMORY: u64 = 4 << 20;
/// Where the guest sorts its waits by powers of two, these are joined: up to a
/// thousand ticks, a handful of critical sections; up to a slice or so; and up to
/// a handful of slices.
const BUCKETS: [(&str, usize); 4] = [("< 1 k", 10), ("< 16 k", 14), ("< 64 k", 16), ("more", 64)];

type V7 = Scheduler<VirtualCpu>;
type HostCpu = Pcpu<Box<dyn Cpu>>;

/// What came of one run, or of several together.
#[derive(Clone, Copy, Default)]
struct Sample {
    /// Until the guest was done.
    time: u64,
    /// For how long its vCPUs were there, all together.
    lived: u64,
    /// For how long they waited for the lock.
    waited: u64,
    longest: u64,
    /// How many of the waits are in each of [`BUCKETS`].
    waits: [u64; BUCKETS.len()],
    /// For how long the hogs ran, all together.
    hogs: u64,
}

impl Sample {
    fn and(mut self, other: Sample) -> Sample {
        self.time += other.time;
        self.lived += other.lived;
        self.waited += other.waited;
        self.longest = self.longest.max(other.longest);
        for (ours, others) in self.waits.iter_mut().zip(other.waits) {
            *ours += others;
        }
        self.hogs += other.hogs;
        self
    }
}

/// A host with its VMs: number 0 is the guest, the others are hogs.
struct Host {
    scheduler: V7,
    pcpus: Vec<HostCpu>,
    memory: Memory,
    symbols: Symbols,
}

impl Host {
    fn new(
        guest: &Guest,
        pcpus: usize,
        mitigation: Mitigation,
        seed: u64,
        options: &Options,
    ) -> Host {
        let pcpu = |id| {
            let nobodys = Memory::new(PAGE_SIZE).expect("a page of memory");
            let cpu: Box<dyn Cpu> = Box::new(Interp::new(nobodys));
            Pcpu::new(id, cpu)
        };
        let pcpus: Vec<HostCpu> = (0..pcpus).map(pcpu).collect();
        let kicks = pcpus.iter().map(|pcpu| pcpu.kick.clone());
        let scheduler = Scheduler::new(kicks, options.slice, mitigation);
        let filter =
            (mitigation == Mitigation::SpinExits).then(|| PauseFilter::new(options.filter, GAP));
        let (memory, symbols) = start(&scheduler, guest, seed, filter);
        let hog = guests::v5::guest("hog-for-ever").expect("a guest");
        for _ in 0..pcpus.len() {
            start(&scheduler, hog, seed, filter);
        }
        Host {
            scheduler,
            pcpus,
            memory,
            symbols,
        }
    }

    /// What the guest has counted in a variable.
    fn probe(&self, name: &str, index: u64) -> u64 {
        let address = self.symbols.address_of(name).expect("a variable");
        let value = self.memory.load(address + 8 * index, Size::Qword);
        value.expect("a variable in memory")
    }

    /// For how long the vCPUs of a VM ran.
    fn ran(&self, vm: u32, vcpus: u8) -> u64 {
        let now = self.now();
        let account = |vcpu| self.scheduler.account(Id(vm), vcpu, now);
        (0..vcpus)
            .map(|vcpu| account(vcpu).expect("a vcpu").run)
            .sum()
    }

    fn now(&self) -> Time {
        let clocks = self.pcpus.iter().map(|pcpu| pcpu.now);
        clocks.max().expect("a physical cpu")
    }
}

/// Starts a VM, and gives what is needed to look into it later.
fn start(
    scheduler: &V7,
    guest: &Guest,
    seed: u64,
    filter: Option<PauseFilter>,
) -> (Memory, Symbols) {
    let image = Image::parse(&guest.build(seed).elf()).expect("an image");
    let memory = Memory::new(MEMORY).expect("memory");
    image.load(&memory).expect("an image that fits");
    let boot = Boot::prepare(&memory, image.entry).expect("memory to boot in");
    let processors = (0..guest.vcpus).map(|number| {
        let boot = boot.for_vcpu(number.into()).expect("a vcpu");
        let mut context = Context::new(memory.clone());
        v1::prepare(&boot, &mut context);
        let vcpu = VirtualCpu::new(Core::new(filter));
        Processor::new(vcpu, Apic::new(number), context)
    });
    let bus = Bus::new(Box::new(std::io::sink()));
    let id = scheduler.create(processors, bus, Settings::default());
    scheduler.start(id, Time::ZERO).expect("a fresh vm");
    (memory, image.symbols)
}

/// Ends the run as soon as the guest has, although the hogs never do.
struct UntilDone<'a>(&'a V7);

impl Schedule<Box<dyn Cpu>> for UntilDone<'_> {
    fn schedule_once(&mut self, pcpu: &mut HostCpu) -> Progress {
        let progress = self.0.schedule_once(pcpu);
        match self.0.ending(Id(0)) {
            Ok(None) => progress,
            _ => Progress::Done,
        }
    }
}

fn run(
    guest: &Guest,
    pcpus: usize,
    mitigation: Mitigation,
    seed: u64,
    options: &Options,
) -> Sample {
    let mut host = Host::new(guest, pcpus, mitigation, seed, options);
    let outcome = Stepper::new(Order::Fair(seed)).run(
        &mut UntilDone(&host.scheduler),
        &mut host.pcpus,
        LIMIT,
        &mut nothing,
    );
    assert_eq!(outcome, Outcome::Done, "{}, seed {seed}", guest.name);
    let ending = host.scheduler.ending(Id(0));
    assert_eq!(ending, Ok(Some(Ending::Exited(0))), "{}", guest.name);
    let mut waits = [0; BUCKETS.len()];
    for power in 0..64 {
        let bucket = BUCKETS.iter().position(|(_, end)| power < *end);
        waits[bucket.expect("64 powers")] += host.probe("lock_waits", power as u64);
    }
    Sample {
        time: host.now().0,
        lived: host.now().0 * u64::from(guest.vcpus),
        waited: host.probe("lock_wait_total", 0),
        longest: host.probe("lock_wait_max", 0),
        waits,
        hogs: (1..=pcpus as u32).map(|hog| host.ran(hog, 1)).sum(),
    }
}

/// What is done, in two words.
fn name(mitigation: Mitigation) -> &'static str {
    match mitigation {
        Mitigation::None => "none",
        Mitigation::SpinExits => "spin exits",
        Mitigation::YieldPort => "yield port",
        Mitigation::CoScheduling => "co-scheduling",
    }
}

fn print_header() {
    print!(
        "{:5}  {:13} {:>11} {:>6} {:>11}",
        "pcpus", "mitigation", "waited", "of all", "longest"
    );
    for (name, _) in BUCKETS {
        print!(" {name:>8}");
    }
    println!(" {:>11} {:>7}", "done after", "hogs");
}

fn print_row(pcpus: usize, mitigation: Mitigation, sum: &Sample, seeds: u64) {
    let percent = |part: u64, whole: u64| 100.0 * part as f64 / whole.max(1) as f64;
    let mean = |sum: u64| Time(sum / seeds).to_string();
    print!(
        "{pcpus:5}  {:13} {:>11} {:>4.0} % {:>11}",
        name(mitigation),
        mean(sum.waited),
        percent(sum.waited, sum.lived),
        Time(sum.longest).to_string()
    );
    for waits in sum.waits {
        print!(" {:>8.1}", waits as f64 / seeds as f64);
    }
    let hogs = percent(sum.hogs, sum.time * pcpus as u64);
    println!(" {:>11} {hogs:>5.1} %", mean(sum.time));
}

fn main() {
    let options = Options::parse();
    let seeds = options.seeds.max(1);
    for guest in guests::v7::guests() {
        let measures = guest.name.starts_with("contended");
        if !measures || !guest.name.contains(&options.guest) {
            continue;
        }
        println!(
            "\n{}: {} vCPUs, and a hog for each physical CPU",
            guest.name, guest.vcpus
        );
        print_header();
        for &pcpus in &options.pcpus {
            for mitigation in Mitigation::ALL {
                let runs = (1..=seeds).map(|seed| run(guest, pcpus, mitigation, seed, &options));
                let sum = runs.fold(Sample::default(), Sample::and);
                print_row(pcpus, mitigation, &sum, seeds);
            }
        }
    }
}
