//! Looks at the run between two instructions, and decides whether it stops there.

use super::checkpoint::{self, Made};
use super::news::Untold;
use super::post::Post;
use super::protocol::{Answer, Decision, Gone, Kind, Order, Request, SCHEMA, Until, What, Why};
use super::serve::{Flow, View};
use common::inspect::{Inspector, Moment, Then};
use common::trace::{Event, Record, VcpuName};
use common::{Context, Time};
use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// After so many instructions it is looked whether the controller wants
/// something, and whether it still is there.
const CARE: u64 = NEAR;

/// The least distance of two checkpoints, in ticks. Farther on in the run they are
/// farther apart, so that there are some tens of them whatever its length, and
/// the way from one to the next stays a small part of the whole.
const NEAR: u64 = 200_000;
const PART: u64 = 8;

/// So many checkpoints on top of each other, and no more without a request.
const MOST: u32 = 100;

/// A run that is looked at. Clones look at the same run.
#[derive(Clone)]
pub struct Session(Arc<Mutex<Looker>>);

/// What a vCPU left behind on the physical CPU when it was there last.
pub(super) type Contexts = Box<dyn Fn(VcpuName) -> Option<Context> + Send>;

/// What is known of the run. One process has one; a checkpoint keeps its own.
pub(super) struct Looker {
    pub(super) post: Post,
    pub(super) untold: Untold,
    pub(super) depth: u32,
    /// Where the run is.
    pub(super) position: u64,
    /// How far any physical CPU has come.
    pub(super) latest: Time,
    /// Position and time of the last entry.
    entry: (u64, Time),
    /// The contexts of the vCPUs that are on no physical CPU, if versions tell
    /// vCPUs apart.
    pub(super) contexts: Contexts,
    /// Whose instruction was the last one, and who is about to execute the next.
    pub(super) turns: [Option<VcpuName>; 2],
    /// Who was said to run on each physical CPU.
    running: Vec<Option<VcpuName>>,
    /// The state that the virtual CPU emulates, as it was at the last entry.
    pub(super) state: Vec<(String, String)>,
    /// What the virtual CPU is to do before the next entry.
    pub(super) order: Option<Order>,
    /// How far it goes on.
    pub(super) until: Until,
    /// Where it began to.
    began: u64,
    /// Something of a kind that was asked for has happened since the last look.
    heard: bool,
    /// What stood in the places that are watched.
    watched: Vec<Vec<u8>>,
    pub(super) last_hit: Option<u64>,
    /// It may not go on from here without leaving a checkpoint.
    pub(super) keep: bool,
    next_care: u64,
    /// Where the last checkpoint was made, or refused.
    last_checkpoint: u64,
}

impl Session {
    /// Comes to the controller that listens at `socket`. The run will stand before
    /// its first instruction.
    ///
    /// # Errors
    /// If nobody listens there.
    pub fn begin(socket: &Path) -> io::Result<Session> {
        let mut post = Post::connect(socket)?;
        post.send(&Answer::Hello(SCHEMA.to_string()))?;
        Ok(Session(Arc::new(Mutex::new(Looker {
            post,
            untold: Untold::default(),
            depth: 0,
            position: 0,
            latest: Time::ZERO,
            entry: (0, Time::ZERO),
            contexts: Box::new(|_| None),
            turns: [None; 2],
            running: Vec::new(),
            state: Vec::new(),
            order: None,
            until: Until {
                position: Some(0),
                ..Until::default()
            },
            began: 0,
            heard: false,
            watched: Vec::new(),
            last_hit: None,
            keep: true,
            next_care: CARE,
            last_checkpoint: 0,
        }))))
    }

    /// What looks at the guest on each physical CPU.
    pub fn inspector(&self) -> Inspector {
        let session = self.clone();
        Box::new(move |moment| session.looker().look(moment))
    }

    /// Hears an event, before anybody else does.
    pub fn hears(&self, record: &Record) {
        self.looker().hear(record);
    }

