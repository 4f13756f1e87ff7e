//! What does it cost `interp` to go from VM to VM? VMs do the same work in
//! three ways: one VM after the other; in turns, each on a CPU of its own; in
//! turns on one CPU.
//!
//! ```text
//! cargo bench -p common --bench switch                     everything, about three minutes
//! cargo bench -p common --bench switch -- --kernel crc     one kernel
//! cargo bench -p common --bench switch -- --help           all options, and how to read the table
//! ```
//!
//! It measures CPU seconds, the three ways one right after the other, and quotes
//! medians of the ratios. All VMs begin as one template, so they have
//! the same code at the same addresses, as many VMs of one image have.

#[cfg(unix)]
#[path = "../interp/cpu_time.rs"]
#[allow(dead_code)] // the other benchmark has child processes, too
mod cpu_time;
#[cfg(unix)]
mod host;
#[cfg(unix)]
mod idle;
#[cfg(unix)]
mod session;
#[cfg(unix)]
#[path = "../interp/statistics.rs"]
#[allow(dead_code)] // and it has geometric means
mod statistics;

#[cfg(unix)]
fn main() -> std::process::ExitCode {
    session::main()
}

#[cfg(not(unix))]
fn main() {
    println!("skipped: the benchmark measures CPU seconds by getrusage, which only a Unix has");
}
