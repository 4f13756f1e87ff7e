//! What is measured, in which order, and the table of it.

use crate::host::Host;
use crate::statistics::median;
use crate::{cpu_time, idle};
use clap::Parser;
use guests::bench::{KERNELS, Kernel, kernel};
use std::process::ExitCode;

/// So many VMs share the CPU.
const MACHINES: [usize; 4] = [2, 16, 256, 1000];
/// Instructions of a slice.
const SLICES: [u64; 3] = [1_000, 10_000, 100_000];
/// More rounds of a kernel than anybody waits for.
const ENDLESS: u64 = 1 << 40;
/// Instructions of a sample, at least.
const SAMPLE: u64 = 20_000_000;

/// Measures what it costs interp to go from VM to VM.
///
/// Reading the table: VMs that run the kernel get slices of so many
/// instructions in turns, and before that they got the same slices one VM after
/// the other. The figure is how much more CPU time the turns took, in percent.
/// It has the host's own caches in it: sieve and mix work on a MiB each.
#[derive(Parser)]
#[command(
    bin_name = "cargo bench -p common --bench switch --",
    verbatim_doc_comment
)]
struct Options {
    /// Ratios to take the median of
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u64).range(1..))]
    samples: u64,

    /// Only the kernel of this name
    #[arg(long, value_name = "NAME", value_parser = kernel_named)]
    kernel: Option<&'static Kernel>,

    /// What `cargo bench` adds, and `cargo test` does not
    #[arg(long, hide = true)]
    bench: bool,
}

fn kernel_named(name: &str) -> Result<&'static Kernel, String> {
    kernel(name).ok_or_else(|| {
        let names: Vec<_> = KERNELS.iter().map(|kernel| kernel.name).collect();
        format!("there are {}", names.join(", "))
    })
}

/// The benchmark, from the command line to the table.
pub fn main() -> ExitCode {
    let options = Options::parse();
    let outcome = match options.bench {
        true => measure(&options),
        false => Host::boot(&KERNELS[0].guest(ENDLESS).elf(), 3)
            .and_then(|mut host| host.in_turns(3, 1000))
            .map(|()| println!("VMs take turns (`cargo bench` measures what that costs)")),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("error: {why}");
            ExitCode::FAILURE
        }
    }
}

fn measure(options: &Options) -> Result<(), String> {
    let slices = SLICES.map(|length| format!("{length:>12}")).concat();
    println!("{:<12}{:>8}{slices}", "kernel", "VMs");
    for kernel in KERNELS.iter().filter(|kernel| {
        let wanted = options.kernel.map(|kernel| kernel.name);
        wanted.is_none_or(|wanted| wanted == kernel.name)
    }) {
        let image = kernel.guest(ENDLESS).elf();
        for machines in MACHINES {
            print!("{:<12}{machines:>8}", kernel.name);
            for length in SLICES {
                let mut host = Host::boot(&image, machines)?;
                let cost = cost(&mut host, machines, length, options.samples)?;
                print!("{:>11.1}%", (cost - 1.0) * 100.0);
            }
            println!();
        }
    }
    idle::report()
}

/// The CPU time of turns as a multiple of that without.
fn cost(host: &mut Host, machines: usize, length: u64, samples: u64) -> Result<f64, String> {
    let slices = (SAMPLE / machines as u64 / length).max(2);
    // What is decoded or copied once is in neither.
    host.in_turns(slices, length)?;
    let ratios: Result<Vec<f64>, String> = (0..samples)
        .map(|_| {
            let start = cpu_time::own();
            host.one_after_the_other(slices, length)?;
            let middle = cpu_time::own();
            host.in_turns(slices, length)?;
            Ok((cpu_time::own() - middle) / (middle - start))
        })
        .collect();
    Ok(median(ratios?))
}
