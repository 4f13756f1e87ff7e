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
/// instructions, in turns on one CPU. The figures are how much more CPU time
/// that takes, in percent: `switch` is against the same slices one VM after the
/// other, `share` against the same turns on a CPU for each VM. What the VMs do
/// to each other in the host's own caches is in the first and not in the second.
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
        false => Host::boot(&KERNELS[0].guest(ENDLESS).elf(), 3, 1)
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
    let columns = SLICES.map(|length| format!("{:>19}", format!("slices of {length}")));
    println!("{:<12}{:>6}{}", "kernel", "VMs", columns.concat());
    println!("{:<18}{}", "", "     switch   share".repeat(SLICES.len()));
    for kernel in KERNELS.iter().filter(|kernel| {
        let wanted = options.kernel.map(|kernel| kernel.name);
        wanted.is_none_or(|wanted| wanted == kernel.name)
    }) {
        let image = kernel.guest(ENDLESS).elf();
        for machines in MACHINES {
            print!("{:<12}{machines:>6}", kernel.name);
            for length in SLICES {
                let one = Host::boot(&image, machines, 1)?;
                let many = Host::boot(&image, machines, machines)?;
                let slices = (SAMPLE / machines as u64 / length).max(2);
                let [switch, share] = costs([one, many], slices, length, options.samples)?
                    .map(|cost| (cost - 1.0) * 100.0);
                print!("{switch:>10.1}%{share:>7.1}%");
            }
            println!();
        }
    }
    idle::report()
}

/// The CPU time of turns on one CPU, as multiples of that without turns and of
/// that with a CPU for each VM.
fn costs(
    [mut one, mut many]: [Host; 2],
    slices: u64,
    length: u64,
    samples: u64,
) -> Result<[f64; 2], String> {
    let mut ratios = [Vec::new(), Vec::new()];
    // What is decoded or copied once is in no sample.
    one.in_turns(slices, length)?;
    many.in_turns(slices, length)?;
    for _ in 0..samples {
        let start = cpu_time::own();
        one.one_after_the_other(slices, length)?;
        let alone = cpu_time::own();
        one.in_turns(slices, length)?;
        let turns = cpu_time::own();
        many.in_turns(slices, length)?;
        let end = cpu_time::own();
        ratios[0].push((turns - alone) / (alone - start));
        ratios[1].push((turns - alone) / (end - turns));
    }
    Ok(ratios.map(median))
}
