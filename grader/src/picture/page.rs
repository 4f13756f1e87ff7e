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

mod key;
mod tables;

use key::key;
use tables::{Late, counts, idle, splits};

const FRAME: &str = include_str!("page/page.html");
const STYLE: &str = include_str!("page/page.css");
const MODEL: &str = include_str!("page/model.js");
const DRAW: &str = include_str!("page/draw.js");
const PAGE: &str = include_str!("page/page.js");

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
