//! What the signs in the picture of the page mean.

use crate::export::escape;
use crate::picture::trace::{Interrupt, Kind, Source, State, Trace};

/// What the signs in the picture say: of those that are in it.
pub(super) fn key(trace: &Trace) -> String {
    let spans = |state| trace.spans.iter().any(|span| span.state == state);
    let events = |kind| trace.events.iter().any(|event| event.kind == kind);
    let is_ipi = |one: &Interrupt| matches!(one.source, Source::Vcpu { .. });
    let ipis = trace.interrupts.iter().any(is_ipi);
    let ticks = trace.interrupts.iter().any(|one| !is_ipi(one));
    let loops = trace.loops(0, trace.until);
    let loops = format!("left spinning in {}", loops.join(", "));
    let sign = |sign: &str| format!("<i>{sign}</i>");
    let coloured =
        |sign: &str, colour: &str| format!("<i style=\"color:var({colour})\">{sign}</i>");
    let block = |class: &str| format!("<i class=\"{class}\"></i>");
    let is_idle = (0..trace.pcpus).any(|pcpu| trace.idle(pcpu) > 0);
    let lock = String::from("<i style=\"background:var(--lock)\"></i>");
    let colour = "runs: a colour for each VM, stripes for each vCPU";
    let all: [(bool, String, &str); 15] = [
        (true, block("vm"), colour),
        (is_idle, block("idle"), "idle: nobody runs"),
        (spans(State::Waiting), sign("═"), "waits for a pcpu"),
        (spans(State::Halted), sign("┄"), "halted"),
        (spans(State::Paused), block("paused"), "paused"),
        (
            !trace.holds.is_empty(),
            lock,
            "has no pcpu, and has the lock",
        ),
        (
            loops.len() > "left spinning in ".len(),
            coloured("▲▲", "--lock"),
            &loops,
        ),
        (events(Kind::Trap), sign("|"), "trap"),
        (events(Kind::Exit), sign("▲"), "exit"),
        (events(Kind::Inject), coloured("▼", "--moment"), "injection"),
        (events(Kind::Device), sign("○"), "device"),
        (
            !trace.events.is_empty(),
            block("bars"),
            "how many of these, where there are too many to be seen",
        ),
        (ticks, coloured("●▼", "--moment"), "a tick: due, and taken"),
        (ipis, sign("●▼"), "an IPI: sent, and taken"),
        (
            trace.cut,
            block("unknown"),
            "nobody knows what happened: the file was cut off",
        ),
    ];
    let there = all.into_iter().filter(|(is_there, ..)| *is_there);
    there
        .map(|(_, sign, text)| format!("<li>{sign}{}</li>\n", escape(text)))
        .collect()
}
