//! Is it a real machine? Boots guests in QEMU and compares what they print,
//! byte for byte, and how they end with what their models say.
//!
//! QEMU is optional: without it the tests say that they were skipped, and pass.
//! Where they must run, set `HEPTAVISOR_REQUIRE=qemu`.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use guests::catalogue::Ending;
use guests::image::Image;
use guests::{pvh, v1};

const QEMU: &str = "qemu-system-x86_64";
/// A boot takes a tenth of a second; whatever takes this long hangs.
const TIME_LIMIT: Duration = Duration::from_secs(60);
/// Seeds that every guest is tried with.
const SEEDS: [u64; 3] = [0, 1, 0x5eed_5eed_5eed_5eed];

#[test]
fn guests_of_version_1_print_and_exit_as_their_models_say() {
    if !qemu_is_there() {
        return;
    }
    for guest in v1::GUESTS {
        for seed in SEEDS {
            let expected = guest.expected(seed);
            if let Ending::Exit(code) = expected.ending {
                let outcome = boot(&guest.build(seed), guest.name);
                let what = format!("{}, seed {seed:#x}", guest.name);
                outcome.assert_console(&expected.console, &what);
                outcome.assert_exit(code, &what);
            }
        }
    }
}

/// What QEMU made of a guest.
struct Outcome {
    console: Vec<u8>,
    status: ExitStatus,
}

impl Outcome {
    fn assert_console(&self, expected: &[u8], what: &str) {
        assert!(
            self.console == expected,
            "{what}: the console differs\nexpected:\n{}\nfound:\n{}",
            String::from_utf8_lossy(expected),
            String::from_utf8_lossy(&self.console),
        );
    }

    /// The device `isa-debug-exit` ends QEMU with twice the value plus one.
    fn assert_exit(&self, code: u32, what: &str) {
        let expected = (code << 1 | 1) & 0xff;
        assert_eq!(
            self.status.code(),
            Some(expected as i32),
            "{what}: QEMU's exit status, which is 2 * exit code + 1"
        );
    }
}

/// Whether QEMU can be run.
///
/// # Panics
///
/// If it cannot, but must.
fn qemu_is_there() -> bool {
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

/// Boots the image and waits for QEMU's end. `name` keeps its files apart from
/// those of other boots at the same time.
fn boot(image: &Image, name: &str) -> Outcome {
    let kernel = TemporaryFile::new(&format!("{name}.elf"));
    let console = TemporaryFile::new(&format!("{name}.console"));
    std::fs::write(kernel.path(), pvh::bootable(image)).expect("the image can be written");
    let mut qemu = Command::new(QEMU)
        .args(["-machine", "q35", "-accel", "tcg", "-cpu", "max"])
        .args(["-display", "none", "-no-reboot"])
        .args(["-device", "isa-debug-exit,iobase=0xf4,iosize=0x04"])
        .arg("-serial")
        .arg(format!("file:{}", console.path().display()))
        .arg("-kernel")
        .arg(kernel.path())
        .stdin(Stdio::null())
        .spawn()
        .expect("QEMU starts");
    let status = wait(&mut qemu, name);
    let console = std::fs::read(console.path()).expect("QEMU has made the console's file");
    Outcome { console, status }
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
