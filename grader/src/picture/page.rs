//! A page for the browser: one file that needs nothing else and asks no server.
//!
//! ```text
//!  page.html   the frame, with the tables that stand in it when it is written
//!  page.css    how it looks: light, dark, on paper
//!  model.js    the trace, and what was at a moment, in words
//!  draw.js     the lanes
//!  page.js     keys, mouse, fingers, address
//! ```
//!
//! What a picture says in colours stands in the tables in words, so the page can be
//! read without seeing, without its script, and on paper.

use super::trace::{Event, Interrupt, Kind, Share, Source, Span, State, Trace};
use crate::export::escape;
use common::Time;
use serde_json::{Value, json};
use std::collections::HashMap;

const FRAME: &str = include_str!("page/page.html");
const STYLE: &str = include_str!("page/page.css");
const MODEL: &str = include_str!("page/model.js");
const DRAW: &str = include_str!("page/draw.js");
const PAGE: &str = include_str!("page/page.js");

/// So many rows of what came late are shown.
const LATE: usize = 20;

/// The page of a trace.
pub fn page(trace: &Trace) -> String {
    let title = format!("{} on {}", trace.stage, trace.engine);
    let late = Late::of(trace);
    let parts: [(&str, String); 17] = [
        ("title", escape(&title)),
        ("summary", escape(&summary(trace))),
        ("again", escape(&trace.again)),
        ("notes", notes(trace)),
        ("until", trace.until.to_string()),
        ("key", key(trace)),
        ("splits", splits(trace)),
        ("all-idle", trace.idle_share().to_string()),
        ("idle", idle(trace)),
        ("late-caption", late.caption),
        ("late", late.table),
        ("counts", counts(trace)),
        ("style", STYLE.to_string()),
        ("data", data(trace)),
        ("model", MODEL.to_string()),
        ("draw", DRAW.to_string()),
        ("page", PAGE.to_string()),
    ];
    fill(FRAME, &parts)
}

/// Puts each part where its name stands, once: what a part says is never looked at
/// again.
fn fill(frame: &str, parts: &[(&str, String)]) -> String {
    let mut page = String::new();
    let mut rest = frame;
    while let Some((before, behind)) = rest.split_once("{{") {
        let (name, after) = behind.split_once("}}").unwrap_or((behind, ""));
        let part = parts.iter().find(|(known, _)| *known == name);
        page += before;
        page += part.map_or("", |(_, text)| text);
        rest = after;
    }
    page + rest
}

fn summary(trace: &Trace) -> String {
    let first = if trace.cut { "the first " } else { "" };
    format!(
        "{}, {}, {} ticks, {first}{} events.",
        crate::text::count(trace.vms.len(), "VM"),
        crate::text::count(trace.pcpus, "pCPU"),
        Time(trace.until),
        Time(trace.events.len() as u64)
    )
}

fn notes(trace: &Trace) -> String {
    let mut notes = String::new();
    if trace.missing > 0 {
        let missing = Time(trace.missing);
        notes += &format!(
            "<p class=\"note\">{missing} events more were not recorded: the page ends before the run \
             did, and its numbers are of what it shows.</p>\n"
        );
    }
    if trace.cut {
        notes += &format!(
            "<p class=\"note\">The file was cut off: of the events, only the first {} are here, and where \
             the lanes are hatched nobody knows what happened. All else on this page, its tables too, is of \
             the whole run, as the beginning of the file says.</p>\n",
            Time(trace.events.len() as u64)
        );
    }
    if trace.engine == "kvm" {
        notes += "<p>On kvm a trace has exits, injections and devices; what the guest does between \
                  two exits, the CPU keeps to itself.</p>\n";
    }
    notes
}

