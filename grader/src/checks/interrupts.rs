//! What must hold of every interrupt, whoever built the VMM.
//!
//! Sets the machine's records against a model of two things: the guest's
//! interrupt flag with its shadow, which follows from the instructions that
//! trapped, and the local APIC, which follows from what the guest wrote to it.
//! So it is known at every moment whether an interrupt was due and whether the
//! guest would have taken it, and it does not matter by which exits a solution
//! gets there.

use super::{Failure, Problem, Run};
use common::devices::Apic;
use common::devices::apic::register;
use common::trace::{Device, DeviceAccess, Event, Line, Record};
use common::{SystemInstruction, Time, Trap, bus};

/// What may go wrong with an interrupt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rule {
    /// It is injected while the guest has interrupts closed.
    Closed,
    /// It is injected before the instruction behind `sti` is over.
    Shadow,
    /// It is injected although the APIC has nothing pending: too early, a second
    /// time, or before the end of the one in service.
    NotDue,
    /// It was injected, and what runs next is not its handler.
    Undelivered,
    /// The handler runs, and nothing was injected.
    FromNowhere,
    /// It is due, the guest takes interrupts, and runs on without it.
    Late,
}

/// All of them.
pub const ALL: [Rule; 6] = [
    Rule::Closed,
    Rule::Shadow,
    Rule::NotDue,
    Rule::Undelivered,
    Rule::FromNowhere,
    Rule::Late,
];

/// Passes if no interrupt of `run` breaks one of the `rules`, where it may come
/// `late` ticks of time after it was due and could be taken.
///
/// # Errors
/// The first that does.
pub fn expect(run: &Run, rules: &[Rule], late: u64) -> Result<(), Problem> {
    let mut model = Model::new(run, late);
    for (at, record) in run.records().iter().enumerate() {
        if let Some(rule) = model.step(at, record)
            && rules.contains(&rule)
        {
            return Err(model.failure(rule, at, record).into());
        }
    }
    Ok(())
}

/// The interrupt flag and the APIC as they should be.
struct Model<'a> {
    run: &'a Run,
    late: u64,
    apic: Apic,
    open: bool,
    /// The instruction behind `sti` is not over yet.
    shadow: bool,
    /// The flags that handlers and system calls will return to.
    saved: Vec<bool>,
    /// The vector that was injected and not seen in its handler yet.
    injected: Option<u8>,
    /// Whether one has ever been injected.
    some_came: bool,
    /// Whether the last one that came due had to be held.
    held: bool,
    /// Since when an interrupt has been due that the guest would take.
    waiting_since: Option<Time>,
    /// Where the last entry ended.
    rip: u64,
    /// What happened to interrupts so far.
    story: Vec<String>,
}

