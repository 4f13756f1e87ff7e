//! What VMs cost that do nothing any more.

use crate::host::Host;
use guests::bench::KERNELS;
use std::time::Instant;

/// Prints what each of thousands of VMs took of the host's memory, and of its
/// time to be made and to run for the first time.
pub fn report() -> Result<(), String> {
    let image = KERNELS[2].guest(1).elf();
    println!();
    for machines in [1_000, 10_000] {
        let before = own_kibibytes();
        let start = Instant::now();
        let mut host = Host::boot(&image, machines, 1)?;
        host.one_after_the_other(1, 1000)?;
        let microseconds = start.elapsed().as_secs_f64() * 1e6 / machines as f64;
        print!("{machines} VMs that ran 1,000 instructions: {microseconds:.0} us each");
        match (before, own_kibibytes()) {
            (Some(before), Some(after)) => {
                let each = after.saturating_sub(before) as f64 / machines as f64;
                println!(", {each:.1} KiB each");
            }
            _ => println!(" (skipped: this host does not say how much memory is in use)"),
        }
    }
    Ok(())
}

/// KiB of RAM that this process shares with nobody, page tables included.
fn own_kibibytes() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let value = |name: &str| {
        let line = status.lines().find(|line| line.starts_with(name))?;
        line.split_whitespace().nth(1)?.parse::<u64>().ok()
    };
    Some(value("RssAnon:")? + value("VmPTE:")?)
}
