//! v1-E5 and v1-E6: guests that end in another way than by saying so.

use super::guest;
use crate::checks::{Bench, Problem, Run};
use crate::fate::Fate;
use crate::text;
use common::{Ending, Exit, Fault, MmioOperation, Trap};
use guests::catalogue::{self, Cause};

pub(super) fn halt_is_no_success(bench: &Bench<'_>) -> Result<(), Problem> {
    let run = bench.run(guest("halt"), bench.seed, |order| order.limit(100_000))?;
    run.expect_end(b"", Ending::Halted)?;
    let behind = run.observation.image.entry + 1;
    let rip = run
        .observation
        .evidence
        .end
        .as_ref()
        .map(|end| end.registers.rip);
    if rip != Some(behind) {
        let expected = format!("RIP behind the one byte of `hlt`, at {behind:#x}");
        let seen = format!("RIP at {:#x}", rip.unwrap_or_default());
        let failure = run.failure(expected, seen, None);
        return Err(failure
            .thought("should anything wake the guest: what does it execute next?")
            .into());
    }
    Ok(())
}

/// The guests that do what version 1 cannot do.
const HOSTILE: [&str; 7] = [
    "privileged",
    "undefined",
    "divide",
    "non-canonical",
    "wild-store",
    "wild-jump",
    "unimplemented",
];

pub(super) fn unsupported_is_refused(bench: &Bench<'_>) -> Result<(), Problem> {
    for name in HOSTILE {
        let run = bench.run(guest(name), bench.seed, |order| order.limit(1_000_000))?;
        refused(&run)?;
    }
    Ok(())
}

fn refused(run: &Run) -> Result<(), Problem> {
    let catalogue::Ending::Death(cause) = run.expected.ending else {
        unreachable!("this guest does not die");
    };
    let trap = run
        .traps()
        .map(|(.., trap)| trap)
        .find(|trap| is_of(cause, *trap));
    let Some(trap) = trap else {
        return Err(run
            .failed(format!("the guest comes as far as its deed ({cause:?})"))
            .into());
    };
    let wanted = Ending::Died(Exit::Unsupported(trap));
    if run.fate != Fate::Ended(wanted) {
        let mut failure = run.failed(text::ending(wanted));
        if run.fate.ending().is_some() {
            failure.thought = String::from(
                "the guest went on after an instruction that had no effect, or died of something \
                 else. What did you tell the loop about this trap?",
            );
        }
        return Err(failure.into());
    }
    run.expect_console(&run.expected.console)?;
    context_is_left_alone(run, trap)
}

/// Whether `trap` is what the raw CPU reports of this deed.
fn is_of(cause: Cause, trap: Trap) -> bool {
    match (cause, trap) {
        (Cause::JumpOutsideMemory(address), Trap::Mmio(mmio)) => {
            mmio.operation == MmioOperation::Fetch && mmio.gpa == address
        }
        (Cause::StoreOutsideMemory(address), Trap::Mmio(mmio)) => {
            matches!(mmio.operation, MmioOperation::Write(_)) && mmio.gpa == address
        }
        (Cause::NonCanonicalAddress(_), Trap::Fault(Fault::GeneralProtection(_))) => true,
        (Cause::UndefinedInstruction, Trap::Fault(Fault::InvalidOpcode { .. })) => true,
        (Cause::Unimplemented(_), Trap::Fault(Fault::InvalidOpcode { .. })) => true,
        (Cause::DivideByZero, Trap::Fault(Fault::DivideError)) => true,
        (Cause::Privileged(_), Trap::System { .. }) => !is_port(trap),
        _ => false,
    }
}

fn is_port(trap: Trap) -> bool {
    use common::SystemInstruction::{In, Ins, Out, Outs};
    matches!(
        trap,
        Trap::System {
            instruction: In { .. } | Out { .. } | Ins { .. } | Outs { .. },
            ..
        }
    )
}

/// RIP still shows the instruction that could not go on (a store to a device is
/// over when it is reported).
fn context_is_left_alone(run: &Run, trap: Trap) -> Result<(), Problem> {
    let symbols = &run.observation.image.symbols;
    let rip = run
        .observation
        .evidence
        .end
        .as_ref()
        .map(|end| end.registers.rip);
    let at_deed = match (trap, symbols.address_of("deed")) {
        (Trap::System { .. } | Trap::Fault(_), Some(deed)) => rip == Some(deed),
        _ => true,
    };
    if at_deed {
        return Ok(());
    }
    let seen = format!("RIP at {}", symbols.place(rip.unwrap_or_default()));
    let failure = run.failure(
        "RIP still at deed, the instruction that was refused",
        seen,
        None,
    );
    Err(failure
        .thought("an instruction that was refused did not happen. Who moved RIP?")
        .into())
}
