//! Boots guests in QEMU, for the tests that compare what they do there with what
//! their models say.

// Each test uses its own part of this.
#![allow(dead_code)]

use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use guests::catalogue::{Ending, Expected};
use guests::image::Image;
use guests::pvh;

const QEMU: &str = "qemu-system-x86_64";
/// A boot takes a tenth of a second; whatever takes this long hangs.
const TIME_LIMIT: Duration = Duration::from_secs(60);
/// Seeds that every guest is tried with.
pub const SEEDS: [u64; 3] = [0, 1, 0x5eed_5eed_5eed_5eed];

/// A triple fault resets the PC; with `-no-reboot` QEMU then ends with this
/// status, which the exit port (always odd) cannot produce.
pub const TRIPLE_FAULT: i32 = 0;

/// What QEMU has to run an image on.
#[derive(Clone, Copy)]
pub struct Machine {
    /// How many CPUs the machine has.
    pub cpus: u8,
    /// How many threads of the host QEMU runs them in: `multi`, one for each
    /// CPU, or `single`, one for all, which takes them in turn.
    pub threads: &'static str,
}

const ONE_CPU: Machine = Machine {
    cpus: 1,
    threads: "single",
};

/// Boots the image on one CPU and compares what it prints and how it ends.
pub fn check(image: &Image, expected: &Expected, name: &str, what: &str) {
    check_on(ONE_CPU, image, expected, name, what);
}

/// Boots the image and compares what it prints and how it ends.
pub fn check_on(machine: Machine, image: &Image, expected: &Expected, name: &str, what: &str) {
    let status = match &expected.ending {
        Ending::Exit(code) => status_of(*code),
        Ending::TripleFault(_) => TRIPLE_FAULT,
        Ending::Halt | Ending::Never { .. } => {
            let console = boot_and_stop(machine, image, name, expected.console.len());
            assert_console(&console, &expected.console, what);
            return;
        }
        Ending::Death(_) => panic!("{what}: not for this check"),
    };
    let outcome = boot_on(machine, image, name);
    outcome.assert_console(&expected.console, what);
    outcome.assert_status(status, what);
}

/// What QEMU made of a guest.
pub struct Outcome {
    pub console: Vec<u8>,
    status: ExitStatus,
}

impl Outcome {
    pub fn assert_console(&self, expected: &[u8], what: &str) {
        assert_console(&self.console, expected, what);
    }

    pub fn assert_status(&self, expected: i32, what: &str) {
        let console = String::from_utf8_lossy(&self.console);
        assert_eq!(
            self.status.code(),
            Some(expected),
            "{what}: QEMU's exit status, after the console:\n{console}"
        );
    }
}

fn assert_console(found: &[u8], expected: &[u8], what: &str) {
    assert!(
        found == expected,
        "{what}: the console differs\nexpected:\n{}\nfound:\n{}",
        String::from_utf8_lossy(expected),
        String::from_utf8_lossy(found),
    );
}

/// The status with which the device `isa-debug-exit` ends QEMU: twice the
/// guest's exit code plus one, in a byte.
pub fn status_of(code: u32) -> i32 {
    (code << 1 | 1) as i32 & 0xff
}

/// Whether QEMU can be run.
///
/// # Panics
///
/// If it cannot, but must.
pub fn qemu_is_there() -> bool {
    let version = Command::new(QEMU).arg("--version").output();
    if version.is_ok_and(|output| output.status.success()) {
        return true;
    }
    let reason = format!("{QEMU} is not installed (Debian: qemu-system-x86)");
    let required = std::env::var("HEPTAVISOR_REQUIRE").unwrap_or_default();
    assert!(
        !required.split(',').any(|name| name.trim() == "qemu"),
        "HEPTAVISOR_REQUIRE names qemu, but {reason}"
    );
    eprintln!("skipped: {reason}");
    false
}

/// Boots the image on one CPU and waits for QEMU's end. `name` keeps its files
/// apart from those of other boots at the same time.
pub fn boot(image: &Image, name: &str) -> Outcome {
    boot_on(ONE_CPU, image, name)
}

/// Boots the image and waits for QEMU's end.
pub fn boot_on(machine: Machine, image: &Image, name: &str) -> Outcome {
    let kernel = TemporaryFile::new(&format!("{name}.elf"));
    let console = TemporaryFile::new(&format!("{name}.console"));
    let mut qemu = start(machine, image, &kernel, &console);
    let status = wait(&mut qemu, name);
    let console = std::fs::read(console.path()).expect("QEMU has made the console's file");
    Outcome { console, status }
}

/// Boots an image that halts or runs for ever, and stops QEMU a while after it
/// has printed so many bytes.
fn boot_and_stop(machine: Machine, image: &Image, name: &str, bytes: usize) -> Vec<u8> {
    let kernel = TemporaryFile::new(&format!("{name}.elf"));
    let console = TemporaryFile::new(&format!("{name}.console"));
    let printed = || std::fs::read(console.path()).unwrap_or_default();
    let mut qemu = start(machine, image, &kernel, &console);
    let deadline = Instant::now() + TIME_LIMIT;
    while printed().len() < bytes && Instant::now() < deadline {
        sleep(Duration::from_millis(5));
    }
    sleep(Duration::from_millis(100));
    let ended = qemu.try_wait().expect("QEMU's state can be asked");
    let _ = qemu.kill();
    let _ = qemu.wait();
    assert_eq!(ended, None, "{name}: QEMU ended, but the guest does not");
    printed()
}

/// Starts QEMU with the image.
fn start(
    machine: Machine,
    image: &Image,
    kernel: &TemporaryFile,
    console: &TemporaryFile,
) -> Child {
    std::fs::write(kernel.path(), pvh::bootable(image)).expect("the image can be written");
    Command::new(QEMU)
        .args(["-machine", "q35", "-cpu", "max"])
        .arg("-accel")
        .arg(format!("tcg,thread={}", machine.threads))
        .args(["-display", "none", "-no-reboot"])
        .args(["-smp", &machine.cpus.to_string()])
        .args(["-device", "isa-debug-exit,iobase=0xf4,iosize=0x04"])
        .arg("-serial")
        .arg(format!("file:{}", console.path().display()))
        .arg("-kernel")
        .arg(kernel.path())
        .stdin(Stdio::null())
        .spawn()
        .expect("QEMU starts")
}

/// Waits for QEMU's end, and kills it when its time is up.
fn wait(qemu: &mut Child, name: &str) -> ExitStatus {
    let deadline = Instant::now() + TIME_LIMIT;
    loop {
        if let Some(status) = qemu.try_wait().expect("QEMU's state can be asked") {
            return status;
        }
        if Instant::now() >= deadline {
            let _ = qemu.kill();
            let _ = qemu.wait();
            panic!("{name}: QEMU did not end within {TIME_LIMIT:?}");
        }
        sleep(Duration::from_millis(5));
    }
}

/// A file that is removed when it goes out of scope.
struct TemporaryFile {
    path: PathBuf,
}

impl TemporaryFile {
    fn new(name: &str) -> Self {
        let name = format!("{}-{name}", std::process::id());
        Self {
            path: Path::new(env!("CARGO_TARGET_TMPDIR")).join(name),
        }
    }

    fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for TemporaryFile {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.path);
    }
}