impl<'a> Model<'a> {
    fn new(run: &'a Run, late: u64) -> Model<'a> {
        Model {
            run,
            late,
            apic: Apic::new(0),
            open: false,
            shadow: false,
            saved: Vec::new(),
            injected: None,
            some_came: false,
            held: false,
            waiting_since: None,
            rip: 0,
            story: Vec::new(),
        }
    }

    /// Goes on by one record; the rule that it breaks, if it breaks one.
    fn step(&mut self, at: usize, record: &Record) -> Option<Rule> {
        self.clock(record);
        let broken = match record.event {
            Event::Enter { .. } => self.enter(record),
            Event::Trap { trap, retired } => {
                self.trap(record, trap, retired);
                None
            }
            Event::Inject(vector) => self.inject(record, vector),
            Event::Device(access) => {
                self.device(record, access);
                None
            }
            Event::Exit(_) | Event::Runs(_) | Event::Idle => None,
        };
        broken.filter(|_| at > 0)
    }

    /// Lets the timer run up to this record.
    fn clock(&mut self, record: &Record) {
        let due = self.apic.deadline();
        if record.time >= due {
            self.apic.advance(record.time);
            self.held = self.apic.pending().is_none() || self.shadow || !self.open;
            let state = match self.apic.pending() {
                None => "held until the one in service has ended",
                Some(_) if self.shadow => "held in the shadow of sti",
                Some(_) if !self.open => "held, as IF is 0",
                Some(_) => "to be delivered at once",
            };
            self.tell(due, "timer", format!("a tick is due: {state}"), record.rip);
        }
    }

    fn enter(&mut self, record: &Record) -> Option<Rule> {
        let arrived = self.handler(record.rip);
        if let Some(vector) = self.injected.take() {
            // A gate that is not there is another story, and not this one's.
            if arrived.is_none() && self.run.handler_of(vector).is_some() {
                return Some(Rule::Undelivered);
            }
        } else if arrived == Some("tick") {
            return Some(Rule::FromNowhere);
        }
        if arrived.is_some() {
            self.saved.push(self.open);
            (self.open, self.shadow) = (false, false);
            self.record(record);
        }
        let taken = self.open && !self.shadow && self.apic.pending().is_some();
        if !taken {
            self.waiting_since = None;
            return None;
        }
        let since = *self.waiting_since.get_or_insert(record.time);
        (record.time.since(since) >= self.late).then_some(Rule::Late)
    }

    /// The handler that an entry at `rip` comes to, if it does not just go on
    /// where the last one ended.
    fn handler(&self, rip: u64) -> Option<&'a str> {
        let symbols = &self.run.observation.image.symbols;
        let (name, offset) = symbols.locate(rip)?;
        let is_handler = name == "tick" || name.starts_with("vector_");
        (is_handler && offset == 0 && rip != self.rip).then_some(name)
    }

    fn trap(&mut self, record: &Record, trap: Trap, retired: u64) {
        self.rip = record.rip;
        let over = retired > 0 || matches!(trap, Trap::System { .. } | Trap::Mmio(_));
        self.shadow &= !over;
        let Trap::System { instruction, .. } = trap else {
            return;
        };
        match instruction {
            SystemInstruction::Cli if !self.in_user_code(record.rip) => self.open = false,
            SystemInstruction::Sti if !self.in_user_code(record.rip) => {
                self.shadow = !self.open;
                self.open = true;
            }
            SystemInstruction::Syscall => {
                self.saved.push(self.open);
                self.open = false;
            }
            // What was not saved was made up by the kernel, to enter user mode.
            SystemInstruction::Iret { .. } | SystemInstruction::Sysret { .. }
                if !self.in_user_code(record.rip) =>
            {
                self.open = self.saved.pop().unwrap_or(true);
            }
            SystemInstruction::Hlt => {}
            _ => return,
        }
        self.record(record);
    }

    fn in_user_code(&self, rip: u64) -> bool {
        self.run.user_code().contains(&rip)
    }

    fn inject(&mut self, record: &Record, vector: u8) -> Option<Rule> {
        let due = self.apic.pending() == Some(vector);
        let (open, shadow) = (self.open, self.shadow);
        if due {
            self.apic.acknowledge();
        }
        self.injected = Some(vector);
        self.waiting_since = None;
        if !due {
            return Some(Rule::NotDue);
        }
        self.some_came = true;
        if !open {
            return Some(Rule::Closed);
        }
        if shadow {
            return Some(Rule::Shadow);
        }
        self.record(record);
        None
    }

    fn device(&mut self, record: &Record, access: DeviceAccess) {
        if access.device != Device::Apic {
            return;
        }
        let offset = access.address.wrapping_sub(bus::APIC) as u16;
        if access.write {
            self.apic.write(record.time, offset, access.value as u32);
            self.record(record);
        } else {
            self.apic.read(record.time, offset);
        }
    }

    fn record(&mut self, record: &Record) {
        let symbols = &self.run.observation.image.symbols;
        let engine = self.run.observation.scenario.engine;
        let moment = crate::text::moment(record, symbols, engine);
        self.story.push(moment);
    }

    fn tell(&mut self, time: Time, who: &str, what: String, rip: u64) {
        let place = self.run.observation.image.symbols.place(rip).to_string();
        let line = Line {
            time: time.to_string(),
            pcpu: None,
            who: who.to_string(),
            what,
            place,
        };
        self.story.push(line.to_string());
    }

