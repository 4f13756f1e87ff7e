//! v1-E1 and v1-E2: the guest gets the CPU, in the right state.

use super::{NEVER, guest};
use crate::checks::{Bench, Failure, Problem, Run};
use common::trace::Event;
use common::{Exit, Gpr, Trap, boot, flags};
use evidence::Prepared;

pub(super) fn context_is_prepared(bench: &Bench<'_>) -> Result<(), Problem> {
    for vcpu in [0, 1 + bench.seed % (boot::MAX_VCPUS - 1)] {
        let run = bench.run(guest("halt"), bench.seed, |order| {
            order.vcpu(vcpu).limit(1000)
        })?;
        let Some(prepared) = &run.observation.evidence.prepared else {
            return Err(run
                .failed("a context with everything in it that a guest relies on")
                .into());
        };
        let wanted = wanted(run.observation.image.entry, vcpu);
        if let Some(difference) = differences(&wanted, prepared).next() {
            return Err(unprepared(&run, &difference).into());
        }
    }
    Ok(())
}

/// What vCPU number `vcpu` starts with (see [`common::Boot`]).
fn wanted(entry: u64, vcpu: u64) -> Prepared {
    let mut general = [0; 16];
    general[Gpr::Rsp as usize] = boot::STACK_TOP - vcpu * boot::STACK_SIZE;
    general[Gpr::Rdi as usize] = vcpu;
    Prepared {
        registers: evidence::RegisterFile {
            general,
            rip: entry,
            flags: flags::ALWAYS,
        },
        fs_base: 0,
        gs_base: 0,
        xmm_in_use: 0,
        mxcsr: 0x1f80,
        root: boot::PML4,
        kernel_view: true,
    }
}

/// A part of the context that is not as it should be.
struct Difference {
    name: &'static str,
    wanted: u64,
    seen: u64,
    why: &'static str,
}

/// The parts in which two contexts differ, the most telling first.
fn differences(wanted: &Prepared, seen: &Prepared) -> impl Iterator<Item = Difference> {
    const OTHERS: &str = "a register that means nothing is 0, or it tells what others computed";
    let mut all = Vec::new();
    let mut add = |name, wanted, seen, why| {
        all.push(Difference {
            name,
            wanted,
            seen,
            why,
        })
    };
    let (one, other) = (&wanted.registers, &seen.registers);
    add(
        "rip",
        one.rip,
        other.rip,
        "the image's entry: the first instruction",
    );
    add(
        "cr3",
        wanted.root,
        seen.root,
        "the page tables that were written to guest memory",
    );
    let view = "the guest's kernel sees all pages, so the view is the kernel's";
    add(
        "view",
        wanted.kernel_view.into(),
        seen.kernel_view.into(),
        view,
    );
    for register in Gpr::ALL {
        let why = match register {
            Gpr::Rsp => "the top of this vCPU's own stack",
            Gpr::Rdi => "the number of the vCPU",
            _ => OTHERS,
        };
        add(register.name(), one.get(register), other.get(register), why);
    }
    add(
        "rflags",
        one.flags,
        other.flags,
        "only bit 1 is set, which is always set",
    );
    add("fs base", wanted.fs_base, seen.fs_base, OTHERS);
    add("gs base", wanted.gs_base, seen.gs_base, OTHERS);
    let xmm = "all SSE registers are 0; this counts those that are not";
    add("xmm", wanted.xmm_in_use as u64, seen.xmm_in_use as u64, xmm);
    let mxcsr = "its value after reset (SDM vol. 1, 10.2.3)";
    add("mxcsr", wanted.mxcsr.into(), seen.mxcsr.into(), mxcsr);
    all.into_iter().filter(|one| one.wanted != one.seen)
}

fn unprepared(run: &Run, difference: &Difference) -> Failure {
    let Difference {
        name,
        wanted,
        seen,
        why,
    } = difference;
    let mut failure = run.failure(
        format!("{name} = {wanted:#x} before the first instruction: {why}"),
        format!("{name} = {seen:#x}"),
        None,
    );
    failure.moments.clear();
    failure.registers.clear();
    failure.thought("before you filled the context it held garbage: who writes this part of it?")
}

pub(super) fn guest_gets_the_cpu(bench: &Bench<'_>) -> Result<(), Problem> {
    let run = bench.run(guest("compute"), bench.seed, |order| order.tick(NEVER))?;
    let entry = run.observation.image.entry;
    let reached = run
        .traps()
        .find(|(.., trap)| !matches!(trap, Trap::Budget | Trap::Kicked));
    let first = run
        .records()
        .iter()
        .find(|record| matches!(record.event, Event::Enter { .. }));
    match (first, reached) {
        (Some(first), _) if first.rip != entry => Err(run
            .failure(
                format!("the first entry at {entry:#x}, where the guest begins"),
                format!("the first entry at {:#x}", first.rip),
                Some(0),
            )
            .thought("who sets RIP before the first entry?")
            .into()),
        (_, Some((_, _, Trap::System { .. }))) => Ok(()),
        (_, Some((at, record, trap))) => Err(run
            .failure(
                "the guest computes, and the first that it needs is a port",
                format!(
                    "at {} it ran into {trap:?}",
                    run.observation.image.symbols.place(record.rip)
                ),
                Some(at),
            )
            .thought("the guest's code is right. Which part of its CPU or memory is not?")
            .into()),
        (_, None) => Err(run
            .failed("the guest runs up to its first port access, in the routine console_text")
            .into()),
    }
}

pub(super) fn kick_stops_once(bench: &Bench<'_>) -> Result<(), Problem> {
    // At its first entry the guest has not asked for anything yet.
    let run = bench.run(guest("compute"), bench.seed, |order| {
        order.tick(NEVER).kick_at(0)
    })?;
    let Some(stopped) = run.observation.evidence.stopped_after else {
        let expected = "a kick comes at the first entry, and the run ends as stopped";
        return Err(run.failed(expected).thought(
            "a kick has a pending bit that stays until somebody takes it. Who looks at it, and when?",
        ).into());
    };
    let kicks = run
        .exits()
        .filter(|(.., exit)| *exit == Exit::Kicked)
        .count();
    let after = &run.records()[stopped.min(run.records().len())..];
    let ran_on = after
        .iter()
        .any(|record| matches!(record.event, Event::Trap { retired: 1.., .. }));
    match (kicks, ran_on) {
        (1, true) => Ok(()),
        (1, false) => Err(run
            .failed("the guest runs on when it is run again after the kick")
            .into()),
        _ => Err(run
            .failure(
                "one kick ends one run",
                format!("one kick ended {kicks} runs"),
                None,
            )
            .thought("a kick that was acted on is over. Who takes it away?")
            .into()),
    }
}
