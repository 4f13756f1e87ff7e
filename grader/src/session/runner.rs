//! The runner's process, and the socket to it.

use crate::child::{self, Guard};
use crate::desk::Desk;
use crate::error::LabError;
use crate::host_order::HostOrder;
use crate::interrupt;
use crate::observation::Order;
use evidence::session::{Answer, Post, Request, SCHEMA, Stop, listen};
use serde::Serialize;
use std::fs::File;
use std::io::ErrorKind;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// How often it is looked for Ctrl-C while the run goes on.
const GLANCE: Duration = Duration::from_millis(50);

/// The image of a version with one VM, on the desk.
pub(super) const ONLY_IMAGE: &str = "guest.elf";

/// A run that takes longer can be stopped.
const LONG: Duration = Duration::from_millis(500);

/// A runner with its checkpoints. They do not outlive this value.
pub(super) struct Runner {
    post: Post,
    process: Guard,
    desk: Desk,
    /// Asked now and then while a run goes on, whether it is to stop.
    pub(super) wants_stop: Box<dyn FnMut() -> bool>,
}

impl Runner {
    /// Starts a runner of one VM.
    pub(super) fn start(program: &Path, order: &Order) -> Result<Runner, LabError> {
        let desk = Desk::new()?;
        let mut scenario = order.scenario.clone();
        scenario.image = desk.write(ONLY_IMAGE, &order.image)?;
        Runner::with(program, desk, &scenario)
    }

    /// Starts a runner of many VMs.
    pub(super) fn start_host(program: &Path, order: &HostOrder) -> Result<Runner, LabError> {
        let desk = Desk::new()?;
        let scenario = order.laid_on(&desk)?;
        Runner::with(program, desk, &scenario)
    }

    fn with(program: &Path, desk: Desk, scenario: &impl Serialize) -> Result<Runner, LabError> {
        let text = serde_json::to_vec(scenario).unwrap_or_default();
        let asked = desk.write("scenario.json", &text)?;
        let socket = desk.path("socket");
        let listener = listen(&socket).map_err(failed)?;
        let errors = File::create(desk.path("errors")).map_err(failed)?;
        let mut command = Command::new(program);
        command
            .arg("session")
            .args([&asked, &socket])
            .env_clear()
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(errors);
        let mut process = child::spawn(&mut command)?;
        let post = accept(&listener, &mut process).map(Post::new);
        let mut runner = Runner {
            post: post.ok_or_else(|| did_not_begin(&desk))?,
            process,
            desk,
            wants_stop: Box::new(|| false),
        };
        match runner.receive()? {
            Answer::Hello(schema) if schema == SCHEMA => Ok(runner),
            _ => Err(LabError::Infrastructure(String::from(
                "the runner speaks another language: build it anew",
            ))),
        }
    }

    /// Asks something, and waits for the answer.
    pub(super) fn ask(&mut self, request: &Request) -> Result<Answer, LabError> {
        self.post.send(request).map_err(|_| self.gone())?;
        match request {
            Request::Run(_) => self.wait_for_run()?,
            _ => self.wait()?,
        }
        self.receive()
    }

    /// Waits for the first stop, which nobody asks for.
    pub(super) fn stop(&mut self) -> Result<Stop, LabError> {
        match self.receive()? {
            Answer::Stopped(stop) => Ok(*stop),
            other => Err(super::unexpected(other)),
        }
    }

    /// Waits for the answer.
    fn wait(&mut self) -> Result<(), LabError> {
        while !self.post.wait(GLANCE).map_err(|_| self.gone())? {
            interrupt::check()?;
        }
        Ok(())
    }

    /// The same while a run goes on. If it takes long, somebody may be impatient.
    fn wait_for_run(&mut self) -> Result<(), LabError> {
        let begin = Instant::now();
        while !self.post.wait(GLANCE).map_err(|_| self.gone())? {
            interrupt::check()?;
            if begin.elapsed() > LONG && (self.wants_stop)() {
                let asked = self.post.send(&Request::Interrupt);
                asked.map_err(|_| self.gone())?;
                return self.wait();
            }
        }
        Ok(())
    }

    fn receive(&mut self) -> Result<Answer, LabError> {
        self.wait()?;
        self.post.answer().map_err(|_| self.gone())
    }

    /// An image: as it was given to the runner, or as the runner has put it together.
    pub(super) fn elf(&self, name: String) -> Result<Vec<u8>, LabError> {
        std::fs::read(self.desk.path(&name))
            .map_err(|error| LabError::infrastructure("the guest's image cannot be read", error))
    }

    /// The first process of the group that all checkpoints belong to.
    pub(super) fn process(&self) -> u32 {
        self.process.id()
    }

    fn gone(&self) -> LabError {
        did_not_begin(&self.desk)
    }
}

/// Waits until the runner comes, or is gone.
fn accept(listener: &UnixListener, process: &mut Guard) -> Option<UnixStream> {
    listener.set_nonblocking(true).ok()?;
    loop {
        match listener.accept() {
            Ok((stream, _)) => {
                stream.set_nonblocking(false).ok()?;
                return Some(stream);
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            Err(_) => return None,
        }
        if process.is_gone() || interrupt::check().is_err() {
            return None;
        }
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// The runner, with all its checkpoints, is gone or never came.
fn did_not_begin(desk: &Desk) -> LabError {
    let said = std::fs::read_to_string(desk.path("errors")).unwrap_or_default();
    let said = match said.trim_end() {
        "" => "it said nothing",
        said => said,
    };
    LabError::infrastructure("the runner is gone", said)
}

fn failed(error: std::io::Error) -> LabError {
    LabError::infrastructure("a socket to the runner cannot be made", error)
}
