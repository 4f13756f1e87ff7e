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

use super::trace::{Event, Interrupt, Source, Span, Trace};
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
    let parts: [(&str, String); 15] = [
        ("title", escape(&title)),
        ("summary", escape(&summary(trace))),
        ("again", escape(&trace.again)),
        ("notes", notes(trace)),
        ("until", trace.until.to_string()),
        ("splits", splits(trace)),
        ("idle", idle(trace)),
        ("late-caption", late.caption),
        ("late", late.rows),
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
    format!(
        "{}, {}, {} ticks, {} events.",
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
            "<p>{missing} events more were not recorded: the page ends before the run did.</p>\n"
        );
    }
    if trace.engine == "kvm" {
        notes += "<p>On kvm a trace has exits, injections and devices; what the guest does between \
                  two exits, the CPU keeps to itself.</p>\n";
    }
    notes
}

fn percent(part: u64, all: u64) -> String {
    let tenths = u128::from(part) * 1000 / u128::from(all.max(1));
    format!("{}.{}", tenths / 10, tenths % 10)
}

fn splits(trace: &Trace) -> String {
    let row = |(number, vm): (usize, &super::Vm)| {
        let total = vm.split.total();
        let parts = vm.split.parts();
        let bar = parts
            .iter()
            .filter(|(_, ticks)| *ticks > 0)
            .map(|(name, ticks)| {
                let class = name.to_lowercase();
                format!(
                    "<span class=\"{class}\" style=\"width:{}%\"></span>",
                    percent(*ticks, total)
                )
            });
        let cells = parts
            .iter()
            .map(|(_, ticks)| format!("<td class=\"n\">{}</td>", percent(*ticks, total)));
        format!(
            "<tr><td>vm {number} {}</td><td><div class=\"split\" aria-hidden=\"true\">{}</div></td>{}<td>{}</td></tr>\n",
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
        let idle = percent(trace.idle(pcpu), trace.until);
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
    rows: String,
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
        let caption = match all.len() {
            0 => format!(
                "None: each of {} was taken at once.",
                Time(trace.interrupts.len() as u64)
            ),
            many => format!(
                "{} of {} interrupts came late, and {} a vCPU was taken off its pCPU with a lock. The \
                 longest {}:",
                many - trace.holds.len(),
                Time(trace.interrupts.len() as u64),
                crate::text::count(trace.holds.len(), "time"),
                many.min(LATE)
            ),
        };
        let row = |(ticks, at, words): &(u64, u64, String)| {
            format!(
                "<tr><td><button type=\"button\" data-at=\"{at}\" data-around=\"{}\">look</button></td>\
                 <td class=\"n\">{}</td><td>{}</td></tr>\n",
                ticks * 2,
                Time(*ticks),
                escape(words)
            )
        };
        let rows = all.iter().take(LATE).map(row).collect();
        Late { caption, rows }
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
