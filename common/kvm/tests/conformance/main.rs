//! One table of small guest programs for every engine: what each starts with,
//! which exits it makes in which order, and what its registers hold at the end.
//!
//! The software CPU runs them under version 3, which knows everything; then they
//! run on this host's KVM. There is a second round, in which the state is saved
//! after every exit and goes on in another vCPU, on another physical CPU.

mod engine;
mod exceptions;
mod io;
mod modes;
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
#[path = "../support/mod.rs"]
mod support;
mod time;

use common::{Boot, Exit, Gpr, Image, Memory, Mmio, MmioOperation, Size, Time};
use engine::{Engine, Software};
use guests::asm::Asm;
use kvm::Ability;

/// A program, and what it must do.
pub struct Case {
    /// What it shows.
    pub name: &'static str,
    /// The code, from its entry.
    pub code: fn(&mut Asm),
    /// Registers that are not as at boot.
    pub start: Vec<(Gpr, u64)>,
    /// What happens, in order.
    pub script: Vec<Step>,
    /// What registers hold when the script is over.
    pub end: Vec<(Gpr, u64)>,
    /// What a KVM must be able to do for it, beside running kernels.
    pub needs: Option<Ability>,
    /// Whether the code sets up handlers.
    pub handlers: bool,
}

/// One thing that happens.
#[derive(Clone, Copy, Debug)]
pub enum Step {
    /// The vCPU runs and comes back with this.
    Exit(Exit),
    /// The vCPU runs and comes back with an exit of this kind.
    Kind(&'static str),
    /// The vCPU reads with this exit, and is given the answer.
    Answer(Exit, u64),
    /// The monitor wants to know when the window opens.
    Want,
    /// The monitor injects, and it is accepted.
    Inject(u8),
    /// The monitor injects, and it is not.
    Refused(u8),
    /// The vCPU runs for two milliseconds, and they pass.
    Deadline,
    /// The vCPU may run until a moment that is over.
    TooLate,
    /// The vCPU runs without a limit; somebody kicks it meanwhile.
    KickMeanwhile,
    /// Somebody kicks it when its two milliseconds are over.
    KickAtDeadline,
    /// Somebody has kicked it before it runs.
    KickBefore,
}

/// A write to a port.
pub const fn out(port: u16, size: Size, value: u32) -> Step {
    Step::Exit(Exit::PortOut { port, size, value })
}

/// A read from a port, and its answer.
pub const fn input(port: u16, size: Size, answer: u64) -> Step {
    Step::Answer(Exit::PortIn { port, size }, answer)
}

/// A write where there is no RAM.
pub const fn store(gpa: u64, size: Size, value: u64) -> Step {
    let operation = MmioOperation::Write(value);
    Step::Exit(Exit::Mmio(Mmio {
        gpa,
        size,
        operation,
    }))
}

/// A read where there is no RAM, and its answer.
pub const fn load(gpa: u64, size: Size, answer: u64) -> Step {
    let operation = MmioOperation::Read;
    let mmio = Mmio {
        gpa,
        size,
        operation,
    };
    Step::Answer(Exit::Mmio(mmio), answer)
}

/// The guest halts.
pub const HALT: Step = Step::Exit(Exit::Halted);
/// The guest takes interrupts.
pub const WINDOW: Step = Step::Exit(Exit::WindowOpen);

/// Where nobody is.
pub const NOWHERE: u64 = 0xd000_0000;

fn cases() -> Vec<Case> {
    let tables = [
        io::cases(),
        time::cases(),
        exceptions::cases(),
        modes::cases(),
    ];
    tables.into_iter().flatten().collect()
}

/// Memory with the program in it, and what a vCPU starts with.
fn prepare(case: &Case) -> (Memory, Boot) {
    let image = match case.handlers {
        true => guests::kernel::build(case.code),
        false => guests::program::build(case.code),
    };
    let image = Image::parse(&image.elf()).unwrap();
    let memory = Memory::new(4 << 20).unwrap();
    image.load(&memory).unwrap();
    let boot = Boot::prepare(&memory, image.entry).unwrap();
    // User code may use all of it.
    memory.set_bits(common::boot::PML4, 1 << 2);
    memory.set_bits(common::boot::PDPT, 1 << 2);
    (memory, boot)
}

/// Plays a case, and says what went wrong. With `moves`, the vCPU becomes another
/// one after every exit at which that can be.
fn play<E: Engine>(engine: &mut E, case: &Case, moves: bool) -> Result<(), String> {
    engine.set(&case.start);
    for (number, step) in case.script.iter().enumerate() {
        let wrong = |seen: String| {
            Err(format!(
                "{}, step {number}: {step:?} expected, {seen}",
                case.name
            ))
        };
        match *step {
            Step::Exit(expected) => match engine.run() {
                exit if exit == expected => {}
                exit => return wrong(format!("{exit:?} {}", engine.explain())),
            },
            Step::Kind(expected) => match engine.run() {
                exit if exit.kind() == expected => {}
                exit => return wrong(format!("{exit:?} {}", engine.explain())),
            },
            Step::Answer(expected, answer) => match engine.run() {
                exit if exit == expected => engine.complete(answer),
                exit => return wrong(format!("{exit:?} {}", engine.explain())),
            },
            Step::Want => engine.want_window(),
            Step::Inject(vector) => {
                if !engine.inject(vector) {
                    return wrong("not accepted".into());
                }
                continue;
            }
            Step::Refused(vector) => {
                if engine.inject(vector) {
                    return wrong("accepted".into());
                }
            }
            Step::Deadline => match engine.run_for_a_while() {
                Exit::Deadline => {}
                exit => return wrong(format!("{exit:?} {}", engine.explain())),
            },
            Step::TooLate => match engine.run_until_now() {
                Exit::Deadline => {}
                exit => return wrong(format!("{exit:?} {}", engine.explain())),
            },
            Step::KickMeanwhile => match engine.run_until_kicked(Time::NEVER) {
                Exit::Kicked => {}
                exit => return wrong(format!("{exit:?} {}", engine.explain())),
            },
            Step::KickAtDeadline => match engine.run_until_kicked_at_deadline() {
                Exit::Kicked => {}
                exit => return wrong(format!("{exit:?} {}", engine.explain())),
            },
            Step::KickBefore => {
                engine.kick();
                match engine.run() {
                    Exit::Kicked => {}
                    exit => return wrong(format!("{exit:?} {}", engine.explain())),
                }
            }
        }
        if moves {
            engine.become_another();
        }
    }
    for (register, expected) in &case.end {
        let seen = engine.get(*register);
        if seen != *expected {
            let name = register.name();
            return Err(format!(
                "{}: {name} is {seen:#x}: must be {expected:#x}",
                case.name
            ));
        }
    }
    Ok(())
}

fn all_right(wrong: Vec<String>) {
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_software_cpu_does_what_the_table_says() {
    let wrong = |moves: bool| {
        move |case: &Case| {
            let (memory, boot) = prepare(case);
            play(&mut Software::new(memory, &boot), case, moves).err()
        }
    };
    let cases = cases();
    all_right(cases.iter().filter_map(wrong(false)).collect());
    all_right(cases.iter().filter_map(wrong(true)).collect());
}

#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
#[test]
fn this_hosts_kvm_does_what_the_table_says() {
    if !support::can_run(2) {
        return;
    }
    let able = |case: &&Case| case.needs.is_none_or(|need| support::can(need, case.name));
    let wrong = |moves: bool| {
        move |case: &Case| {
            let (memory, boot) = prepare(case);
            play(&mut engine::Hardware::new(memory, &boot), case, moves).err()
        }
    };
    let cases = cases();
    let cases: Vec<_> = cases.iter().filter(able).collect();
    let once = cases.iter().copied().filter_map(wrong(false));
    let moved = cases.iter().copied().filter_map(wrong(true));
    all_right(once.chain(moved).collect());
}
