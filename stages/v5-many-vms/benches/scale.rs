//! What does it cost to share a CPU: a switch, a sleeper, an idle VM?
//!
//! ```text
//! cargo bench -p v5-many-vms --bench scale
//! cargo bench -p v5-many-vms --bench scale -- --samples 5
//! ```
//!
//! How it measures:
//!
//! - A switch: two guests that compute, in slices of different lengths, against
//!   the same two one after the other. CPU seconds, the two kinds of run in turn,
//!   the median of the samples. What a switch costs is also given in guest
//!   instructions, since that depends less on the host.
//! - A turn of the scheduler beside so many sleepers: virtual CPUs that play
//!   scripts, so that nothing but the scheduler takes time. The queue must not
//!   care how many sleep: the ratio to one sleeper should stay near 1.
//! - An idle VM: what each of so many takes of the host's memory when all have
//!   come to sleep, where the host says so.

#[cfg(unix)]
#[path = "../../../common/benches/interp/cpu_time.rs"]
#[allow(dead_code)] // the children of this process are nothing to us
mod cpu_time;

#[cfg(unix)]
mod session {
    use super::cpu_time;
    use clap::Parser;
    use common::devices::Apic;
    use common::scripted::{Play, ScriptedVcpu, apic_with_timer};
    use common::{Boot, Bus, Context, Cpu, Image, Interp, Memory, Pcpu, Template, Time};
    use v5::{Id, Processor, Scheduler, Switch, VirtualCpu, Vm, Weight};

    /// What it costs to share a CPU.
    #[derive(Parser)]
    struct Options {
        /// How often each run is repeated; medians are shown
        #[arg(long, value_name = "N", default_value_t = 11)]
        samples: usize,
        /// What cargo passes to every benchmark
        #[arg(long, hide = true)]
        bench: bool,
    }

    pub fn run() {
        let options = Options::parse();
        switches(options.samples.max(1));
        turns(options.samples.max(1));
        idle_vms();
    }

    fn started<V: Switch>(scheduler: &mut Scheduler<V>, vm: Vm<V>) -> Id {
        let id = scheduler.create(vm, Weight::default());
        scheduler.start(id, Time::ZERO).expect("it is new");
        id
    }

    fn bus() -> Bus {
        Bus::new(Box::new(std::io::sink()))
    }

    /// A guest's memory before its first instruction, for any number of VMs.
    struct Guest {
        template: Template,
        boot: Boot,
    }

    impl Guest {
        fn named(name: &str) -> Guest {
            let guest = guests::v5::guest(name).expect("a guest of the catalogue");
            let image = guest.build(1).elf();
            let image = Image::parse(&image).expect("an image");
            let memory = Memory::new(16 << 20).expect("memory");
            image.load(&memory).expect("room for the image");
            let boot = Boot::prepare(&memory, image.entry).expect("room for the tables");
            let template = Template::of(&memory).expect("a template");
            Guest { template, boot }
        }

        fn vm(&self) -> Vm<VirtualCpu> {
            let memory = self.template.memory().expect("memory");
            let mut context = Context::new(memory);
            v1::prepare(&self.boot, &mut context);
            Vm::new(
                Processor::new(VirtualCpu::default(), Apic::new(0), context),
                bus(),
            )
        }
    }

    fn pcpu() -> Pcpu<Box<dyn Cpu>> {
        let nobodys = Memory::new(4096).expect("a page");
        let cpu: Box<dyn Cpu> = Box::new(Interp::new(nobodys));
        Pcpu::new(0, cpu)
    }

    /// CPU seconds for two guests that compute for `ticks` each, in such slices.
    fn two_in_slices(guest: &Guest, slice: u64, ticks: u64) -> f64 {
        let mut scheduler = Scheduler::new(slice);
        let mut pcpu = pcpu();
        for _ in 0..2 {
            started(&mut scheduler, guest.vm());
        }
        let begin = cpu_time::own();
        while pcpu.now < Time(2 * ticks) {
            scheduler.schedule_once(&mut pcpu);
        }
        cpu_time::own() - begin
    }

