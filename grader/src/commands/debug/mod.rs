//! `cargo lab debug`: a run in front of gdb. It speaks gdb's remote protocol, over a
//! [session](crate::session).
//!
//! ```text
//!  mod.rs          the command: what gdb gets to read, and who starts it
//!  port.rs         waits for gdb, carries bytes to the stub and back
//!    wire.rs       the connection
//!  target.rs       the run, as the stub's target: who the threads are
//!    registers.rs  what gdb calls a CPU's registers
//!    base.rs       registers and memory, to read and to change
//!    places.rs     breakpoints and watchpoints
//!    travel.rs     forwards and back, and why it stops
//!    monitor.rs    what gdb has no words for: the virtual CPU's own state
//! ```
//!
//! Guest memory is never patched: breakpoints and watchpoints are conditions of the
//! session. So a run under gdb is the plain run, until somebody changes something;
//! then it is a branch, which `monitor leave` leaves.

mod base;
mod monitor;
mod places;
mod port;
mod registers;
mod target;
mod travel;
mod wire;

use self::port::{Ended, Port};
use self::target::Debugger;
use super::run_session;
use super::say::note;
use crate::cli::DebugArguments;
use crate::error::LabError;
use crate::interrupt;
use crate::session::Session;
use crate::workspace::Workspace;
use common::Time;
use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

/// Puts a run in front of gdb until somebody presses Ctrl-C, or kills the run from
/// gdb; with a gdb of its own until that one ends.
pub(super) fn debug(workspace: &Workspace, mut arguments: DebugArguments) -> Result<u8, LabError> {
    let begin = run_session::take_begin(&mut arguments.run)?;
    let port = Port::open(arguments.port)?;
    let Some(mut session) = run_session::session(workspace, &arguments.run)? else {
        return Ok(1);
    };
    let vm = vm(&session, arguments.symbols)?;
    session.go_to_time(Time(begin.unwrap_or(0)))?;
    let files = Files::write(workspace, &session, vm, port.number())?;
    let command = format!("gdb -x {}", workspace.relative(&files.commands));
    let is_terminal = std::io::stdin().is_terminal() && std::io::stdout().is_terminal();
    let own = match arguments.port.is_none() && is_terminal && gdb_is_there() {
        true => Some(Gdb::start(&workspace.root, &files.commands)?),
        false => None,
    };
    let debugger = Debugger::new(session, vm);
    serve(debugger, &port, &command, own)
}

/// The VM whose guest gdb is to know.
fn vm(session: &Session, asked: Option<u32>) -> Result<u32, LabError> {
    let vms = session.vcpus().last().map_or(1, |name| name.vm + 1);
    match asked {
        Some(vm) if vm >= vms => Err(LabError::Usage(format!(
            "--symbols {vm}: there is no such VM, they are numbered from 0 to {}",
            vms - 1
        ))),
        asked => Ok(asked.unwrap_or(0)),
    }
}

/// Serves one gdb after the other.
fn serve(
    mut debugger: Debugger,
    port: &Port,
    command: &str,
    mut own: Option<Gdb>,
) -> Result<u8, LabError> {
    loop {
        if own.is_none() {
            let number = port.number();
            note!(
                "the run waits for gdb at 127.0.0.1:{number}; Ctrl-C ends it. In another terminal:"
            );
            note!("  {command}");
        }
        let still = || own.as_mut().is_none_or(Gdb::is_there);
        let ended = match port.serve(&mut debugger, still) {
            Err(LabError::Interrupted) => Ended::Interrupted,
            ended => ended?,
        };
        let time = debugger.session.stop().time;
        match ended {
            Ended::Interrupted => return Ok(0),
            Ended::Killed => {
                note!("gdb has killed the run, at time {time}");
                return Ok(0);
            }
            Ended::Detached => note!("gdb has let go of the run, which stays at time {time}"),
            Ended::Gone => note!("gdb is gone; the run stays at time {time}"),
        }
    }
}

/// What gdb reads: the guest, and the commands to come here. They vanish with this
/// value.
struct Files {
    image: PathBuf,
    commands: PathBuf,
}

impl Files {
    /// Puts them into the target folder, named by the port, which is nobody else's.
    fn write(
        workspace: &Workspace,
        session: &Session,
        vm: u32,
        port: u16,
    ) -> Result<Files, LabError> {
        let folder = workspace.target.join("lab/debug");
        let files = Files {
            image: folder.join(format!("guest-{port}.elf")),
            commands: folder.join(format!("gdb-{port}.txt")),
        };
        let image = session.elf(vm)?;
        let commands = commands(&files.image, port);
        std::fs::create_dir_all(&folder)
            .and_then(|()| std::fs::write(&files.image, image))
            .and_then(|()| std::fs::write(&files.commands, commands))
            .map_err(|error| {
                LabError::infrastructure(format!("{} cannot be written", folder.display()), error)
            })?;
        Ok(files)
    }
}

impl Drop for Files {
    fn drop(&mut self) {
        for file in [&self.image, &self.commands] {
            // It is gone already, or it stays: nobody is hurt.
            let _ = std::fs::remove_file(file);
        }
    }
}

/// gdb must not keep what a command for the virtual CPU may change, and must say
/// whose step it means.
fn commands(image: &Path, port: u16) -> String {
    format!(
        "# Written by `cargo lab debug`; it vanishes when that ends.\n\
         file \"{}\"\n\
         set disassembly-flavor intel\n\
         set stack-cache off\n\
         set code-cache off\n\
         target remote 127.0.0.1:{port}\n\
         set scheduler-locking step\n\
         define hookpost-monitor\n\
         maintenance flush register-cache\n\
         end\n",
        image.display()
    )
}

fn gdb_is_there() -> bool {
    let mut command = Command::new("gdb");
    command.arg("--version").stdin(Stdio::null());
    let ran = command.stdout(Stdio::null()).stderr(Stdio::null()).status();
    ran.is_ok_and(|status| status.success())
}

/// A gdb in the foreground of this terminal. It does not outlive this value.
struct Gdb(Child);

impl Gdb {
    fn start(folder: &Path, commands: &Path) -> Result<Gdb, LabError> {
        // Ctrl-C in its terminal is meant for gdb, which stops the guest then.
        interrupt::lend();
        let mut command = Command::new("gdb");
        command
            .current_dir(folder)
            .arg("-q")
            .arg("-x")
            .arg(commands);
        let started = command.spawn();
        let failed = |error| LabError::infrastructure("gdb cannot be started", error);
        Ok(Gdb(started.map_err(failed)?))
    }

    fn is_there(&mut self) -> bool {
        matches!(self.0.try_wait(), Ok(None))
    }
}

impl Drop for Gdb {
    fn drop(&mut self) {
        // Both fail only if it is gone already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
