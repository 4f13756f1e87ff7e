//! Runs a program that may do anything, within bounds.
//!
//! The program gets a process group of its own, no input, and a time after
//! which the whole group is killed. What it prints is read to a bound; past a
//! second, larger bound it is killed for flooding.

use crate::error::LabError;
use crate::interrupt;
use std::io::Read;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// How much of what it prints is kept, for each of the two streams.
const KEPT: usize = 16 << 10;
/// How much it may print before it is killed.
const FLOOD: u64 = 8 << 20;

/// How the program ended, and what it said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finished {
    /// How it ended.
    pub how: How,
    /// The beginning of its standard output.
    pub stdout: Vec<u8>,
    /// The beginning of its standard error output.
    pub stderr: Vec<u8>,
}

/// How a program ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum How {
    /// By itself, with this exit code.
    Exited(i32),
    /// By this signal, which it brought on itself.
    Signal(i32),
    /// Killed: it ran longer than it was given.
    TimedOut,
    /// Killed: it printed without end.
    Flooded,
}

/// How much a program is given.
struct Bounds {
    time: Duration,
    kept: usize,
    flood: u64,
    /// Whether it is killed when its result is not wanted any more, and not on
    /// Ctrl-C only.
    abandoned: bool,
}

/// Runs `command` for at most `time`. `look` is called again and again while it
/// runs, to follow what it does.
///
/// # Errors
/// If it cannot be started, or on Ctrl-C; then it has been killed.
pub fn run(
    command: &mut Command,
    time: Duration,
    look: impl FnMut(),
) -> Result<Finished, LabError> {
    let bounds = Bounds {
        time,
        kept: KEPT,
        flood: FLOOD,
        abandoned: true,
    };
    run_within(command, &bounds, look)
}

/// Runs a program that is trusted with as much time as it takes, and keeps all
/// that it says. It is not killed half-way because its result is not wanted any
/// more: what a compiler leaves then may spoil the next build.
///
/// # Errors
/// As [`run`].
pub fn run_trusted(command: &mut Command) -> Result<Finished, LabError> {
    let bounds = Bounds {
        time: Duration::MAX,
        kept: usize::MAX,
        flood: u64::MAX,
        abandoned: false,
    };
    run_within(command, &bounds, || {})
}

fn run_within(
    command: &mut Command,
    bounds: &Bounds,
    mut look: impl FnMut(),
) -> Result<Finished, LabError> {
    command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = spawn(command)?;
    let printed = Arc::new(AtomicU64::new(0));
    let stdout = collect(child.0.stdout.take(), &printed, bounds.kept);
    let stderr = collect(child.0.stderr.take(), &printed, bounds.kept);
    let how = wait(&mut child, bounds, &printed, &mut look)?;
    drop(child); // a grandchild must not hold the streams open
    look();
    let text = |reader: JoinHandle<Vec<u8>>| reader.join().unwrap_or_default();
    Ok(Finished {
        how,
        stdout: text(stdout),
        stderr: text(stderr),
    })
}

/// Starts `command` in a process group of its own, which does not outlive what is
/// given back.
///
/// # Errors
/// If it cannot be started.
pub(crate) fn spawn(command: &mut Command) -> Result<Guard, LabError> {
    own_group(command);
    command.spawn().map(Guard).map_err(|error| {
        LabError::infrastructure(
            format!("{} cannot be run", command.get_program().display()),
            error,
        )
    })
}

fn wait(
    child: &mut Guard,
    bounds: &Bounds,
    printed: &AtomicU64,
    look: &mut impl FnMut(),
) -> Result<How, LabError> {
    let begin = Instant::now();
    let mut pause = Duration::from_micros(200);
    loop {
        let status = child.0.try_wait();
        match status.map_err(|error| LabError::infrastructure("waiting for a program", error))? {
            Some(status) => return Ok(how(status)),
            None if printed.load(Ordering::Relaxed) > bounds.flood => return Ok(How::Flooded),
            None if begin.elapsed() > bounds.time => return Ok(How::TimedOut),
            None if bounds.abandoned => interrupt::check()?,
            None => interrupt::check_final()?,
        }
        look();
        std::thread::sleep(pause);
        pause = (pause * 2).min(Duration::from_millis(10));
    }
}

