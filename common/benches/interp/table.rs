//! The result, as plain text.

use crate::session::{Cost, Sample};
use crate::statistics::{geometric_mean, median};
use std::fmt;

/// What was measured on all kernels.
pub struct Table {
    /// The engines that `interp` was compared with.
    pub rivals: Vec<&'static str>,
    /// One row for each kernel.
    pub rows: Vec<Row>,
}

/// What was measured on one kernel: medians over the samples.
pub struct Row {
    kernel: &'static str,
    instructions: f64,
    /// Millions of instructions in a second of `interp`.
    speed: f64,
    /// How many times as fast as each rival `interp` is.
    ratios: Vec<f64>,
    /// CPU milliseconds of start-up: `interp`, then the rivals.
    starts: Vec<f64>,
}

impl Row {
    /// The medians of the samples.
    pub fn new(kernel: &'static str, samples: &[Sample]) -> Row {
        let over = |value: &dyn Fn(&Sample) -> f64| median(samples.iter().map(value));
        let start = |cost: &Cost| cost.start * 1e3;
        let instructions = samples[0].retired as f64 / 1e6;
        let mut row = Row {
            kernel,
            instructions,
            speed: over(&|sample| instructions / sample.interp.rounds),
            ratios: Vec::new(),
            starts: vec![over(&|sample| start(&sample.interp))],
        };
        for rival in 0..samples[0].rivals.len() {
            row.ratios.push(over(&|sample| {
                sample.rivals[rival].rounds / sample.interp.rounds
            }));
            row.starts
                .push(over(&|sample| start(&sample.rivals[rival])));
        }
        row
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:<15}{:>9}{:>11}", "kernel", "M instr", "M instr/s")?;
        for rival in &self.rivals {
            write!(f, "{:>14}", format!("x {rival}"))?;
        }
        writeln!(f, "  checksum")?;
        for row in &self.rows {
            write!(
                f,
                "{:<15}{:>9.1}{:>11.1}",
                row.kernel, row.instructions, row.speed
            )?;
            numbers(f, &row.ratios, 3)?;
            writeln!(f, "  equal")?;
        }
        let mean = geometric_mean(self.rows.iter().map(|row| row.speed));
        write!(f, "{:<15}{:>9}{mean:>11.1}", "geometric mean", "")?;
        numbers(f, &self.columns(geometric_mean, |row| &row.ratios), 3)?;
        let starts = self.columns(median, |row| &row.starts);
        write!(f, "\n{:<15}{:>9}{:>11.1}", "start-up, ms", "", starts[0])?;
        numbers(f, &starts[1..], 1)?;
        writeln!(f)
    }
}

impl Table {
    /// An average of each column, over the rows.
    fn columns(&self, average: fn(Vec<f64>) -> f64, part: fn(&Row) -> &Vec<f64>) -> Vec<f64> {
        (0..part(&self.rows[0]).len())
            .map(|column| average(self.rows.iter().map(|row| part(row)[column]).collect()))
            .collect()
    }
}

fn numbers(f: &mut fmt::Formatter<'_>, numbers: &[f64], decimals: usize) -> fmt::Result {
    for number in numbers {
        write!(f, "{number:>14.decimals$}")?;
    }
    Ok(())
}
