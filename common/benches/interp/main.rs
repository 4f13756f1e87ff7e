//! How fast is `interp`? The same four kernels, byte for byte, on `interp`, on
//! the bare CPU, in QEMU and in Bochs.
//!
//! ```text
//! cargo bench -p common --bench interp                     everything, about two minutes
//! cargo bench -p common --bench interp -- --kernel crc     one kernel
//! cargo bench -p common --bench interp -- --help           all options, and how to read the table
//! ```
//!
//! How it measures:
//!
//! - CPU seconds, not wall-clock seconds: other load on the host changes the
//!   latter.
//! - Interleaved: each sample runs every engine once, one after the other, so
//!   that a host which changes its speed changes it for all of them. What is
//!   quoted is the median, over the samples, of the ratio within a sample.
//! - Without start-up: each engine runs a kernel with many rounds and with one
//!   round, and the difference counts.
//! - The count of instructions is the exact number that `interp` retired.
//!   Every engine executes the same ones, so it serves for all.
//! - A wrong checksum on any engine ends the benchmark.
//!
//! An engine that is not installed is skipped with a line that says so.

#[cfg(unix)]
mod bochs;
#[cfg(unix)]
mod bochs_rom;
#[cfg(unix)]
mod cpu_time;
#[cfg(unix)]
mod engine;
#[cfg(unix)]
mod lifetime;
#[cfg(unix)]
mod native;
#[cfg(unix)]
mod options;
#[cfg(unix)]
mod qemu;
#[cfg(unix)]
mod session;
#[cfg(unix)]
mod software;
#[cfg(unix)]
mod statistics;
#[cfg(unix)]
mod table;

#[cfg(unix)]
fn main() -> std::process::ExitCode {
    session::main()
}

#[cfg(not(unix))]
fn main() {
    println!("skipped: the benchmark measures CPU seconds by getrusage, which only a Unix has");
}