/// What the signs in the picture say: of those that are in it.
fn key(trace: &Trace) -> String {
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

fn splits(trace: &Trace) -> String {
    let row = |(number, vm): (usize, &super::Vm)| {
        let all = vm.split.total();
        let parts = vm.split.parts();
        let percent = |part| Share { part, all };
        let (share, colour) = (trace.share(vm), number % 8);
        let bar = parts
            .iter()
            .filter(|(_, ticks)| *ticks > 0)
            .map(|(name, ticks)| {
                let class = name.to_lowercase();
                format!(
                    "<span class=\"{class}\" style=\"width:{}%\"></span>",
                    percent(*ticks)
                )
            });
        let cells = parts
            .iter()
            .map(|(_, ticks)| format!("<td class=\"n\">{}</td>", percent(*ticks)));
        format!(
            "<tr style=\"--vm:var(--vm{colour})\"><td>vm {number} {}</td><td class=\"n\">{share}</td><td><div \
             class=\"split\" aria-hidden=\"true\"><span class=\"guest\" style=\"width:{share}%\"></span></div></td>\
             <td><div class=\"split\" aria-hidden=\"true\">{}</div></td>{}<td>{}</td></tr>\n",
            escape(&vm.name),
            bar.collect::<String>(),
            cells.collect::<String>(),
            escape(&vm.ending)
        )
    };
    trace.vms.iter().enumerate().map(row).collect()
}

fn idle(trace: &Trace) -> String {
    let row = |pcpu| {
        let idle = Share {
            part: trace.idle(pcpu),
            all: trace.until,
        };
        format!("<tr><td>pcpu {pcpu}</td><td class=\"n\">{idle}</td></tr>\n")
    };
    (0..trace.pcpus).map(row).collect()
}

fn counts(trace: &Trace) -> String {
    let mut rows = String::new();
    for (number, vm) in trace.vms.iter().enumerate() {
        let all = vm.exits.iter().chain(&vm.traps);
        let most = all.map(|one| one.count).max().unwrap_or(1);
        for (what, counts) in [("exits", &vm.exits), ("traps", &vm.traps)] {
            for (index, one) in counts.iter().enumerate() {
                let first = index == 0;
                let head = if first {
                    format!("vm {number} {}", vm.name)
                } else {
                    String::new()
                };
                rows += &format!(
                    "<tr><td>{}</td><td>{}</td><td>{}</td><td class=\"n\">{}</td><td><span \
                     class=\"bar\" style=\"width:{}px\" aria-hidden=\"true\"></span></td></tr>\n",
                    escape(&head),
                    if first { what } else { "" },
                    escape(&one.name),
                    Time(one.count),
                    (one.count * 240).div_ceil(most)
                );
            }
        }
    }
    rows
}

/// What came late, or had a lock and no physical CPU: the longest first.
struct Late {
    caption: String,
    table: String,
}

impl Late {
    fn of(trace: &Trace) -> Late {
        let interrupts = trace.interrupts.iter().filter_map(|one| {
            let late = one.late().filter(|late| *late > 1)?;
            let name = trace.vcpu_name(one.vm, one.vcpu);
            Some((late, one.due, format!("{name}: {}", one.words)))
        });
        let holds = trace.holds.iter().map(|hold| {
            let name = trace.vcpu_name(hold.vm, hold.vcpu);
            let (from, to) = (Time(hold.from), Time(hold.to));
            let words = format!("{name}: had the lock and no pcpu from {from} to {to}");
            (hold.to - hold.from, hold.from, words)
        });
        let mut all: Vec<_> = interrupts.chain(holds).collect();
        all.sort_by_key(|(ticks, at, _)| (std::cmp::Reverse(*ticks), *at));
        let caption = Late::caption(trace, all.len());
        let row = |(ticks, at, words): &(u64, u64, String)| {
            format!(
                "<tr><td><button type=\"button\" data-at=\"{at}\" data-around=\"{}\">look</button></td>\
                 <td class=\"n\">{}</td><td>{}</td></tr>\n",
                ticks * 2,
                Time(*ticks),
                escape(words)
            )
        };
        let rows: String = all.iter().take(LATE).map(row).collect();
        let table = match all.len() {
            0 => String::new(),
            _ => format!(
                "<div class=\"scroll\"><table>\n<tr><th></th><th class=\"n\">ticks</th><th>what</th></tr>\n\
                 {rows}</table></div>"
            ),
        };
        Late { caption, table }
    }

    fn caption(trace: &Trace, many: usize) -> String {
        let (interrupts, holds) = (trace.interrupts.len(), trace.holds.len());
        let late = match (interrupts, many - holds) {
            (0, _) => String::from("No interrupt was due"),
            (_, 0) => format!(
                "Each of {} interrupts was taken at once",
                Time(interrupts as u64)
            ),
            (_, late) => format!("{late} of {} interrupts came late", Time(interrupts as u64)),
        };
        let locks = match holds {
            0 => String::from("no vCPU was taken off its pCPU with a lock"),
            times => format!(
                "{} a vCPU was taken off its pCPU with a lock",
                crate::text::count(times, "time")
            ),
        };
        let shown = match many {
            0 => String::new(),
            1..=LATE => String::from(" The longest first:"),
            _ => {
                format!(" Here are the {LATE} longest of these {many}; the keys n and p go to all:")
            }
        };
        format!("{late}, and {locks}.{shown}")
    }
}

/// Texts that stand once, and their numbers.
#[derive(Default)]
struct Words<'a> {
    numbers: HashMap<&'a str, usize>,
    all: Vec<&'a str>,
}

