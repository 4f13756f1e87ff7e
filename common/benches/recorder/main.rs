//! What does it cost that the last events are always kept and exits always counted?
//!
//! ```text
//! cargo bench -p common --bench recorder
//! cargo bench -p common --bench recorder -- --samples 51
//! ```
//!
//! The same kernel runs through [`Pcpu::run`](common::Pcpu::run), where each entry
//! leaves three records (entry, trap, exit) in the ring and one in the histogram,
//! and on the raw CPU itself, where nothing is recorded. Both are entered as often.
//! How often that is in the versions' own workloads, `cargo bench -p lab --bench
//! recording` says.
//!
//! It measures CPU seconds, one way right after the other, and quotes the median of
//! the ratios.

#[cfg(unix)]
#[path = "../interp/cpu_time.rs"]
#[allow(dead_code)] // the other benchmark has child processes, too
mod cpu_time;
#[cfg(unix)]
#[path = "../interp/statistics.rs"]
#[allow(dead_code)] // and it has geometric means
mod statistics;

#[cfg(unix)]
mod session {
    use super::{cpu_time, statistics};
    use clap::Parser;
    use common::{
        Boot, Cpu, Exit, Gpr, Image, Interp, Kick, Memory, NotReady, Pcpu, Time, Trap, Vcpu,
    };
    use guests::bench::KERNELS;

    /// What the ring and the histogram cost that are always on.
    #[derive(Parser)]
    struct Options {
        /// How often each way is repeated; medians are shown
        #[arg(long, value_name = "N", default_value_t = 31)]
        samples: usize,
        /// What cargo passes to every benchmark
        #[arg(long, hide = true)]
        bench: bool,
    }

    /// Instructions between two entries: those of the host's tick, and fewer.
    const BUDGETS: [u64; 4] = [10_000, 1_000, 300, 100];
    /// Instructions in a sample.
    const LENGTH: u64 = 2_000_000;
    const MEMORY: u64 = 16 << 20;

    /// A virtual CPU that comes back at its deadline and does nothing else.
    struct Plain;

    impl Vcpu for Plain {
        type Cpu = Interp;

        fn run(&mut self, pcpu: &mut Pcpu<Interp>, until: Time) -> Exit {
            let trap = pcpu.enter(until.since(pcpu.now));
            assert_eq!(trap, Trap::Budget, "the kernel computes");
            Exit::Deadline
        }

        fn complete(&mut self, _: &mut Pcpu<Interp>, _: u64) {}

        fn can_inject(&self) -> bool {
            false
        }

        fn inject(&mut self, _: u8) -> Result<(), NotReady> {
            Err(NotReady)
        }

        fn want_window(&mut self, _: bool) {}
    }

    /// A physical CPU in the middle of a kernel that goes on for long.
    fn machine() -> Pcpu<Interp> {
        let memory = Memory::new(MEMORY).expect("memory");
        let kernel = &KERNELS[0];
        let image = Image::parse(&kernel.guest(1 << 30).elf()).expect("an image");
        image.load(&memory).expect("it fits");
        let boot = Boot::prepare(&memory, image.entry).expect("page tables");
        let mut pcpu = Pcpu::new(0, Interp::new(memory));
        let context = pcpu.context();
        context.space.set_root(boot.root);
        context.rip = boot.entry;
        context.registers[Gpr::Rsp] = boot.stack;
        context.registers[Gpr::Rdi] = boot.vcpu;
        pcpu
    }

    fn recorded(pcpu: &mut Pcpu<Interp>, budget: u64) -> f64 {
        let before = cpu_time::own();
        for _ in 0..LENGTH / budget {
            pcpu.run(&mut Plain, pcpu.now + budget);
        }
        cpu_time::own() - before
    }

    fn unrecorded(pcpu: &mut Pcpu<Interp>, budget: u64) -> f64 {
        let kick = Kick::default();
        let before = cpu_time::own();
        for _ in 0..LENGTH / budget {
            let (trap, retired) = pcpu.cpu.enter(pcpu.now, budget, &kick);
            assert_eq!(trap, Trap::Budget, "the kernel computes");
            pcpu.now += retired;
        }
        cpu_time::own() - before
    }

    pub fn main() {
        let options = Options::parse();
        let samples = if options.bench { options.samples } else { 1 };
        println!("ring and histogram, in percent of the time without them (median of {samples})");
        println!("an entry every  cost");
        for budget in BUDGETS {
            let (mut one, mut other) = (machine(), machine());
            let ratios = (0..samples).map(|_| {
                let with = recorded(&mut one, budget);
                with / unrecorded(&mut other, budget)
            });
            let ratio = statistics::median(ratios.collect::<Vec<_>>());
            println!("{budget:>14}  {:+.1}", (ratio - 1.0) * 100.0);
        }
    }
}

#[cfg(unix)]
fn main() {
    session::main();
}

#[cfg(not(unix))]
fn main() {
    println!("skipped: the benchmark measures CPU seconds by getrusage, which only a Unix has");
}
