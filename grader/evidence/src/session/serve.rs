//! Answers while the run stands.

use super::checkpoint;
use super::look::Looker;
use super::protocol::{
    Answer, Order, Place, Register, RegisterSet, Request, Scene, Stop, Until, Why,
};
use crate::frame::{Bytes, RegisterFile};
use common::inspect::{read, walk, write};
use common::trace::VcpuName;
use common::{Context, Time, View as Rights, flags};

/// No instruction is longer.
const LONGEST: usize = 15;

/// More bytes of memory are not told at once.
const PIECE: usize = 1 << 20;

const NOBODY: &str = "no guest is on a physical cpu here";

/// What can be seen where the run stands.
pub(super) struct View<'a> {
    pub(super) pcpu: usize,
    pub(super) now: Time,
    /// The guest, if one is here.
    pub(super) context: Option<&'a mut Context>,
}

/// How it goes on after a stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Flow {
    /// The guest runs on.
    Run,
    /// The virtual CPU must have its say first.
    Leave,
}

impl Looker {
    /// Tells that the run stands, and answers until it goes on.
    pub(super) fn stop(&mut self, why: Why, view: &mut View<'_>) -> Flow {
        checkpoint::be_patient();
        self.tell(why, view);
        loop {
            let Ok(request) = self.post.receive() else {
                checkpoint::retreat(); // the controller is gone
            };
            match request {
                Request::Interrupt => {}
                Request::Retreat if self.depth == 0 => self.refuse("this is the first checkpoint"),
                Request::Retreat => checkpoint::retreat(),
                Request::Run(_) if why == Why::Over => self.tell(why, view),
                Request::Run(until) => {
                    if !self.keep || self.mark(view) {
                        self.go(until);
                        return Flow::Run;
                    }
                }
                Request::Read { of, .. } | Request::Walk { of, .. } | Request::Registers { of } => {
                    self.show(request, of, view);
                }
                _ if why == Why::Over => self.refuse("the run is over: go back first"),
                Request::Mark => {
                    // In the checkpoint below it is known why; here it is shown again.
                    if self.mark(view) {
                        self.tell(why, view);
                    }
                }
                Request::Order(order) => {
                    if !self.keep || self.mark(view) {
                        self.obey(order);
                        return Flow::Leave;
                    }
                }
                Request::Write { .. } | Request::Set { .. } => self.change(request, view),
            }
        }
    }

    /// Leaves a checkpoint behind, and says whether this is the process above it.
    fn mark(&mut self, view: &View<'_>) -> bool {
        match self.checkpoint() {
            Ok(None) => return true,
            Ok(Some(gone)) => self.tell(Why::Back(gone), view),
            Err(error) => self.refuse(&format!("the host refuses another process: {error}")),
        }
        false
    }

    /// The virtual CPU is to do something, and then the run stands again.
    fn obey(&mut self, order: Order) {
        let position = Some(self.position);
        self.go(Until {
            position,
            ..Until::default()
        });
        self.order = Some(order);
        self.keep = true;
    }

    fn show(&mut self, request: Request, of: Option<VcpuName>, view: &View<'_>) {
        let elsewhere = of.filter(|_| of != self.vcpu_here(view));
        let elsewhere = elsewhere.map(|name| (self.contexts)(name));
        let context = match &elsewhere {
            Some(context) => context.as_ref(),
            None => view.context.as_deref(),
        };
        let Some(context) = context else {
            return self.refuse(NOBODY);
        };
        let space = &context.space;
        let answer = match request {
            Request::Registers { .. } => Answer::Registers(Box::new(RegisterSet::of(context))),
            Request::Walk { address, .. } => Answer::Walked(walk(space, address)),
            Request::Read { place, length, .. } => Answer::Bytes(Bytes(match place {
                Place::Virtual(address) => read(space, address, length.min(PIECE)),
                Place::Physical(gpa) => {
                    let there = space.memory.size().saturating_sub(gpa);
                    let mut bytes = vec![0; length.min(PIECE).min(there as usize)];
                    let _all_is_ram = space.memory.read(gpa, &mut bytes);
                    bytes
                }
            })),
            _ => return,
        };
        self.send(&answer);
    }

    fn change(&mut self, request: Request, view: &mut View<'_>) {
        let Some(context) = &mut view.context else {
            return self.refuse(NOBODY);
        };
        self.keep = true;
        let done = match request {
            Request::Set { register, value } => {
                set(context, register, value);
                Some(())
            }
            Request::Write { place, bytes } => match place {
                Place::Virtual(address) => write(&mut context.space, address, &bytes.0),
                Place::Physical(gpa) => {
                    context.space.set_root(context.space.root());
                    context.space.memory.write(gpa, &bytes.0)
                }
            },
            _ => None,
        };
        match done {
            Some(()) => self.send(&Answer::Done),
            None => self.refuse("not all of this is mapped to ram"),
        }
    }

    /// Whose context is to be seen in `view`.
    fn vcpu_here(&self, view: &View<'_>) -> Option<VcpuName> {
        let here = self.vcpu_on(view.pcpu);
        here.filter(|_| view.context.is_some())
    }

    fn refuse(&mut self, why: &str) {
        self.send(&Answer::Refused(why.to_string()));
    }

    fn tell(&mut self, why: Why, view: &View<'_>) {
        let (from, news) = self.untold.tell();
        let stop = Stop {
            why,
            depth: self.depth,
            position: self.position,
            time: view.now,
            latest: self.latest,
            pcpu: view.pcpu,
            vcpu: self.vcpu_on(view.pcpu),
            before: self.turns[0],
            scene: view.context.as_ref().map(|context| self.scene(context)),
            last_hit: self.last_hit.take(),
            from,
            news,
        };
        self.send(&Answer::Stopped(Box::new(stop)));
    }

    fn send(&mut self, answer: &Answer) {
        if self.post.send(answer).is_err() {
            checkpoint::retreat();
        }
    }

    fn scene(&self, context: &Context) -> Scene {
        Scene {
            registers: RegisterFile::of(context),
            fs_base: context.fs_base,
            gs_base: context.gs_base,
            root: context.space.root(),
            kernel_view: context.space.view == Rights::Kernel,
            code: Bytes(read(&context.space, context.rip, LONGEST)),
            state: self.state.clone(),
        }
    }
}

fn set(context: &mut Context, register: Register, value: u64) {
    match register {
        Register::General(general) => context.registers[general] = value,
        Register::Rip => context.rip = value,
        Register::Flags => context.flags = value & flags::USER | flags::ALWAYS,
        Register::FsBase => context.fs_base = value,
        Register::GsBase => context.gs_base = value,
    }
}