    /// Something has happened that the controller is to know.
    pub fn put(&self, what: What) {
        self.looker().untold.put(what);
    }

    /// The virtual CPU has decided something.
    pub fn decided(&self, decision: Decision) {
        self.put(What::Decided(decision));
    }

    /// The guest is about to be entered, and this is the state that the virtual CPU
    /// emulates.
    pub fn state(&self, state: Vec<(String, String)>) {
        self.looker().state = state;
    }

    /// There are several vCPUs, and `contexts` tells of each that is on no physical
    /// CPU what it left behind there.
    pub fn knows(&self, contexts: impl Fn(VcpuName) -> Option<Context> + Send + 'static) {
        self.looker().contexts = Box::new(contexts);
    }

    /// Takes what the virtual CPU is to do now.
    pub fn order(&self) -> Option<Order> {
        self.looker().order.take()
    }

    /// The run is over. Answers until the controller has it go back, or is gone.
    pub fn over(&self, now: Time, context: Option<&mut Context>) -> ! {
        let mut looker = self.looker();
        let position = looker.position;
        looker.untold.place(position);
        looker.latest = looker.latest.max(now);
        let mut view = View {
            pcpu: 0,
            now,
            context,
        };
        loop {
            // Nobody comes out of it but to hear the same again.
            let _ = looker.stop(Why::Over, &mut view);
        }
    }

    fn looker(&self) -> MutexGuard<'_, Looker> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Looker {
    fn hear(&mut self, record: &Record) {
        match record.event {
            Event::Enter { .. } => self.entry = (self.position, record.time),
            Event::Trap { .. } => self.pass(record.time),
            Event::Runs(name) => *self.running_on(record.pcpu) = Some(name),
            Event::Idle => *self.running_on(record.pcpu) = None,
            _ => {}
        }
        let kind = Kind::of(record.event);
        self.heard |= kind.is_some_and(|kind| self.until.kinds.contains(&kind));
    }

    fn running_on(&mut self, pcpu: usize) -> &mut Option<VcpuName> {
        if self.running.len() <= pcpu {
            self.running.resize(pcpu + 1, None);
        }
        &mut self.running[pcpu]
    }

    /// Who runs on a physical CPU.
    pub(super) fn vcpu_on(&self, pcpu: usize) -> Option<VcpuName> {
        self.running.get(pcpu).copied().flatten()
    }

    /// The clock of who runs has come to `now`.
    fn pass(&mut self, now: Time) {
        self.position = self.entry.0 + now.since(self.entry.1);
        self.latest = self.latest.max(now);
    }

    fn look(&mut self, moment: Moment<'_>) -> Then {
        self.pass(moment.now);
        self.untold.place(self.position);
        self.turns = [self.turns[1], self.vcpu_on(moment.pcpu)];
        let mut view = View {
            pcpu: moment.pcpu,
            now: moment.now,
            context: Some(moment.context),
        };
        let mut why = self.care();
        loop {
            why = why.or_else(|| self.why_here(&view));
            let Some(stops) = why.take() else {
                return Then::LookAfter(self.distance(view.now));
            };
            let flow = self.stop(stops, &mut view);
            self.begin(&view);
            if flow == Flow::Leave {
                return Then::Leave;
            }
        }
    }

    /// From here on it is looked whether the run is to stop.
    fn begin(&mut self, view: &View<'_>) {
        self.began = self.position;
        self.heard = false;
        self.watched = self.watched_now(view);
    }

