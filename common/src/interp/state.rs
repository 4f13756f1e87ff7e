//! What operations work on: the running context in the form that is fastest.

use super::flags::Flags;
use super::op::{Flow, Op, REGS, Reg};
use super::spaces::Spaces;
use crate::memory::Tlb;
use crate::{Access, Context, Flush, Memory, PAGE_SIZE, Time, Trap, View, flags, translate};
use std::collections::HashMap;

/// The state of the raw CPU while it runs. Between entries the truth is in
/// `context`; while it runs, registers, flags and RIP are here.
pub struct State {
    /// The register file, by [`Reg`].
    pub regs: [u64; REGS],
    /// The arithmetic flags.
    pub flags: Flags,
    /// Translations of the running view.
    pub tlb: Tlb,
    /// Instructions that may still retire after those of the running block.
    pub budget: u64,
    /// Where to go on, when an operation says [`Flow::Indirect`].
    pub rip: u64,
    /// How many operations of the block come after the one that stopped.
    pub left: usize,
    /// Whether a store of the running instruction needs the block to be left.
    pub must_leave: bool,
    /// The direction flag.
    pub down: bool,
    /// Why an operation stopped.
    pub trap: Option<Trap>,
    /// The value that the running instruction reads from outside RAM.
    pub answer: Option<u64>,
    /// Virtual time at entry, and the budget of the entry.
    pub entered: (Time, u64),
    /// What the running code sees and owns (SSE registers, address space).
    pub context: Context,
    /// Where code was fetched from, for each view and page. Like any translation
    /// it stays until it is flushed; nothing else may remove one, or the guest
    /// could see how its run was divided into entries and blocks.
    fetched: HashMap<(View, u64), u64>,
    /// Translations of the other view, and which view `tlb` is for.
    other_tlb: Tlb,
    view: View,
    /// The number of what is known of the present address space. It changes
    /// with every flush, and is never used again.
    space: u64,
    last_space: u64,
    memory: Memory,
    /// The token of the last entry, 0 before the first, and of the next one.
    token: u64,
    next_token: u64,
    /// What is known of other address spaces.
    kept: Spaces,
}

/// When a block was last found to be true (see [`State::stamp`]).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stamp {
    space: u64,
    epoch: u64,
}

impl Stamp {
    /// Before anything that ever was.
    pub const NEVER: Stamp = Stamp { space: 0, epoch: 0 };
}

impl State {
    pub(super) fn new(memory: Memory, number: u64) -> State {
        State {
            regs: [0; REGS],
            flags: Flags::default(),
            tlb: Tlb::new(memory.clone()),
            budget: 0,
            rip: 0,
            left: 0,
            must_leave: false,
            down: false,
            trap: None,
            answer: None,
            entered: (Time::ZERO, 0),
            context: Context::new(memory.clone()),
            fetched: HashMap::new(),
            other_tlb: Tlb::new(memory.clone()),
            view: View::Kernel,
            space: 1,
            last_space: 1,
            memory,
            token: 0,
            next_token: (number << 40) + 1,
            kept: Spaces::default(),
        }
    }

    /// Says which decoded blocks need no check: those with this stamp were
    /// checked since translations or code changed last.
    #[inline(always)]
    pub fn stamp(&self) -> Stamp {
        Stamp {
            space: self.space,
            epoch: self.memory.epoch(),
        }
    }

    /// Takes registers over from the context, and forgets what may no longer be
    /// true of its address space.
    pub(super) fn begin(&mut self) {
        let context = &mut self.context;
        self.regs[..16].copy_from_slice(&context.registers.0);
        self.regs[Reg::FsBase as usize] = context.fs_base;
        self.regs[Reg::GsBase as usize] = context.gs_base;
        self.flags = Flags::from_bits(context.flags);
        self.down = context.flags & flags::DF != 0;
        self.rip = context.rip;
        let view = context.space.view;
        let asked = context.space.take_flush();
        let ran_here_last =
            context.space.token == self.token && context.space.memory.same(&self.memory);
        let known = ran_here_last || self.change_space();
        self.token = self.next_token;
        self.next_token += 1;
        self.context.space.token = self.token;
        if self.view != view {
            self.view = view;
            std::mem::swap(&mut self.tlb, &mut self.other_tlb);
        }
        match asked {
            _ if !known => self.forget_all(),
            Flush::All => self.forget_all(),
            Flush::Page(address) => self.forget_page(address),
            Flush::Nothing => {}
        }
    }

