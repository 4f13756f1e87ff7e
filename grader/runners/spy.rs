//! Looks at what the version's emulation decides, for a session. It is the same in
//! the runners of all versions, and part of each of them.
//!
//! It stands between version 1's loop and the version's [`Emulate`], as each
//! version stands before the one below, and hands everything on. So what it
//! tells is what the version's own code said, right or wrong.

use common::{Context, Exit, Gpr, NotReady, Trap};
use evidence::session::{self, Decision, Order, Session};
use v1::{Emulate, Event, Limit, Next};

/// The names and values of a version's virtual state.
pub type State = Vec<(String, String)>;

/// What can be seen of a version's emulation from outside, and what can be set.
pub struct Face<E> {
    /// Its virtual state.
    pub state: fn(&E) -> State,
    /// Opens or closes interrupts as if the guest had; `None` if the version knows
    /// no interrupts.
    pub set_interrupts: Option<fn(&mut E, bool)>,
}

// Not derived: that would ask the same of `E`.
impl<E> Clone for Face<E> {
    fn clone(&self) -> Face<E> {
        *self
    }
}

impl<E> Copy for Face<E> {}

/// A version's emulation with somebody who looks on.
#[derive(Clone)]
pub struct Spy<E> {
    below: E,
    face: Face<E>,
    session: Session,
    /// The vector that was injected and has not been delivered.
    injected: Option<u8>,
    /// The monitor wants to know when interrupts are open.
    window: bool,
}

impl<E: Emulate> Spy<E> {
    /// `below`, with `session` looking on.
    pub fn new(below: E, face: Face<E>, session: &Session) -> Spy<E> {
        Spy {
            below,
            face,
            session: session.clone(),
            injected: None,
            window: false,
        }
    }

    /// Does what whoever looks on has ordered.
    fn obey(&mut self) {
        let Some(order) = self.session.order() else {
            return;
        };
        let done = match order {
            Order::Inject(vector) => self.inject(vector).is_ok(),
            Order::SetInterrupts(open) => match self.face.set_interrupts {
                Some(set) => {
                    set(&mut self.below, open);
                    true
                }
                None => false,
            },
        };
        self.session.decided(Decision::Ordered { order, done });
    }

    /// Tells the state with which the guest is entered.
    fn tell_state(&self, shadow: bool) {
        let mut state = (self.face.state)(&self.below);
        if self.face.set_interrupts.is_some() {
            let vector = |vector: u8| vector.to_string();
            let injected = self.injected.map_or(String::from("none"), vector);
            state.extend([
                (String::from("shadow"), u8::from(shadow).to_string()),
                (String::from("injected"), injected),
                (String::from("window"), u8::from(self.window).to_string()),
            ]);
        }
        self.session.state(state);
    }
}

impl<E: Emulate> Emulate for Spy<E> {
    fn before_enter(&mut self, context: &mut Context) -> Result<Limit, Next> {
        self.obey();
        let limit = self.below.before_enter(context);
        match limit {
            Ok(Limit::Time) => {}
            Ok(Limit::OneInstruction) => self.session.decided(Decision::OneInstruction),
            Err(next) => {
                if next == Next::Exit(Exit::WindowOpen) {
                    self.window = false;
                }
                self.session.decided(Decision::BeforeEntry(in_words(next)));
            }
        }
        if let Ok(limit) = limit {
            self.tell_state(limit == Limit::OneInstruction);
        }
        limit
    }

    fn on_trap(&mut self, context: &mut Context, trap: Trap) -> Next {
        let before = context.rip;
        let next = self.below.on_trap(context, trap);
        self.session.decided(Decision::OnTrap {
            rip: [before, context.rip],
            next: in_words(next),
        });
        next
    }

    fn deliver(&mut self, context: &mut Context, event: Event) -> Next {
        let before = [context.rip, context.registers[Gpr::Rsp]];
        let next = self.below.deliver(context, event);
        if self.injected.map(Event::Interrupt) == Some(event) {
            self.injected = None;
        }
        self.session.decided(Decision::Delivered {
            event: event_in_words(event),
            rip: [before[0], context.rip],
            rsp: [before[1], context.registers[Gpr::Rsp]],
            next: in_words(next),
        });
        next
    }

    fn finish_port_read(&mut self, context: &mut Context, value: u64) {
        self.below.finish_port_read(context, value);
    }

    fn can_inject(&self) -> bool {
        self.below.can_inject()
    }

    fn inject(&mut self, vector: u8) -> Result<(), NotReady> {
        let answer = self.below.inject(vector);
        let taken = answer.is_ok();
        if taken {
            self.injected = Some(vector);
        }
        self.session.decided(Decision::Inject { vector, taken });
        answer
    }

    fn want_window(&mut self, on: bool) {
        if self.window != on {
            self.session.decided(Decision::Window(on));
        }
        self.window = on;
        self.below.want_window(on);
    }
}

fn in_words(next: Next) -> session::Next {
    match next {
        Next::Resume => session::Next::Resume,
        Next::Raise(event) => session::Next::Raise(event_in_words(event)),
        Next::Exit(exit) => session::Next::Exit(exit),
    }
}

fn event_in_words(event: Event) -> session::Event {
    match event {
        Event::Interrupt(vector) => session::Event::Interrupt(vector),
        Event::Exception(fault) => session::Event::Exception(fault),
    }
}