    /// Why the run stops here, if it does.
    fn why_here(&mut self, view: &View<'_>) -> Option<Why> {
        let until = &self.until;
        if until.position.is_some_and(|end| self.position >= end)
            || until.time.is_some_and(|end| view.now >= end)
        {
            return Some(Why::Arrived);
        }
        if self.position == self.began {
            return None;
        }
        let turn = self.turns[1];
        let vm_counts = until.vm.is_none() || until.vm == turn.map(|name| name.vm);
        let rip = view.context.as_ref().map(|context| context.rip);
        let why = if vm_counts && rip.is_some_and(|rip| until.addresses.contains(&rip)) {
            Why::Address
        } else if std::mem::take(&mut self.heard) {
            Why::Happened
        } else if vm_counts && !until.changed.is_empty() && self.watched != self.watched_now(view) {
            self.watched = self.watched_now(view);
            Why::Changed
        } else if until.vcpu.is_some() && until.vcpu == turn {
            Why::Turn
        } else {
            return None;
        };
        if self.until.scan {
            self.last_hit = Some(self.position);
            return None;
        }
        Some(why)
    }

    /// What stands in the watched places now; of a VM that is not here, what it
    /// left behind.
    fn watched_now(&self, view: &View<'_>) -> Vec<Vec<u8>> {
        let until = &self.until;
        let read = |context: &Context| {
            let ranges = until.changed.iter();
            ranges.map(|range| range.read(&context.space)).collect()
        };
        let here = self.turns[1].map(|name| name.vm);
        let left_behind = match until.vm {
            Some(vm) if here != Some(vm) => (self.contexts)(VcpuName { vm, vcpu: 0 }),
            _ => None,
        };
        let context = left_behind.as_ref().or(view.context.as_deref());
        context.map_or(Vec::new(), read)
    }

    /// After how many instructions there is something to look at.
    fn distance(&self, now: Time) -> u64 {
        let until = &self.until;
        let has_its_turn = until.vcpu.is_some() && until.vcpu == self.turns[1];
        if has_its_turn || !until.addresses.is_empty() || !until.changed.is_empty() {
            return 1;
        }
        let to_position = until.position.map(|end| end - self.position);
        let to_time = until.time.map(|end| end.since(now));
        let to_care = self.next_care - self.position;
        to_position
            .into_iter()
            .chain(to_time)
            .fold(to_care, u64::min)
    }

    /// Has an eye on the host now and then: the version's code may hang from here
    /// on, the controller may want something, and a checkpoint may be due. In the
    /// checkpoint, what became of the process above it.
    fn care(&mut self) -> Option<Why> {
        if self.position < self.next_care {
            return None;
        }
        self.rest();
        if self.post.has_mail() {
            match self.post.receive() {
                Ok(Request::Interrupt) => return Some(Why::Interrupted),
                // The controller is gone, or it is not the one we know.
                _ => checkpoint::retreat(),
            }
        }
        if self.position < self.next_checkpoint() || self.depth >= MOST {
            return None;
        }
        // A host that refuses is not asked again soon; it goes on without.
        self.last_checkpoint = self.position;
        self.checkpoint().ok().flatten().map(Why::Back)
    }

    /// The next care is not now.
    fn rest(&mut self) {
        self.next_care = self.position + CARE;
        checkpoint::hurry();
    }

    /// Leaves a checkpoint behind; in the checkpoint, what became of the process
    /// above it.
    pub(super) fn checkpoint(&mut self) -> io::Result<Option<Gone>> {
        match checkpoint::make()? {
            Made::Above => {
                self.depth += 1;
                self.keep = false;
                self.last_checkpoint = self.position;
                self.rest();
                Ok(None)
            }
            Made::Below(gone) => {
                self.post.mend();
                self.keep = true;
                Ok(Some(gone))
            }
        }
    }

    /// The run goes on from here.
    pub(super) fn go(&mut self, until: Until) {
        self.until = until;
        self.order = None;
        self.last_hit = None;
        self.rest();
    }

    /// Where the next checkpoint is due. Towards a position that was asked for
    /// they come closer together: who goes there will look around.
    fn next_checkpoint(&self) -> u64 {
        let last = self.last_checkpoint;
        let half_way = self.until.position.map(|end| end.saturating_sub(last) / 2);
        let distance = half_way.unwrap_or(u64::MAX).min(last / PART);
        last + distance.max(NEAR)
    }
}