#[cfg(unix)]
fn how(status: ExitStatus) -> How {
    use std::os::unix::process::ExitStatusExt;
    match status.signal() {
        Some(signal) => How::Signal(signal),
        None => How::Exited(status.code().unwrap_or(-1)),
    }
}

#[cfg(not(unix))]
fn how(status: ExitStatus) -> How {
    How::Exited(status.code().unwrap_or(-1))
}

/// Reads a stream to its end, keeps its beginning, counts all of it.
fn collect(
    stream: Option<impl Read + Send + 'static>,
    printed: &Arc<AtomicU64>,
    bound: usize,
) -> JoinHandle<Vec<u8>> {
    let printed = Arc::clone(printed);
    std::thread::spawn(move || {
        let mut kept = Vec::new();
        let mut buffer = [0; 8192];
        let Some(mut stream) = stream else {
            return kept;
        };
        while let Ok(length @ 1..) = stream.read(&mut buffer) {
            printed.fetch_add(length as u64, Ordering::Relaxed);
            let wanted = length.min(bound - kept.len());
            kept.extend_from_slice(&buffer[..wanted]);
        }
        kept
    })
}

/// A child that does not outlive its guard, nor does anything it started.
pub(crate) struct Guard(Child);

#[cfg(unix)]
impl Guard {
    /// The number of its process, and of its group.
    pub(crate) fn id(&self) -> u32 {
        self.0.id()
    }

    /// Whether it has ended.
    pub(crate) fn is_gone(&mut self) -> bool {
        !matches!(self.0.try_wait(), Ok(None))
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        kill_group(&self.0);
        // Both fail only if the child is gone already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[cfg(unix)]
fn own_group(command: &mut Command) {
    use std::os::unix::process::CommandExt;
    command.process_group(0);
}

#[cfg(unix)]
fn kill_group(child: &Child) {
    use nix::sys::signal::{Signal, killpg};
    let group = nix::unistd::Pid::from_raw(child.id().cast_signed());
    let _ = killpg(group, Signal::SIGKILL); // fails if nobody is left in it
}

#[cfg(not(unix))]
fn own_group(_command: &mut Command) {}

#[cfg(not(unix))]
fn kill_group(_child: &Child) {}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    fn shell(script: &str, time: Duration) -> Finished {
        run(Command::new("sh").args(["-c", script]), time, || {}).unwrap()
    }

    const LONG: Duration = Duration::from_secs(20);

    #[test]
    fn both_streams_and_the_exit_code_are_kept() {
        let finished = shell("echo out; echo err >&2; exit 7", LONG);
        assert_eq!(finished.how, How::Exited(7));
        assert_eq!(
            (&*finished.stdout, &*finished.stderr),
            (&b"out\n"[..], &b"err\n"[..])
        );
    }

    #[test]
    fn a_signal_is_no_exit_code() {
        assert_eq!(shell("kill -SEGV $$", LONG).how, How::Signal(11));
    }

    #[test]
    fn one_that_hangs_is_killed_with_all_it_started() {
        let begin = Instant::now();
        let finished = shell("sleep 60 & sleep 60", Duration::from_millis(50));
        assert_eq!(finished.how, How::TimedOut);
        assert!(begin.elapsed() < LONG);
    }

    #[test]
    fn a_flood_is_stopped_and_its_beginning_kept() {
        let finished = shell("while :; do echo PASS; done", LONG);
        assert_eq!(finished.how, How::Flooded);
        assert_eq!(finished.stdout.len(), KEPT);
    }

    #[test]
    fn one_that_is_trusted_may_say_as_much_as_it_likes() {
        let script = "head -c 9000000 /dev/zero";
        let finished = run_trusted(Command::new("sh").args(["-c", script])).unwrap();
        assert_eq!(finished.how, How::Exited(0));
        assert_eq!(finished.stdout.len(), 9_000_000);
    }

    #[test]
    fn one_left_in_the_background_does_not_hold_us_up() {
        let begin = Instant::now();
        assert_eq!(shell("sleep 60 & exit 0", LONG).how, How::Exited(0));
        assert!(begin.elapsed() < LONG);
    }

    #[test]
    fn a_program_that_is_not_there_is_named() {
        let error = run(&mut Command::new("/no/such/runner"), LONG, || {}).unwrap_err();
        assert!(error.to_string().contains("/no/such/runner"), "{error}");
        assert_eq!(error.exit_code(), 3);
    }
}
