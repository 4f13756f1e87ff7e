//! What must hold between a trap, the exit that is made of it, and what the
//! device then sees: each says the same as the one before.

use crate::checks::{Problem, Run};
use common::trace::{DeviceAccess, Event};
use common::{Exit, Size, SystemInstruction, Trap};
use evidence::Engine;

/// A port access, as far as trap, exit and device all know it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct PortAccess {
    port: u16,
    size: Size,
    write: bool,
}

impl std::fmt::Display for PortAccess {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let PortAccess { port, size, write } = self;
        let direction = if *write { "write" } else { "read" };
        write!(f, "a {direction} of {} bits at port {port:#x}", size.bits())
    }
}

impl PortAccess {
    fn of_trap(trap: Trap) -> Option<PortAccess> {
        let Trap::System { instruction, .. } = trap else {
            return None;
        };
        let (port, size, write) = match instruction {
            SystemInstruction::In { port, size } => (port, size, false),
            SystemInstruction::Ins { port, size, .. } => (port, size, false),
            SystemInstruction::Out { port, size } => (port, size, true),
            SystemInstruction::Outs { port, size, .. } => (port, size, true),
            _ => return None,
        };
        Some(PortAccess { port, size, write })
    }

    fn of_exit(exit: Exit) -> Option<PortAccess> {
        match exit {
            Exit::PortOut { port, size, .. } => Some(PortAccess {
                port,
                size,
                write: true,
            }),
            Exit::PortIn { port, size } => Some(PortAccess {
                port,
                size,
                write: false,
            }),
            _ => None,
        }
    }

    fn of_device(access: DeviceAccess) -> PortAccess {
        let DeviceAccess {
            address,
            size,
            write,
            ..
        } = access;
        PortAccess {
            port: address as u16,
            size,
            write,
        }
    }
}

/// Passes if every exit says what the trap before it said, and every device
/// sees what the exit before it said.
///
/// # Errors
/// The first that says something else.
pub(super) fn exits_tell_the_truth(run: &Run) -> Result<(), Problem> {
    let mut trap = None;
    let mut exit = None;
    for (at, record) in run.records().iter().enumerate() {
        match record.event {
            Event::Trap { trap: new, .. } => trap = PortAccess::of_trap(new),
            Event::Exit(new) => {
                // Hardware makes its exits without telling of what.
                if run.observation.scenario.engine == Engine::Interp {
                    exit_is_true(run, at, trap, new)?;
                }
                exit = Some(new);
            }
            Event::Device(access) => {
                device_is_served(run, at, exit, access)?;
                exit = None;
            }
            _ => {}
        }
    }
    Ok(())
}

fn exit_is_true(run: &Run, at: usize, trap: Option<PortAccess>, exit: Exit) -> Result<(), Problem> {
    let Some(said) = PortAccess::of_exit(exit) else {
        return Ok(());
    };
    let show =
        |access: Option<PortAccess>| access.map_or("no port access".into(), |a| a.to_string());
    if Some(said) != trap {
        let seen = format!("your virtual CPU made an exit of it that says: {said}");
        return Err(run
            .failure(
                format!("the guest's instruction is {}", show(trap)),
                seen,
                Some(at),
            )
            .thought(untrue(trap, said))
            .into());
    }
    match exit {
        Exit::PortOut { size, value, .. } if u64::from(value) > size.mask() => Err(run
            .failure(
                format!("a value of {} bits, as the instruction names", size.bits()),
                format!("{value:#x}"),
                Some(at),
            )
            .thought("RAX is wider than what the instruction writes. Who cuts it off?")
            .into()),
        _ => Ok(()),
    }
}

/// A question about an exit that does not say what the guest's instruction said.
fn untrue(trap: Option<PortAccess>, said: PortAccess) -> &'static str {
    match trap {
        None => "the guest touched no port here. Of which trap is this exit?",
        Some(trap) if trap.write != said.write => {
            "one instruction asks, the other tells. Which of the two traps is which exit?"
        }
        Some(trap) if trap.size != said.size => {
            "the trap carries the size that the instruction named. Does the exit?"
        }
        Some(_) => "the trap carries the port as the guest gave it. Does the exit?",
    }
}

fn device_is_served(
    run: &Run,
    at: usize,
    exit: Option<Exit>,
    access: DeviceAccess,
) -> Result<(), Problem> {
    let asked = exit.and_then(PortAccess::of_exit);
    let done = PortAccess::of_device(access);
    let value = match exit {
        Some(Exit::PortOut { value, .. }) => u64::from(value),
        _ => access.value,
    };
    if asked == Some(done) && value == access.value {
        return Ok(());
    }
    let expected = match exit {
        Some(exit) => format!("the bus is asked for what the exit says: {exit:?}"),
        None => String::from("the bus is asked once for each exit"),
    };
    let seen = format!("{done}, value {:#x}", access.value);
    let failure = run.failure(expected, seen, Some(at));
    let thought = match exit {
        Some(_) => "what did the monitor hand to the bus, and where did it have it from?",
        None => "this exit was served already. Who goes to the bus a second time?",
    };
    Err(failure.thought(thought).into())
}
