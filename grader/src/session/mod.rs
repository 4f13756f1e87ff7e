//! A run that can be stopped, looked at, changed and taken back: what a stepper
//! and a debugger are made of. It knows no terminal.
//!
//! ```text
//!  mod.rs        a session: where the run stands, and what has happened so far
//!    runner.rs   the runner's process and the socket to it
//!    travel.rs   forwards and back: to a position, a time, an event, an address
//!    change.rs   branches: what follows if something is changed
//!  names.rs      how guests, vCPUs and places are called
//!  words.rs      what was seen, in words
//!    pages.rs    the way of an address through the page tables
//!    whereabouts.rs  who is on which physical CPU, who waits, who has ended
//!  number.rs     a number, as somebody writes it
//! ```
//!
//! The version's code runs in the runner's process, never here. Whatever it does
//! there becomes a [`Stop`] with a reason, and the session goes on: if the
//! process dies, its last checkpoint answers in its place.

mod change;
mod names;
pub mod number;
mod pages;
mod runner;
mod travel;
mod whereabouts;
pub mod words;

pub use number::number;
pub use whereabouts::{Whereabouts, whereabouts};

use crate::error::LabError;
use crate::host_order::image_of;
use crate::host_order::{HostOrder, VmOrder};
use crate::observation::Order;
use common::Image;
use common::trace::{Event, Record, VcpuName};
use evidence::session::{Answer, News, Place, RegisterSet, Request, Stop, Until, What, Why};
use evidence::{Bytes, Frame};
use runner::{ONLY_IMAGE, Runner};
use std::path::Path;

/// A run that stands, most of the time.
pub struct Session {
    runner: Runner,
    images: Vec<Image>,
    vcpus: Vec<VcpuName>,
    stop: Stop,
    news: Vec<News>,
    /// How deep the checkpoint of the recorded run is that a change was made from.
    branch: Option<u32>,
}

impl Session {
    /// Begins a run of one VM, which stands before its first instruction (or is
    /// over already, if the version's code did not even get there).
    ///
    /// # Errors
    /// If the run cannot begin; nothing in this is the student's doing.
    pub fn begin(runner: &Path, order: &Order) -> Result<Session, LabError> {
        let image =
            Image::parse(&order.image).map_err(|error| LabError::Usage(error.to_string()))?;
        let mut runner = Runner::start(runner, order)?;
        let stop = runner.stop()?;
        let image = match &order.scenario.threads {
            // What the student's pieces made of it is theirs: it may be anything.
            Some(_) => {
                let made = runner.elf(String::from(ONLY_IMAGE));
                let made = made.ok().and_then(|bytes| Image::parse(&bytes).ok());
                made.unwrap_or(image)
            }
            None => image,
        };
        Ok(Session::of(runner, vec![image], Vec::new(), stop))
    }

    /// The same for a set of VMs.
    ///
    /// # Errors
    /// As [`begin`](Session::begin), and if the order asks for threads of the host,
    /// or for another engine than the software CPU.
    pub fn begin_host(runner: &Path, order: &HostOrder) -> Result<Session, LabError> {
        let parse = |vm: &VmOrder| {
            Image::parse(&vm.image)
                .map_err(|error| LabError::Usage(format!("{}: {error}", vm.name)))
        };
        let images: Result<Vec<_>, _> = order.vms.iter().map(parse).collect();
        let images = images?;
        let mut runner = Runner::start_host(runner, order)?;
        let stop = runner.stop()?;
        let vcpus_of = |(vm, order): (u32, &VmOrder)| {
            let numbers = 0..order.setup.vcpus;
            numbers.map(move |vcpu| VcpuName { vm, vcpu })
        };
        let vcpus = (0..).zip(&order.vms).flat_map(vcpus_of).collect();
        Ok(Session::of(runner, images, vcpus, stop))
    }

    fn of(runner: Runner, images: Vec<Image>, vcpus: Vec<VcpuName>, stop: Stop) -> Session {
        let mut session = Session {
            runner,
            images,
            vcpus,
            news: Vec::new(),
            stop: stop.clone(),
            branch: None,
        };
        session.stands(stop);
        session
    }

    /// From now on asks this now and then while the run goes on; it stops where it
    /// is when the answer is yes.
    pub fn stop_when(&mut self, wants_stop: impl FnMut() -> bool + 'static) {
        self.runner.wants_stop = Box::new(wants_stop);
    }

    /// Where the run stands. Its news are in [`news`](Session::news).
    pub fn stop(&self) -> &Stop {
        &self.stop
    }

    /// Whether the run is over.
    pub fn is_over(&self) -> bool {
        self.stop.why == Why::Over
    }

    /// All that has happened so far, in order.
    pub fn news(&self) -> &[News] {
        &self.news
    }

