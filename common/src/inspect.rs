//! Looks at guest code while it runs, and changes nothing by looking.
//!
//! An [`Inspector`] stands where the raw CPU is entered. There it sees the guest
//! between two instructions, wherever it likes: an entry with a budget of
//! thousands is carried out in several. Nobody above notices: time, traps and the
//! trace are those of a run without it. A stepper and a debugger are built on it.

mod pages;

pub use pages::{Level, Walk, read, walk, write};

use crate::{Context, Cpu, Kick, Time, Trap};

/// Is called with the guest's code before an instruction, and says how it goes
/// on.
///
/// It may change the context. Then the run is another one, of course.
pub type Inspector = Box<dyn FnMut(Moment<'_>) -> Then + Send>;

/// How it goes on after a look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Then {
    /// The next look comes after so many instructions, at least 1, or at the next
    /// entry.
    LookAfter(u64),
    /// The CPU is left at once, as if its budget were used up: for who has a word
    /// with the virtual CPU. The run is another one then.
    Leave,
}

/// The guest between two instructions.
pub struct Moment<'a> {
    /// The physical CPU that it is on.
    pub pcpu: usize,
    /// Virtual time.
    pub now: Time,
    /// The registers and memory view of the code that runs.
    pub context: &'a mut Context,
}

/// Enters a raw CPU as [`Cpu::enter`] does, and shows the guest to an inspector at
/// the beginning and as often as that wants.
pub(crate) fn enter<C: Cpu>(
    inspector: &mut Inspector,
    pcpu: usize,
    cpu: &mut C,
    now: Time,
    budget: u64,
    kick: &Kick,
) -> (Trap, u64) {
    let mut done = 0;
    // A kick that is pending now would end each part of this entry anew. It leaves
    // time for a single instruction, so that there are no parts.
    let whole = kick.is_pending();
    loop {
        let left = budget - done;
        let moment = Moment {
            pcpu,
            now: now + done,
            context: cpu.context(),
        };
        let wanted = match inspector(moment) {
            Then::LookAfter(instructions) => instructions.max(1),
            Then::Leave => return (Trap::Budget, done),
        };
        let part = if whole { left } else { wanted.min(left) };
        let (trap, retired) = cpu.enter(now + done, part, kick);
        done += retired;
        if trap != Trap::Budget || done >= budget {
            return (trap, done);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::interp::testing::{CODE, DATA, cpu, cpu_with};
    use crate::{Gpr, Interp};
    use iced_x86::code_asm::*;
    use std::sync::{Arc, Mutex};

    /// Counts down from 1,000 with loads and stores, a string instruction and the
    /// time stamp in between, and halts.
    fn program() -> Interp {
        let mut cpu = cpu(|a| {
            let mut again = a.create_label();
            a.mov(ebx, 1_000).unwrap();
            a.set_label(&mut again).unwrap();
            a.mov(rdi, DATA).unwrap();
            a.mov(ecx, 5).unwrap();
            a.rep().stosb().unwrap();
            a.rdtsc().unwrap();
            a.add(qword_ptr(DATA + 64), rax).unwrap();
            a.dec(ebx).unwrap();
            a.jnz(again).unwrap();
        });
        cpu.context().registers[Gpr::Rax] = 7;
        cpu
    }

    /// What became of an entry: all that anybody could notice.
    fn outcome(cpu: &mut Interp, (trap, retired): (Trap, u64)) -> (Trap, u64, u64, [u64; 16]) {
        let context = cpu.context();
        (trap, retired, context.rip, context.registers.0)
    }

    #[test]
    fn however_often_it_looks_the_entry_is_the_same() {
        for budget in [1, 2, 777, 1_000_000] {
            for kicked in [false, true] {
                let kick = Kick::default();
                if kicked {
                    kick.kick();
                }
                let mut plain = program();
                let entered = plain.enter(Time(5), budget, &kick);
                let expected = outcome(&mut plain, entered);
                for part in [1, 2, 3, 10, 5_000] {
                    let mut cpu = program();
                    let mut inspector: Inspector = Box::new(move |_| Then::LookAfter(part));
                    let entered = enter(&mut inspector, 0, &mut cpu, Time(5), budget, &kick);
                    let seen = outcome(&mut cpu, entered);
                    assert_eq!(seen, expected, "parts of {part}, {budget}, {kicked}");
                }
            }
        }
    }

    #[test]
    fn it_is_called_where_it_asked_for_with_the_guest_as_it_is_there() {
        let seen = Arc::new(Mutex::new(Vec::new()));
        let notes = Arc::clone(&seen);
        let mut inspector: Inspector = Box::new(move |moment: Moment<'_>| {
            let rip = moment.context.rip;
            notes.lock().unwrap().push((moment.now.0, rip - CODE));
            Then::LookAfter(2)
        });
        let mut cpu = cpu_with(&[0x90, 0x90, 0x90, 0x90, 0x90, 0xf4]);
        enter(&mut inspector, 0, &mut cpu, Time(100), 50, &Kick::default());
        assert_eq!(*seen.lock().unwrap(), [(100, 0), (102, 2), (104, 4)]);
    }

    #[test]
    fn what_it_changes_is_changed() {
        let mut inspector: Inspector = Box::new(|moment: Moment<'_>| {
            moment.context.registers[Gpr::Rbx] = 42;
            Then::LookAfter(1_000)
        });
        let mut cpu = cpu(|_| {});
        enter(
            &mut inspector,
            0,
            &mut cpu,
            Time::ZERO,
            10,
            &Kick::default(),
        );
        assert_eq!(cpu.context().registers[Gpr::Rbx], 42);
    }

    #[test]
    fn who_leaves_finds_everything_as_at_the_last_look() {
        let mut looks = 0;
        let mut inspector: Inspector = Box::new(move |_| {
            looks += 1;
            match looks {
                3 => Then::Leave,
                _ => Then::LookAfter(4),
            }
        });
        let mut cpu = program();
        let kick = Kick::default();
        let left = enter(&mut inspector, 0, &mut cpu, Time(5), 1_000, &kick);
        let mut plain = program();
        let entered = plain.enter(Time(5), 8, &kick);
        assert_eq!(outcome(&mut cpu, left), outcome(&mut plain, entered));
    }
}
