//! v2-E1, E3, E5: what a handler finds.

use super::{NEVER, guest};
use crate::checks::{Bench, Problem, Run};
use common::trace::{Event, Record};
use common::{Fault, Trap};

pub(super) fn handler_is_reached(bench: &Bench<'_>) -> Result<(), Problem> {
    let run = bench.run(guest("ud2-in-handler"), bench.seed, |order| {
        order.tick(NEVER).limit(100_000)
    })?;
    let symbols = &run.observation.image.symbols;
    let handler = symbols.address_of("invalid_opcode").unwrap_or_default();
    let expected = format!(
        "behind #UD at deed the guest goes on at {handler:#x}, invalid_opcode, as gate 6 of its \
         table says"
    );
    match behind_invalid_opcode(&run) {
        Some((_, record)) if record.rip == handler => Ok(()),
        Some((at, record)) => {
            let seen = format!("it goes on at {}", symbols.place(record.rip));
            Err(run
                .failure(expected, seen, Some(at))
                .thought(
                    "the address of a handler lies in a gate in three pieces. Which of them is \
                     where, and which gate is the one of vector 6?",
                )
                .into())
        }
        None => Err(run.failed(expected).into()),
    }
}

/// The first entry behind the first #UD.
fn behind_invalid_opcode(run: &Run) -> Option<(usize, &Record)> {
    let mut seen = false;
    run.records().iter().enumerate().find(|(_, record)| {
        if let Event::Trap {
            trap: Trap::Fault(Fault::InvalidOpcode { .. }),
            ..
        } = record.event
        {
            seen = true;
        }
        seen && matches!(record.event, Event::Enter { .. })
    })
}

pub(super) fn exceptions_tell_what_happened(bench: &Bench<'_>) -> Result<(), Problem> {
    // Each seed has other gates and another order.
    for seed in bench.seed..bench.seed + 4 {
        let run = bench.run(guest("exceptions"), seed, |order| order.tick(NEVER))?;
        let run = run.asking(
            "the line says what the handler found. Which part of it is different, in which slot of \
             the frame does the handler look for that, and where did you have it from?",
        );
        run.expect_model()?;
    }
    Ok(())
}
