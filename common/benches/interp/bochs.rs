//! Bochs: the other interpreter of whole PCs.

use crate::bochs_rom;
use crate::engine::{Engine, Run, seconds_of_child};
use guests::bench::Kernel;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;

const BOCHS: &str = "bochs";

/// Bochs, as installed on this host, from reset straight into the kernel.
struct Bochs {
    directory: PathBuf,
}

/// Bochs, or why it cannot take part.
pub fn find() -> Result<Box<dyn Engine>, String> {
    Command::new(BOCHS)
        .args(["--help", "cpu"])
        .output()
        .map_err(|_| "bochs is not installed (Debian: bochs, bochs-term)")?;
    let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).join("bochs");
    fs::create_dir_all(&directory).map_err(|error| error.to_string())?;
    let bochs = Bochs { directory };
    bochs.write("go", b"c\n")?;
    Ok(Box::new(bochs))
}

impl Bochs {
    fn path(&self, file: &str) -> PathBuf {
        self.directory.join(file)
    }

    fn write(&self, file: &str, bytes: &[u8]) -> Result<(), String> {
        fs::write(self.path(file), bytes).map_err(|error| format!("{file}: {error}"))
    }

    /// A machine of nothing but CPU, memory and serial port. Debian's Bochs
    /// has no display that needs no terminal, and crashes at a sound driver
    /// without a sound card.
    fn configuration(&self) -> String {
        let path = |file| self.path(file).display().to_string();
        [
            "display_library: term".to_string(),
            "sound: waveoutdrv=dummy".to_string(),
            "clock: sync=none".to_string(),
            format!("romimage: file={}, options=none", path("rom")),
            format!("com1: enabled=1, mode=file, dev={}", path("console")),
            format!("log: {}\n", path("log")),
        ]
        .join("\n")
    }

    /// The eight bytes that the ROM sent to COM1.
    fn checksum(&self) -> Result<u64, String> {
        let console = fs::read(self.path("console")).unwrap_or_default();
        let checksum = console.try_into().map(u64::from_le_bytes);
        checksum.map_err(|_| format!("bochs gave no checksum; see {}", self.path("log").display()))
    }
}

impl Engine for Bochs {
    fn name(&self) -> &'static str {
        "Bochs"
    }

    fn run(&self, kernel: &Kernel, rounds: u64) -> Result<Run, String> {
        self.write("rom", &bochs_rom::build(&kernel.code(), rounds))?;
        self.write("configuration", self.configuration().as_bytes())?;
        self.write("console", b"")?;
        // Debian's Bochs has its debugger built in, which waits to be told "c".
        let go = File::open(self.path("go")).map_err(|error| error.to_string())?;
        let seconds = seconds_of_child(
            Command::new(BOCHS)
                .arg("-q")
                .arg("-f")
                .arg(self.path("configuration"))
                .env("TERM", "dumb")
                .stdin(go),
        )?;
        let checksum = self.checksum()?;
        Ok(Run { seconds, checksum })
    }
}
