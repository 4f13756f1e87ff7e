//! The command line.

use clap::Parser;
use guests::bench::{KERNELS, Kernel, kernel};

/// Measures guest instructions per second of `interp` on four kernels, against
/// the same kernels native, in QEMU with -icount, and in Bochs.
///
/// Reading the table: `M instr/s` is millions of guest instructions that
/// interp retires in a second of CPU time. Under the name of another engine
/// stands how many times as fast interp is: 5 means five times as fast, 0.5
/// half as fast. Each is the median of ratios that were measured one after the
/// other on the same host. An absolute figure is only as steady as the host's
/// clock; trust the ratios. In `start-up` stand the CPU milliseconds that were
/// subtracted: a run of a single round.
///
/// `a VM's whole life` is the wall-clock time to create guest memory, load an
/// image, set up the CPU, run a guest that exits at once, and drop it all.
#[derive(Parser)]
#[command(
    bin_name = "cargo bench -p common --bench interp --",
    verbatim_doc_comment
)]
pub struct Options {
    /// Rounds of each kernel, each about 12 million instructions
    #[arg(long, default_value_t = 25, value_parser = clap::value_parser!(u64).range(2..))]
    pub rounds: u64,

    /// Ratios to take the median of
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u64).range(1..))]
    pub samples: u64,

    /// Only the kernel of this name
    #[arg(long, value_name = "NAME", value_parser = kernel_named)]
    kernel: Option<&'static Kernel>,

    /// What `cargo bench` adds, and `cargo test` does not
    #[arg(long, hide = true)]
    pub bench: bool,
}

impl Options {
    /// The kernels to run.
    pub fn kernels(&self) -> Vec<&'static Kernel> {
        match self.kernel {
            Some(kernel) => vec![kernel],
            None => KERNELS.iter().collect(),
        }
    }
}

fn kernel_named(name: &str) -> Result<&'static Kernel, String> {
    kernel(name).ok_or_else(|| {
        let names: Vec<_> = KERNELS.iter().map(|kernel| kernel.name).collect();
        format!("there are {}", names.join(", "))
    })
}
