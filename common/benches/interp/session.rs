//! The order in which everything is measured.

use crate::engine::{Engine, Run, rivals};
use crate::options::Options;
use crate::table::{Row, Table};
use crate::{lifetime, software};
use clap::Parser;
use guests::bench::Kernel;
use std::process::ExitCode;

/// Virtual machines that are created and dropped.
const LIVES: usize = 101;

/// The benchmark, from the command line to the table.
pub fn main() -> ExitCode {
    let options = Options::parse();
    let outcome = match options.bench {
        true => measure(&options),
        false => try_out(&options),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("error: {why}");
            ExitCode::FAILURE
        }
    }
}

/// What `cargo test` runs: one round of each kernel, without a clock.
fn try_out(options: &Options) -> Result<(), String> {
    for kernel in options.kernels() {
        let (run, _) = software::run(kernel, 1)?;
        let expected = kernel.checksum(1);
        if run.checksum != expected {
            return Err(differs(
                kernel,
                "interp",
                run.checksum,
                "its model",
                expected,
            ));
        }
        println!("{}: right (`cargo bench` measures its speed)", kernel.name);
    }
    Ok(())
}

fn measure(options: &Options) -> Result<(), String> {
    let rivals = rivals();
    let mut rows = Vec::new();
    for kernel in options.kernels() {
        let samples: Result<Vec<Sample>, String> = (1..=options.samples)
            .inspect(|number| eprintln!("{}: sample {number} of {}", kernel.name, options.samples))
            .map(|_| sample(kernel, options.rounds, &rivals))
            .collect();
        rows.push(Row::new(kernel.name, &samples?));
    }
    let rivals = rivals.iter().map(|engine| engine.name()).collect();
    print!("\n{}", Table { rivals, rows });
    println!(
        "\na VM's whole life: {:.3} ms (median of {LIVES})",
        lifetime::milliseconds(LIVES)?
    );
    Ok(())
}

/// Every engine once, one after the other.
pub struct Sample {
    /// Instructions, as `interp` counted them.
    pub retired: u64,
    /// What `interp` took.
    pub interp: Cost,
    /// What the rivals took, in their order.
    pub rivals: Vec<Cost>,
}

/// CPU seconds.
pub struct Cost {
    /// For all rounds but one: start-up is not in it.
    pub rounds: f64,
    /// For a run of one round.
    pub start: f64,
}

fn sample(kernel: &Kernel, rounds: u64, rivals: &[Box<dyn Engine>]) -> Result<Sample, String> {
    let (one, few) = software::run(kernel, 1)?;
    let (all, many) = software::run(kernel, rounds)?;
    let expected = [one.checksum, all.checksum];
    let costs = rivals.iter().map(|engine| {
        let one = engine.run(kernel, 1)?;
        let all = engine.run(kernel, rounds)?;
        match [one.checksum, all.checksum] == expected {
            true => Ok(cost(&one, &all)),
            false => Err(differs(
                kernel,
                engine.name(),
                all.checksum,
                "interp",
                expected[1],
            )),
        }
    });
    Ok(Sample {
        retired: many - few,
        interp: cost(&one, &all),
        rivals: costs.collect::<Result<_, _>>()?,
    })
}

fn cost(one: &Run, all: &Run) -> Cost {
    Cost {
        rounds: all.seconds - one.seconds,
        start: one.seconds,
    }
}

fn differs(kernel: &Kernel, one: &str, found: u64, other: &str, expected: u64) -> String {
    let name = kernel.name;
    format!("{name}: the checksum is {found:#x} by {one}, but {expected:#x} by {other}")
}
