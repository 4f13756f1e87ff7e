//! What a virtual machine costs that does nearly nothing: created, run, dropped.

use crate::software::Machine;
use crate::statistics::median;
use guests::program;
use std::time::Instant;

/// The milliseconds, by the wall clock, from nothing to nothing: guest memory,
/// image, boot state, CPU; a guest that exits at once; and all of it given
/// back. The median of `samples`, the first of which also starts the decoder.
pub fn milliseconds(samples: usize) -> Result<f64, String> {
    let image = program::build(|asm| program::exit(asm, 0)).elf();
    let one = || {
        let start = Instant::now();
        let retired = Machine::boot(&image)?.run()?;
        let milliseconds = start.elapsed().as_secs_f64() * 1e3;
        match retired {
            0 => Err("interp retired nothing".to_string()),
            _ => Ok(milliseconds),
        }
    };
    let times: Result<Vec<f64>, String> = (0..samples).map(|_| one()).collect();
    Ok(median(times?))
}