impl<'a> Words<'a> {
    fn of(&mut self, text: &'a str) -> i64 {
        if text.is_empty() {
            return -1;
        }
        let next = self.all.len();
        let number = *self.numbers.entry(text).or_insert(next);
        if number == next {
            self.all.push(text);
        }
        number as i64
    }
}

/// The trace in rows, as `model.js` describes them.
fn data(trace: &Trace) -> String {
    let vcpus: HashMap<_, _> = trace.vcpus().zip(0_i64..).collect();
    let lane = |vm: u32, vcpu: u8| vcpus.get(&(vm, vcpu)).copied().unwrap_or(-1);
    let mut words = Words::default();
    let spans: Vec<_> = trace
        .spans
        .iter()
        .map(|span| row_of_span(span, lane(span.vm, span.vcpu), &mut words))
        .collect();
    let interrupts: Vec<_> = trace
        .interrupts
        .iter()
        .map(|one| row_of_interrupt(one, &lane, &mut words))
        .collect();
    let holds: Vec<_> = trace
        .holds
        .iter()
        .map(|one| json!([lane(one.vm, one.vcpu), one.from, one.to]))
        .collect();
    let events: Vec<_> = trace
        .events
        .iter()
        .map(|event| row_of_event(event, lane(event.vm, event.vcpu), &mut words))
        .collect();
    let lanes: Vec<_> = trace
        .vcpus()
        .map(|(vm, vcpu)| {
            json!([
                vm,
                vcpu,
                trace.vcpu_name(vm, vcpu),
                trace.lane_name(vm, vcpu)
            ])
        })
        .collect();
    let data = json!({
        "pcpus": trace.pcpus,
        "until": trace.until,
        "known": (0..trace.pcpus).map(|pcpu| trace.known(pcpu)).collect::<Vec<_>>(),
        "lanes": lanes,
        "spans": spans,
        "interrupts": interrupts,
        "holds": holds,
        "events": events,
        "words": words.all,
    });
    // A text must not end the script that it stands in.
    data.to_string().replace('<', "\\u003c")
}

fn row_of_span<'a>(span: &'a Span, lane: i64, words: &mut Words<'a>) -> Value {
    let pcpu = span.pcpu.map_or(-1, |pcpu| pcpu as i64);
    let exit = words.of(span.exit.as_deref().unwrap_or_default());
    let place = words.of(span.place.as_deref().unwrap_or_default());
    let state = span.state as u8;
    json!([
        lane,
        state,
        span.from,
        span.to,
        pcpu,
        u8::from(span.spins),
        exit,
        place
    ])
}

fn row_of_interrupt<'a>(
    one: &'a Interrupt,
    lane: &dyn Fn(u32, u8) -> i64,
    words: &mut Words<'a>,
) -> Value {
    let sender = match one.source {
        Source::Timer => -1,
        Source::Vcpu { vcpu, .. } => lane(one.vm, vcpu),
    };
    let delivered = one.delivered.map_or(-1, |time| time as i64);
    json!([
        lane(one.vm, one.vcpu),
        one.vector,
        sender,
        one.due,
        delivered,
        words.of(&one.words)
    ])
}

fn row_of_event<'a>(event: &'a Event, lane: i64, words: &mut Words<'a>) -> Value {
    let (text, place) = (words.of(&event.text), words.of(&event.place));
    json!([event.time, event.pcpu, lane, event.kind as u8, text, place])
}

#[cfg(test)]
mod tests;