    /// Gives registers back to the context.
    pub(super) fn end(&mut self) {
        let down = if self.down { flags::DF } else { 0 };
        let context = &mut self.context;
        context.registers.0.copy_from_slice(&self.regs[..16]);
        context.flags = self.flags.to_bits() | down | flags::ALWAYS;
        context.rip = self.rip;
    }

    /// Puts aside what is known of the space that ran last, takes up what is
    /// known of the context's, and says whether that is anything.
    fn change_space(&mut self) -> bool {
        let space = &self.context.space;
        let found = self.kept.take(space.token, &space.memory);
        let known = found.is_some();
        let mut kept = found.unwrap_or_else(|| self.kept.make_room(&space.memory));
        self.memory = space.memory.clone();
        self.tlb.exchange(&self.memory, &mut kept.pages);
        self.other_tlb.exchange(&self.memory, &mut kept.other_pages);
        std::mem::swap(&mut self.view, &mut kept.view);
        std::mem::swap(&mut self.fetched, &mut kept.fetched);
        std::mem::swap(&mut self.space, &mut kept.space);
        self.kept.put(self.token, kept);
        known
    }

    fn forget_all(&mut self) {
        self.tlb.clear();
        self.other_tlb.clear();
        self.forget_stamps();
    }

    fn forget_page(&mut self, address: u64) {
        self.tlb.forget(address);
        self.other_tlb.forget(address);
        self.forget_stamps();
    }

    /// The guest-physical address that code at `rip` is fetched from.
    pub(super) fn fetch_address(&mut self, rip: u64) -> Result<u64, Trap> {
        let space = &self.context.space;
        let key = (space.view, rip / PAGE_SIZE);
        let frame = match self.fetched.get(&key) {
            Some(frame) => *frame,
            None => {
                let to = translate(space, rip, Access::Fetch).map_err(Trap::Fault)?;
                let frame = to.gpa - to.gpa % PAGE_SIZE;
                self.fetched.insert(key, frame);
                frame
            }
        };
        Ok(frame + rip % PAGE_SIZE)
    }

    /// Forgets where code was, and makes the stamp one that was never used.
    fn forget_stamps(&mut self) {
        self.fetched.clear();
        self.last_space += 1;
        self.space = self.last_space;
    }

    /// Has the filter count a `pause` that has just retired, the running block's
    /// unused budget being given back, and says whether to report it.
    pub fn pause(&mut self) -> bool {
        let retired = self.entered.1 - self.budget;
        let filter = self.context.pause_filter.as_mut();
        filter.is_some_and(|filter| filter.pause(retired))
    }

    /// Instructions that have retired since the entry, before the running one,
    /// which must be the only one of its block that is not done.
    pub fn retired(&self) -> u64 {
        self.entered.1 - self.budget - 1
    }

    /// Pays for one more iteration of a repeated instruction. If not, nothing
    /// was paid, and the instruction must say [`State::again`].
    pub fn pay_iteration(&mut self) -> bool {
        let may = self.budget > 0 && !self.budget.is_multiple_of(4096);
        self.budget -= u64::from(may);
        may
    }

    /// Lets the dispatcher look at the budget and the kick, and then runs the
    /// operation again. Its block is charged anew.
    pub fn again(&mut self, rest: &[Op]) -> Flow {
        self.left = rest.len();
        Flow::Again
    }

    /// Stops before the running operation: it has changed nothing. `rest` is
    /// what the operation was given.
    #[cold]
    #[inline(never)]
    pub fn stop(&mut self, trap: Trap, rest: &[Op]) -> Flow {
        self.trap = Some(trap);
        self.left = rest.len();
        Flow::Stop
    }

    /// Leaves the block after the running operation, which has finished.
    #[cold]
    #[inline(never)]
    pub fn leave(&mut self, rest: &[Op]) -> Flow {
        self.must_leave = false;
        self.left = rest.len();
        Flow::Leave
    }
}
