//! QEMU's own translator, counting instructions, so that it too repeats every
//! run exactly.

use crate::engine::{Engine, Run, printed_checksum, seconds_of_child};
use guests::bench::Kernel;
use guests::pvh;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

const QEMU: &str = "qemu-system-x86_64";

/// QEMU with `-icount shift=0`: the guest's image behind the PVH stub.
struct Qemu {
    kernel: PathBuf,
    console: PathBuf,
}

/// QEMU, or why it cannot take part.
pub fn find() -> Result<Box<dyn Engine>, String> {
    Command::new(QEMU)
        .arg("--version")
        .output()
        .map_err(|_| format!("{QEMU} is not installed (Debian: qemu-system-x86)"))?;
    let directory = Path::new(env!("CARGO_TARGET_TMPDIR"));
    Ok(Box::new(Qemu {
        kernel: directory.join("qemu.elf"),
        console: directory.join("qemu.console"),
    }))
}

impl Engine for Qemu {
    fn name(&self) -> &'static str {
        "QEMU icount"
    }

    fn run(&self, kernel: &Kernel, rounds: u64) -> Result<Run, String> {
        let image = pvh::bootable(&kernel.guest(rounds));
        fs::write(&self.kernel, image).map_err(|error| error.to_string())?;
        let seconds = seconds_of_child(
            Command::new(QEMU)
                .args(["-accel", "tcg", "-icount", "shift=0"])
                // The machine that boots fastest; its CPU is that of the others.
                .args(["-machine", "microvm", "-cpu", "max", "-m", "64"])
                .args(["-display", "none", "-no-reboot", "-nodefaults"])
                .args(["-device", "isa-debug-exit,iobase=0xf4,iosize=0x04"])
                .arg("-serial")
                .arg(format!("file:{}", self.console.display()))
                .arg("-kernel")
                .arg(&self.kernel)
                .stdin(Stdio::null()),
        )?;
        let console = fs::read_to_string(&self.console).unwrap_or_default();
        let checksum = printed_checksum(&console)?;
        Ok(Run { seconds, checksum })
    }
}