    fn failure(mut self, rule: Rule, at: usize, record: &Record) -> Failure {
        let place = self.run.observation.image.symbols.place(record.rip);
        let words = self.words(rule);
        let seen = format!("{} at {place}, time {}", words.seen, record.time);
        let mut failure = self.run.failure(words.expected, seen, Some(at));
        self.record(record);
        const SHOWN: usize = 9;
        failure.moments = self.story.split_off(self.story.len().saturating_sub(SHOWN));
        failure.thought(words.thought)
    }

    /// How a broken rule is told. What is broken in several ways is told by the way.
    fn words(&self, rule: Rule) -> Words {
        match rule {
            Rule::NotDue if !self.some_came => TOO_EARLY,
            Rule::NotDue if self.in_service() => WITHIN_THE_FIRST,
            Rule::NotDue => AGAIN,
            Rule::Late if self.held => FORGOTTEN,
            Rule::Late => UNNOTICED,
            Rule::Closed => Words {
                expected: "no interrupt is injected while the guest's IF is 0: it is held",
                seen: "an interrupt is injected with IF = 0",
                thought: "`cli`, an interrupt gate and `iretq` all change IF. Which of them did \
                          your virtual flag not follow, and who asks it before an injection?",
            },
            Rule::Shadow => Words {
                expected: "the one instruction behind `sti` runs before any interrupt is taken",
                seen: "an interrupt is injected in the shadow of `sti`",
                thought: "a kernel says `sti; hlt` and relies on sleeping before it is woken. How \
                          long does the shadow last, and who ends it?",
            },
            Rule::Undelivered => Words {
                expected: "behind an injection the guest goes on in the handler of that vector",
                seen: "an interrupt was injected, and the guest goes on elsewhere,",
                thought: "an injected vector waits in your virtual CPU. Who takes it out, and what \
                          must happen to it then?",
            },
            Rule::FromNowhere => Words {
                expected: "the tick's handler is entered only for an injected interrupt",
                seen: "the tick's handler is entered although nothing was injected,",
                thought: "what was delivered before? Is it still where the next delivery looks?",
            },
        }
    }

    /// Whether an interrupt has been taken and not ended.
    fn in_service(&self) -> bool {
        let mut apic = self.apic.clone();
        let registers = (0..8).map(|word| register::IN_SERVICE + 16 * word);
        { registers }.any(|offset| apic.read(Time(0), offset) != 0)
    }
}

/// How a broken rule is told.
struct Words {
    expected: &'static str,
    seen: &'static str,
    thought: &'static str,
}

const ONCE: &str = "an interrupt is injected once for each request of the APIC, and not while one \
                    of its class is in service";

const TOO_EARLY: Words = Words {
    expected: ONCE,
    seen: "an interrupt is injected, and the APIC has requested none yet",
    thought: "the host's timer and the guest's are two. Which of them rang, and who alone knows \
              whether the guest's is due?",
};

const WITHIN_THE_FIRST: Words = Words {
    expected: ONCE,
    seen: "the tick is injected a second time, while the first is still in service,",
    thought: "the APIC offers an interrupt until it hears that the interrupt was taken. Who tells \
              it, and when?",
};

const AGAIN: Words = Words {
    expected: ONCE,
    seen: "the tick is injected a second time, though it was requested once,",
    thought: "the handler has said that it is done, and the same tick comes back. Where was it \
              still kept: in the APIC, which was not told, or somewhere else?",
};

const DELIVERED: &str = "a tick that is due is delivered as soon as the guest takes interrupts";

const FORGOTTEN: Words = Words {
    expected: DELIVERED,
    seen: "a tick was held, IF is 1 again, no shadow, and the guest runs on without it",
    thought: "the tick had to wait. Was it forgotten meanwhile, or did nobody look when the guest \
              opened interrupts? Who may clear a request, and who asks to be told of that moment?",
};

const UNNOTICED: Words = Words {
    expected: DELIVERED,
    seen: "a tick comes due with IF = 1, no shadow, and the guest runs on without it",
    thought: "nothing stood in its way. How long may an entry last when the guest's timer runs, \
              and who asks the APIC behind it?",
};
