//! What can run a kernel, and what a run tells.

use crate::cpu_time;
use crate::{bochs, native, qemu};
use guests::bench::Kernel;
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

/// Something that runs a kernel.
pub trait Engine {
    /// Its name in the table.
    fn name(&self) -> &'static str;

    /// Runs `rounds` rounds of a kernel on a machine that is made for it.
    ///
    /// # Errors
    /// Why no checksum came out, in one line.
    fn run(&self, kernel: &Kernel, rounds: u64) -> Result<Run, String>;
}

/// What one run of a kernel cost and gave.
pub struct Run {
    /// CPU seconds, start-up included.
    pub seconds: f64,
    /// What the kernel computed.
    pub checksum: u64,
}

/// The engines to compare `interp` with, as far as this host has them. Says
/// on the standard output which ones it has not.
pub fn rivals() -> Vec<Box<dyn Engine>> {
    let found = [native::find(), qemu::find(), bochs::find()];
    found
        .into_iter()
        .filter_map(|engine| engine.inspect_err(|why| println!("skipped: {why}")).ok())
        .collect()
}

/// A run takes seconds; whatever takes this long hangs.
const TIME_LIMIT: Duration = Duration::from_secs(600);

/// Runs a command to its end, and gives the CPU seconds that it used. How it
/// ended is not looked at: an emulator's exit status says little.
pub fn seconds_of_child(command: &mut Command) -> Result<f64, String> {
    let before = cpu_time::of_children();
    let program = command.get_program().to_string_lossy().into_owned();
    let mut child = command
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .map_err(|error| format!("{program} does not start: {error}"))?;
    wait(&mut child).map_err(|error| format!("{program}: {error}"))?;
    Ok(cpu_time::of_children() - before)
}

/// Waits for a child's end, and kills it when its time is up.
fn wait(child: &mut Child) -> Result<(), String> {
    let deadline = Instant::now() + TIME_LIMIT;
    while child
        .try_wait()
        .map_err(|error| error.to_string())?
        .is_none()
    {
        if Instant::now() > deadline {
            child
                .kill()
                .and_then(|()| child.wait())
                .map_err(|error| error.to_string())?;
            return Err(format!("still running after {TIME_LIMIT:?}"));
        }
        sleep(Duration::from_millis(2));
    }
    Ok(())
}

/// The checksum in the last word of what a kernel's guest prints.
pub fn printed_checksum(console: &str) -> Result<u64, String> {
    let word = console.split_whitespace().last().unwrap_or_default();
    word.strip_prefix("0x")
        .and_then(|digits| u64::from_str_radix(digits, 16).ok())
        .ok_or_else(|| format!("no checksum on the console, which shows {console:?}"))
}