    fn switches(samples: usize) {
        const TICKS: u64 = 10_000_000;
        let guest = Guest::named("hog-for-ever");
        println!("a switch between two VMs that compute (medians of {samples})\n");
        println!(
            "{:>10} {:>12} {:>16}",
            "slice", "us a switch", "in instructions"
        );
        for slice in [1_000, 10_000, 100_000] {
            let mut pairs: Vec<_> = (0..samples)
                .map(|_| {
                    let apart = two_in_slices(&guest, TICKS, TICKS);
                    (two_in_slices(&guest, slice, TICKS), apart)
                })
                .map(|(sliced, apart)| {
                    let switches = (2 * TICKS / slice) as f64;
                    let each = (sliced - apart).max(0.0) / switches;
                    (each * 1e6, each * (2 * TICKS) as f64 / apart)
                })
                .collect();
            pairs.sort_by(|a, b| a.0.total_cmp(&b.0));
            let (microseconds, instructions) = pairs[pairs.len() / 2];
            println!("{slice:>10} {microseconds:>12.2} {instructions:>16.0}");
        }
    }

    /// Nanoseconds a turn beside so many sleepers.
    fn turn(sleepers: usize) -> f64 {
        const TURNS: u32 = 20_000;
        let mut scheduler = Scheduler::new(1);
        let mut pcpu = Pcpu::new(0, ());
        for _ in 0..sleepers {
            let sleeper = ScriptedVcpu::new([Play::Nap]);
            let apic = apic_with_timer(1 << 31);
            started(
                &mut scheduler,
                Vm::new(Processor::new(sleeper, apic, ()), bus()),
            );
        }
        for _ in 0..sleepers {
            scheduler.schedule_once(&mut pcpu);
        }
        for _ in 0..2 {
            let hog = ScriptedVcpu::new([Play::ComputeForEver]);
            started(
                &mut scheduler,
                Vm::new(Processor::new(hog, Apic::new(0), ()), bus()),
            );
        }
        let begin = cpu_time::own();
        for _ in 0..TURNS {
            scheduler.schedule_once(&mut pcpu);
        }
        (cpu_time::own() - begin) * 1e9 / f64::from(TURNS)
    }

    fn turns(samples: usize) {
        println!("\na turn of the scheduler beside so many sleepers (medians of {samples})\n");
        println!(
            "{:>10} {:>12} {:>16}",
            "sleepers", "ns a turn", "against one"
        );
        for sleepers in [1, 10, 100, 1_000, 10_000] {
            let mut pairs: Vec<_> = (0..samples)
                .map(|_| {
                    let one = turn(1);
                    let many = turn(sleepers);
                    (many / one, many)
                })
                .collect();
            pairs.sort_by(|a, b| a.0.total_cmp(&b.0));
            let (ratio, nanoseconds) = pairs[pairs.len() / 2];
            println!("{sleepers:>10} {nanoseconds:>12.0} {ratio:>16.2}");
        }
    }

    fn idle_vms() {
        println!("\nidle VMs: what each takes when all sleep\n");
        println!("{:>10} {:>12} {:>16}", "VMs", "KiB each", "us to make");
        for vms in [100, 1_000, 10_000] {
            let guest = Guest::named("sleeper");
            let before = own_kibibytes();
            let begin = cpu_time::own();
            let mut scheduler = Scheduler::new(10_000);
            let mut pcpu = pcpu();
            let ids: Vec<_> = (0..vms)
                .map(|_| started(&mut scheduler, guest.vm()))
                .collect();
            for _ in &ids {
                scheduler.schedule_once(&mut pcpu);
            }
            let microseconds = (cpu_time::own() - begin) * 1e6 / f64::from(vms);
            let each = own_kibibytes()
                .zip(before)
                .map(|(after, before)| after.saturating_sub(before) as f64 / f64::from(vms));
            match each {
                Some(each) => println!("{vms:>10} {each:>12.1} {microseconds:>16.0}"),
                None => println!("{vms:>10} skipped: this host does not say what is in use"),
            }
        }
    }

    /// KiB of RAM that this process shares with nobody, page tables included.
    fn own_kibibytes() -> Option<u64> {
        let status = std::fs::read_to_string("/proc/self/status").ok()?;
        let value = |name: &str| {
            let line = status.lines().find(|line| line.starts_with(name))?;
            line.split_whitespace().nth(1)?.parse::<u64>().ok()
        };
        Some(value("RssAnon:")? + value("VmPTE:")?)
    }
}

#[cfg(unix)]
fn main() {
    session::run();
}

#[cfg(not(unix))]
fn main() {
    println!("skipped: this benchmark reads the CPU time of its process, as Unix has it");
}
