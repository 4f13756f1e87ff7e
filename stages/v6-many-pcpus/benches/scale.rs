//! What do more physical CPUs bring, and what does it cost to use them?
//!
//! ```text
//! cargo bench -p v6-many-pcpus --bench scale
//! cargo bench -p v6-many-pcpus --bench scale -- --samples 5
//! ```
//!
//! How it measures:
//!
//! - Throughput: eight guests that compute, on one to four physical CPUs with a
//!   host thread each, and how much guest time passes in a second of the host's
//!   clock. More threads than the host has CPUs bring nothing, so read it beside
//!   the host's number, which is printed. One physical CPU and more of them in
//!   turn; medians of the ratios.
//! - A migration: a physical CPU is unplugged and plugged in again and again, and
//!   its VMs move each time. They play scripts, so that only the scheduler takes
//!   time.
//! - Wake-ups: how long a VM whose timer was due waits for a physical CPU, beside
//!   so many that always compute. In virtual time, with the stepper: the same on
//!   every host.

#[cfg(unix)]
#[path = "../../../common/benches/interp/cpu_time.rs"]
#[allow(dead_code)] // the children of this process are nothing to us
mod cpu_time;

#[cfg(unix)]
mod session {
    use super::cpu_time;
    use clap::Parser;
    use common::devices::Apic;
    use common::drive::{Order, Stepper, nothing, threads};
    use common::scripted::{Play, ScriptedVcpu, apic_with_timer};
    use common::{Boot, Bus, Context, Cpu, Image, Interp, Memory, Pcpu, Time};
    use std::time::Instant;
    use v5::{Id, Processor, VirtualCpu, Vm};
    use v6::{Runnable, Scheduler, Settings};

    /// What more physical CPUs bring, and cost.
    #[derive(Parser)]
    struct Options {
        /// How often each run is repeated; medians are shown
        #[arg(long, value_name = "N", default_value_t = 7)]
        samples: usize,
        /// What cargo passes to every benchmark
        #[arg(long, hide = true)]
        bench: bool,
    }

    pub fn run() {
        let options = Options::parse();
        let samples = options.samples.max(1);
        throughput(samples);
        migrations(samples);
        wake_ups();
    }

    fn bus() -> Bus {
        Bus::new(Box::new(std::io::sink()))
    }

    fn pcpus<C>(count: usize, cpu: impl Fn() -> C) -> Vec<Pcpu<C>> {
        (0..count).map(|id| Pcpu::new(id, cpu())).collect()
    }

    fn scheduler<R: Runnable>(pcpus: &[Pcpu<R::Cpu>]) -> Scheduler<R> {
        let kicks = pcpus.iter().map(|pcpu| pcpu.kick.clone());
        Scheduler::new(kicks, 10_000)
    }

    fn started<R: Runnable>(scheduler: &Scheduler<R>, body: R, home: usize) -> Id {
        let settings = Settings {
            home: Some(home),
            ..Settings::default()
        };
        let id = scheduler.create(body, settings);
        scheduler.start(id, Time::ZERO).expect("it is new");
        id
    }

    fn hog(image: &Image) -> Vm<VirtualCpu> {
        let memory = Memory::new(16 << 20).expect("memory");
        image.load(&memory).expect("room for the image");
        let boot = Boot::prepare(&memory, image.entry).expect("room for the tables");
        let mut context = Context::new(memory);
        v1::prepare(&boot, &mut context);
        let vcpu = VirtualCpu::default();
        Vm::new(Processor::new(vcpu, Apic::new(0), context), bus())
    }

    /// Guest instructions a second of the host's clock, on all threads together.
    fn instructions_a_second(image: &Image, count: usize) -> f64 {
        const TICKS: u64 = 40_000_000;
        let nobodys = || Memory::new(4096).expect("a page");
        let mut pcpus = pcpus(count, || -> Box<dyn Cpu> {
            Box::new(Interp::new(nobodys()))
        });
        let scheduler = scheduler(&pcpus);
        for number in 0..8 {
            started(&scheduler, hog(image), number % count);
        }
        let begin = Instant::now();
        threads(&scheduler, &mut pcpus, Time(TICKS), &mut nothing);
        let done: u64 = pcpus.iter().map(|pcpu| pcpu.now.0).sum();
        done as f64 / begin.elapsed().as_secs_f64()
    }

