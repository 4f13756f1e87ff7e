//! v3-E3: the way of a system call.

use super::{NEVER, guest};
use crate::checks::{Bench, Failure, Problem, Run};
use common::trace::{Event, Record};
use common::{SystemInstruction, Trap};

pub(super) fn system_calls_are_forwarded(bench: &Bench<'_>) -> Result<(), Problem> {
    let run = bench.run(guest("user"), bench.seed, |order| order.tick(NEVER))?;
    let mut way = Way::new(&run);
    for (at, record) in run.records().iter().enumerate() {
        if let Some(failure) = way.step(at, record) {
            return Err(failure.into());
        }
    }
    if way.returned == 0 || run.fate.not_yet().is_some() {
        let expected = "system calls go to the kernel's entry, system_call, and come back";
        return Err(run.failed(expected).into());
    }
    let run = bench.run(guest("model-specific"), bench.seed, |order| {
        order.tick(NEVER)
    })?;
    run.expect_model()?;
    let run = bench.run(guest("reserved-values"), bench.seed, |order| {
        order.tick(NEVER)
    })?;
    run.asking(
        "the line says which register was written, and with what. Can the register hold that? \
         And what becomes of its old value if it cannot?",
    )
    .expect_model()
}

/// Where the guest must go on at the next entry, and why.
struct Way<'a> {
    run: &'a Run,
    entry: u64,
    /// Behind the last `syscall`.
    back: u64,
    next: Option<(u64, Instruction)>,
    /// The same, while a tick that came first is in its handler.
    held: Option<(u64, Instruction)>,
    returned: u64,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Instruction {
    Syscall,
    Sysret,
}

impl Way<'_> {
    fn new(run: &Run) -> Way<'_> {
        let symbols = &run.observation.image.symbols;
        Way {
            run,
            entry: symbols.address_of("system_call").unwrap_or_default(),
            back: 0,
            next: None,
            held: None,
            returned: 0,
        }
    }

    fn step(&mut self, at: usize, record: &Record) -> Option<Failure> {
        match record.event {
            Event::Trap {
                trap:
                    Trap::System {
                        instruction,
                        length,
                    },
                ..
            } => self.instruction(record.rip, instruction, length),
            Event::Inject(_) => self.held = self.next.take(),
            Event::Enter { .. } => {
                let (wanted, instruction) = self.next.take()?;
                if record.rip != wanted {
                    return Some(self.elsewhere(at, record.rip, wanted, instruction));
                }
                self.returned += u64::from(instruction == Instruction::Sysret);
            }
            _ => {}
        }
        None
    }

    fn instruction(&mut self, rip: u64, instruction: SystemInstruction, length: u8) {
        match instruction {
            SystemInstruction::Syscall => {
                self.back = rip + u64::from(length);
                self.next = Some((self.entry, Instruction::Syscall));
            }
            SystemInstruction::Iret { .. } => self.next = self.held.take(),
            SystemInstruction::Sysret { .. } => self.next = Some((self.back, Instruction::Sysret)),
            _ => {}
        }
    }

    fn elsewhere(&self, at: usize, seen: u64, wanted: u64, instruction: Instruction) -> Failure {
        let symbols = &self.run.observation.image.symbols;
        let (name, thought) = match instruction {
            Instruction::Syscall => (
                "syscall",
                "the kernel wrote the address of its entry into a machine-specific register. Into \
                 which one, and where did you keep it?",
            ),
            Instruction::Sysret => (
                "sysretq",
                "nothing is on a stack here: the way back was put into a register when the call \
                 came. Which one, and which instruction does it have to point to?",
            ),
        };
        let expected = format!(
            "behind {name} the guest goes on at {}",
            symbols.place(wanted)
        );
        let seen = format!("it goes on at {}", symbols.place(seen));
        self.run.failure(expected, seen, Some(at)).thought(thought)
    }
}
