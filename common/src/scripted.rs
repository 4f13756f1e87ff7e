//! A raw CPU that plays a list of traps, so that a handler can be tested
//! without any guest.

use crate::{Context, Cpu, Kick, Memory, Time, Trap};
use std::collections::VecDeque;

/// One entry into the scripted CPU.
pub struct Step {
    /// The trap that ends it.
    pub trap: Trap,
    /// How many instructions it says have retired.
    pub retired: u64,
    /// What the guest code does to its context before the trap.
    pub effect: Box<dyn FnMut(&mut Context) + Send>,
}

impl Step {
    /// An entry that changes nothing in the context.
    pub fn new(trap: Trap, retired: u64) -> Step {
        Step {
            trap,
            retired,
            effect: Box::new(|_| {}),
        }
    }

    /// The same entry, with something that it does to the context.
    pub fn doing(self, effect: impl FnMut(&mut Context) + Send + 'static) -> Step {
        Step {
            effect: Box::new(effect),
            ..self
        }
    }
}

/// A raw CPU that plays its steps in order and keeps the budgets it was given.
pub struct Scripted {
    context: Context,
    steps: VecDeque<Step>,
    /// The budget of each entry so far.
    pub budgets: Vec<u64>,
    /// The answers given to [`Cpu::complete`].
    pub answers: Vec<u64>,
}

impl Scripted {
    /// A CPU that will play `steps`.
    pub fn new(memory: Memory, steps: Vec<Step>) -> Scripted {
        Scripted {
            context: Context::new(memory),
            steps: steps.into(),
            budgets: Vec::new(),
            answers: Vec::new(),
        }
    }

    /// How many steps are still to be played.
    pub fn remaining(&self) -> usize {
        self.steps.len()
    }
}

impl Cpu for Scripted {
    fn context(&mut self) -> &mut Context {
        &mut self.context
    }

    /// # Panics
    /// If the script is over: the code under test entered once too often.
    fn enter(&mut self, _now: Time, budget: u64, _kick: &Kick) -> (Trap, u64) {
        let number = self.budgets.len() + 1;
        self.budgets.push(budget);
        let mut step = self
            .steps
            .pop_front()
            .unwrap_or_else(|| panic!("the script has no entry number {number}"));
        (step.effect)(&mut self.context);
        (step.trap, step.retired)
    }

    fn complete(&mut self, value: u64) {
        self.answers.push(value);
    }
}