    fn throughput(samples: usize) {
        let image = guests::v5::guest("hog-for-ever").expect("a guest of the catalogue");
        let image = Image::parse(&image.build(1).elf()).expect("an image");
        let host = std::thread::available_parallelism().map_or(1, usize::from);
        println!("eight VMs that compute, on a host with {host} CPUs (medians of {samples})\n");
        println!(
            "{:>6} {:>20} {:>16}",
            "pCPUs", "M instructions/s", "against one"
        );
        for count in 1..=4 {
            let mut pairs: Vec<_> = (0..samples)
                .map(|_| {
                    let one = instructions_a_second(&image, 1);
                    let many = instructions_a_second(&image, count);
                    (many / one, many / 1e6)
                })
                .collect();
            pairs.sort_by(|a, b| a.0.total_cmp(&b.0));
            let (ratio, millions) = pairs[pairs.len() / 2];
            println!("{count:>6} {millions:>20.0} {ratio:>16.2}");
        }
    }

    fn scripted(apic: Apic, script: &[Play]) -> Vm<ScriptedVcpu> {
        let vcpu = ScriptedVcpu::new(script.iter().copied());
        Vm::new(Processor::new(vcpu, apic, ()), bus())
    }

    fn migrations(samples: usize) {
        const VMS: u32 = 16;
        const TIMES: u32 = 500;
        let mut nanoseconds: Vec<_> = (0..samples)
            .map(|_| {
                let pcpus = pcpus(2, || ());
                let scheduler = scheduler(&pcpus);
                for _ in 0..VMS {
                    started(
                        &scheduler,
                        scripted(Apic::new(0), &[Play::ComputeForEver]),
                        0,
                    );
                }
                let begin = cpu_time::own();
                for time in 0..TIMES {
                    let pcpu = time as usize % 2;
                    scheduler.unplug(pcpu).expect("the other one is plugged in");
                    scheduler.plug(pcpu).expect("it is unplugged");
                }
                (cpu_time::own() - begin) * 1e9 / f64::from(VMS * TIMES)
            })
            .collect();
        nanoseconds.sort_by(f64::total_cmp);
        let median = nanoseconds[nanoseconds.len() / 2];
        println!("\na migration of a VM that waits: {median:.0} ns of the scheduler's time");
    }

    fn wake_ups() {
        const WAKES: usize = 200;
        println!("\nhow long a VM whose timer is due waits, in ticks; slices of 10,000\n");
        println!("{:>6} {:>6} {:>16}", "pCPUs", "hogs", "ticks a wake");
        for (count, hogs) in [(1, 1), (1, 8), (2, 1), (2, 8), (4, 8)] {
            let mut pcpus = pcpus(count, || ());
            let scheduler = scheduler(&pcpus);
            for number in 0..hogs {
                let hog = scripted(Apic::new(0), &[Play::ComputeForEver]);
                started(&scheduler, hog, number % count);
            }
            let wake = [Play::Nap, Play::END_OF_INTERRUPT, Play::Compute(100)];
            let mut script = wake.repeat(WAKES);
            script.push(Play::SWITCH_OFF);
            let sleeper = started(&scheduler, scripted(apic_with_timer(25_003), &script), 0);
            let mut stepper = Stepper::new(Order::Fair(1));
            let limit = Time(25_003 * (WAKES as u64 + 10));
            stepper.run(&mut &scheduler, &mut pcpus, limit, &mut nothing);
            let account = scheduler.account(sleeper, limit).expect("it is there");
            let waited = account.waiting as f64 / WAKES as f64;
            println!("{count:>6} {hogs:>6} {waited:>16.0}");
        }
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