    /// The records among the news.
    pub fn records(&self) -> impl Iterator<Item = &Record> {
        self.news.iter().filter_map(record)
    }

    /// What the guest has written to its console so far, if there is one VM.
    pub fn console(&self) -> Vec<u8> {
        let frames = self.news.iter().filter_map(|news| match &news.what {
            What::One(Frame::Console(bytes)) => Some(&bytes.0),
            _ => None,
        });
        frames.flatten().copied().collect()
    }

    /// The vCPUs of all VMs, if the version tells them apart.
    pub fn vcpus(&self) -> &[VcpuName] {
        &self.vcpus
    }

    /// The guest's ELF image: what the runner was given, or what it has put together.
    /// There is one VM, or `vm` is the number of one of many.
    ///
    /// # Errors
    /// If it cannot be read.
    pub fn elf(&self, vm: u32) -> Result<Vec<u8>, LabError> {
        self.runner.elf(match self.vcpus.is_empty() {
            true => String::from(ONLY_IMAGE),
            false => image_of(vm),
        })
    }

    /// The number of the group that the runner and its checkpoints are in.
    pub fn process_group(&self) -> u32 {
        self.runner.process()
    }

    /// As many of `length` bytes of memory as there are.
    ///
    /// # Errors
    /// If no guest is on a physical CPU, or the runner is gone.
    pub fn read(&mut self, place: Place, length: usize) -> Result<Vec<u8>, LabError> {
        self.read_of(None, place, length)
    }

    /// The same of a vCPU that need not be the one that runs.
    ///
    /// # Errors
    /// If it is none of this run, or the runner is gone.
    pub fn read_of(
        &mut self,
        of: Option<VcpuName>,
        place: Place,
        length: usize,
    ) -> Result<Vec<u8>, LabError> {
        match self.runner.ask(&Request::Read { of, place, length })? {
            Answer::Bytes(Bytes(bytes)) => Ok(bytes),
            other => Err(unexpected(other)),
        }
    }

    /// The way of a guest-virtual address through the page tables.
    ///
    /// # Errors
    /// As [`read`](Session::read).
    pub fn walk(&mut self, address: u64) -> Result<common::inspect::Walk, LabError> {
        self.walk_of(None, address)
    }

    /// The same through the tables of a vCPU that need not be the one that runs.
    ///
    /// # Errors
    /// As [`read_of`](Session::read_of).
    pub fn walk_of(
        &mut self,
        of: Option<VcpuName>,
        address: u64,
    ) -> Result<common::inspect::Walk, LabError> {
        match self.runner.ask(&Request::Walk { of, address })? {
            Answer::Walked(walk) => Ok(walk),
            other => Err(unexpected(other)),
        }
    }

    /// All registers of a vCPU that need not be the one that runs; of that one if
    /// none is named.
    ///
    /// # Errors
    /// As [`read_of`](Session::read_of).
    pub fn registers_of(&mut self, of: Option<VcpuName>) -> Result<RegisterSet, LabError> {
        match self.runner.ask(&Request::Registers { of })? {
            Answer::Registers(registers) => Ok(*registers),
            other => Err(unexpected(other)),
        }
    }

    /// Runs on as far as `until` says, or to the end.
    ///
    /// # Errors
    /// If the runner is gone, or on Ctrl-C.
    pub fn run(&mut self, until: Until) -> Result<&Stop, LabError> {
        self.ask_for_stop(&Request::Run(until))
    }

    fn ask_for_stop(&mut self, request: &Request) -> Result<&Stop, LabError> {
        match self.runner.ask(request)? {
            Answer::Stopped(stop) => {
                self.stands(*stop);
                Ok(&self.stop)
            }
            other => Err(unexpected(other)),
        }
    }

    /// The run stands here now. What is told again, or was told by a process that
    /// is gone, has not happened.
    fn stands(&mut self, mut stop: Stop) {
        self.news.truncate(stop.from as usize);
        self.news.append(&mut stop.news);
        if self.branch.is_some_and(|base| stop.depth <= base) {
            self.branch = None;
        }
        self.stop = stop;
    }
}

/// The record among the news, if it is one. Entries are none for people.
pub(crate) fn record(news: &News) -> Option<&Record> {
    match &news.what {
        What::One(Frame::Record(record)) => Some(record),
        What::Many(evidence::host::Frame::Record(record)) => Some(record),
        _ => None,
    }
}

/// The event among the news, if it is one.
pub(crate) fn event(news: &News) -> Option<Event> {
    record(news).map(|record| record.event)
}

fn unexpected(answer: Answer) -> LabError {
    match answer {
        Answer::Refused(why) => LabError::Usage(why),
        _ => LabError::Infrastructure(String::from(
            "the runner answers something else than it was asked",
        )),
    }
}
