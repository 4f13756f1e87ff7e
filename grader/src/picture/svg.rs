//! A small picture for a report or a book.
//!
//! It is made of columns two pixels wide, so its size does not depend on how much
//! happened. It is light or dark as its reader likes it, and says by shapes what it
//! says by colours.

use super::part::{Columns, Part};
use super::text::states;
use super::trace::{Event, Interrupt, Kind, Source, Trace};
use crate::export::escape;
use common::Time;
use std::fmt::Write;

mod key;

const LABEL: u64 = 104;
const LANE: u64 = 760;
const COLUMN: u64 = 2;
const ROW: u64 = 22;
const GAP: u64 = 12;
const TOOTH: u64 = 6;
/// More events than this are shown by how many they are.
const MARKS: usize = 60;
/// More interrupts than this would hide each other.
const ARROWS: usize = 40;

const STYLE: &str = "text{font:12px system-ui,sans-serif;fill:#1b1b1b}.f{fill:#6a6a6a}\
.p{fill:#fff}.l{stroke:#d0d0d0;fill:none}.w{stroke:#6a6a6a;fill:none}\
.h{stroke:#6a6a6a;stroke-dasharray:2 4;fill:none}.z{stroke:#6a6a6a;stroke-dasharray:6 2;fill:none}\
.k{fill:#d55e00}.kt{fill:#fff;font-weight:600}.m{fill:#1b1b1b;stroke:#1b1b1b}\
.i{fill:#c00;stroke:#c00}.r{fill:#fff;stroke:#1b1b1b}.d{fill:#6a6a6a}.t{fill:#fff}\
.v0{fill:#0072b2}.v1{fill:#a86f00}.v2{fill:#00795a}.v3{fill:#a64d7f}.v4{fill:#3a7ca8}\
.o{fill:#fff;fill-opacity:.3}\
@media(prefers-color-scheme:dark){text{fill:#ececec}.p{fill:#16181c}.f{fill:#a2a2a2}\
.l{stroke:#41454d}.w,.h,.z{stroke:#a2a2a2}.m{fill:#ececec;stroke:#ececec}.i{fill:#ff6b6b;stroke:#ff6b6b}\
.r{fill:#16181c;stroke:#ececec}.d{fill:#a2a2a2}}";

/// The picture of a part of a run.
pub fn svg(trace: &Trace, part: Part) -> String {
    let mut picture = Picture {
        trace,
        columns: Columns {
            count: LANE / COLUMN,
            part,
        },
        body: String::new(),
        has_bars: false,
        top: 30,
    };
    picture.axis();
    for pcpu in 0..trace.pcpus {
        picture.pcpu(pcpu);
        picture.marks(pcpu);
    }
    picture.top += GAP / 2;
    let first = picture.top;
    for (vm, vcpu) in trace.vcpus() {
        picture.vcpu(vm, vcpu);
    }
    picture.interrupts(first);
    picture.key();
    let (width, height) = (LABEL + LANE + 10, picture.top);
    let title = escape(&format!(
        "{} on {}: {}",
        trace.stage, trace.engine, trace.again
    ));
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" width=\"{width}\" \
         height=\"{height}\" role=\"img\">\n<title>{title}</title>\n<style>{STYLE}</style>\n\
         <rect class=\"p\" width=\"{width}\" height=\"{height}\"/>\n{}</svg>\n",
        picture.body
    )
}

struct Picture<'a> {
    trace: &'a Trace,
    columns: Columns,
    body: String,
    top: u64,
    /// Somewhere there were too many marks to show each.
    has_bars: bool,
}

/// Columns with one sign: from which on, how many, and which.
type Run = (u64, u64, char);

fn runs(signs: &[char]) -> Vec<Run> {
    let mut runs: Vec<Run> = Vec::new();
    for (&sign, column) in signs.iter().zip(0..) {
        match runs.last_mut() {
            Some((_, length, known)) if *known == sign => *length += 1,
            _ => runs.push((column, 1, sign)),
        }
    }
    runs
}

impl Picture<'_> {
    /// A String never refuses to grow.
    fn put(&mut self, text: std::fmt::Arguments<'_>) {
        let _ = writeln!(self.body, "{text}");
    }

    fn x(&self, time: u64) -> u64 {
        let Part { from, to } = self.columns.part;
        let behind = u128::from(time.clamp(from, to) - from);
        LABEL + (behind * u128::from(LANE) / u128::from(to - from)) as u64
    }

    fn has(&self, time: u64) -> bool {
        let Part { from, to } = self.columns.part;
        (from..=to).contains(&time)
    }

    fn label(&mut self, text: &str) {
        let y = self.top + ROW / 2 + 4;
        self.put(format_args!(
            "<text x=\"2\" y=\"{y}\">{}</text>",
            escape(text)
        ));
    }

    fn axis(&mut self) {
        let Part { from, to } = self.columns.part;
        for quarter in 0..=4 {
            let time = from + (to - from) * quarter / 4;
            let (x, text) = (self.x(time), Time(time));
            let anchor = ["start", "middle", "middle", "middle", "end"][quarter as usize];
            self.put(format_args!(
                "<text class=\"f\" x=\"{x}\" y=\"14\" text-anchor=\"{anchor}\">{text}</text>\
                 <path class=\"l\" d=\"M{x} 19v6\"/>"
            ));
        }
    }

    /// Who ran on a physical CPU.
    fn pcpu(&mut self, pcpu: usize) {
        let trace = self.trace;
        self.label(&format!("pcpu {pcpu}"));
        let y = self.top;
        self.put(format_args!(
            "<rect class=\"l\" x=\"{LABEL}\" y=\"{y}\" width=\"{LANE}\" height=\"{ROW}\"/>"
        ));
        let vcpus: Vec<_> = trace.vcpus().collect();
        let sign = |number: usize| char::from_u32(number as u32 + 1).unwrap_or('\u{1}');
        let spans: Vec<_> = trace
            .lane(pcpu)
            .into_iter()
            .filter_map(|span| {
                let number = vcpus.iter().position(|one| *one == (span.vm, span.vcpu))?;
                Some((span.from, span.to, sign(number)))
            })
            .collect();
        for (column, length, sign) in runs(&self.columns.signs(&spans, '\0')) {
            if let Some((vm, vcpu)) = (sign as usize)
                .checked_sub(1)
                .and_then(|number| vcpus.get(number))
            {
                self.runs_here((column, length), *vm, *vcpu, &trace.vcpu_name(*vm, *vcpu));
            }
        }
        self.top += ROW + 2;
    }

    /// A bar of its VM's colour, lighter for each further vCPU, with a name if there
    /// is room.
    fn runs_here(&mut self, (column, length): (u64, u64), vm: u32, vcpu: u8, name: &str) {
        let (x, width, y) = (LABEL + column * COLUMN, length * COLUMN, self.top + 1);
        let height = ROW - 2;
        let class = vm % 5;
        self.put(format_args!(
            "<rect class=\"v{class}\" x=\"{x}\" y=\"{y}\" width=\"{width}\" height=\"{height}\"/>"
        ));
        let stripe = height * u64::from(vcpu % 4) / 5;
        if stripe > 0 {
            self.put(format_args!(
                "<rect class=\"o\" x=\"{x}\" y=\"{y}\" width=\"{width}\" height=\"{stripe}\"/>"
            ));
        }
        // All of the name, or at least which of the VM's vCPUs.
        let short = name.rfind("vcpu").map_or(name, |vcpu| &name[vcpu..]);
        let mut names = [name, short].into_iter();
        let fits = names.find(|name| !name.is_empty() && width > 7 * name.len() as u64);
        if let Some(name) = fits {
            let (x, y, name) = (x + 3, self.top + ROW / 2 + 4, escape(name));
            self.put(format_args!(
                "<text class=\"t\" x=\"{x}\" y=\"{y}\">{name}</text>"
            ));
        }
    }

    /// What happened on a physical CPU, if so little that it can be told apart.
    fn marks(&mut self, pcpu: usize) {
        let events = self.trace.events.iter();
        let events: Vec<&Event> = events
            .filter(|event| event.pcpu == pcpu && self.has(event.time))
            .collect();
        let is_known = self.unknown(pcpu);
        if events.is_empty() && is_known {
            self.top += GAP / 2;
            return;
        }
        if events.len() > MARKS {
            self.density(&events);
        } else {
            for event in events {
                self.mark(event);
            }
        }
        self.top += ROW + GAP / 2;
    }

    /// Where the file was cut off nobody knows what happened. Whether all is known.
    fn unknown(&mut self, pcpu: usize) -> bool {
        let known = self.trace.known(pcpu);
        let to = self.columns.part.to.min(self.trace.until);
        if known >= to {
            return true;
        }
        let (x, width) = (self.x(known), self.x(to) - self.x(known));
        let lines = "v-16m4 16".repeat((width / 4) as usize);
        let y = self.top + ROW - 2;
        self.put(format_args!("<path class=\"l\" d=\"M{x} {y}{lines}\"/>"));
        false
    }

    /// A trap is a line, an exit points up, an injection down, a device is a ring.
    fn mark(&mut self, event: &Event) {
        let (x, top) = (self.x(event.time), self.top);
        let place = match event.place.as_str() {
            "" => String::new(),
            place => format!(", {place}"),
        };
        let title = escape(&format!(
            "{} {}: {}{place}",
            Time(event.time),
            event.kind.name(),
            event.text
        ));
        let shape = match event.kind {
            Kind::Trap => format!("<path class=\"m\" d=\"M{x} {}v7\">", top + 14),
            Kind::Exit => format!("<path class=\"m\" d=\"M{} {}l4 -7l4 7z\">", x - 4, top + 15),
            Kind::Inject => format!("<path class=\"i\" d=\"M{} {top}l4 7l4 -7z\">", x - 4),
            Kind::Device => format!(
                "<circle class=\"r\" cx=\"{x}\" cy=\"{}\" r=\"2.5\">",
                top + 11
            ),
        };
        let end = if event.kind == Kind::Device {
            "circle"
        } else {
            "path"
        };
        self.put(format_args!("{shape}<title>{title}</title></{end}>"));
    }

    fn density(&mut self, events: &[&Event]) {
        self.has_bars = true;
        let mut counts = vec![0_u64; (LANE / 4) as usize];
        let columns = Columns {
            count: counts.len() as u64,
            ..self.columns
        };
        for column in events.iter().filter_map(|event| columns.of(event.time)) {
            counts[column] += 1;
        }
        let mut path = String::new();
        for (count, column) in counts.into_iter().zip(0..) {
            if count > 0 {
                let height = (3 + 3 * u64::from(count.ilog2())).min(ROW - 4);
                let (x, y) = (LABEL + 4 * column, self.top + ROW - 2);
                let _ = write!(path, "M{x} {y}v-{height}h3v{height}z");
            }
        }
        self.put(format_args!("<path class=\"d\" d=\"{path}\"/>"));
    }

    /// What a vCPU did.
    fn vcpu(&mut self, vm: u32, vcpu: u8) {
        let trace = self.trace;
        self.label(&trace.lane_name(vm, vcpu));
        let signs = self.columns.signs(&states(trace, vm, vcpu), ' ');
        let middle = self.top + ROW / 2;
        for (column, length, sign) in runs(&signs) {
            let (x, width) = (LABEL + column * COLUMN, length * COLUMN);
            match sign {
                '#' => self.runs_here((column, length), vm, vcpu, ""),
                'L' => self.lock(x, width),
                '-' => {
                    let y = middle - 2;
                    self.put(format_args!(
                        "<path class=\"w\" d=\"M{x} {y}h{width}m0 4h-{width}\"/>"
                    ));
                }
                '.' => self.put(format_args!(
                    "<path class=\"h\" d=\"M{x} {middle}h{width}\"/>"
                )),
                '=' => self.put(format_args!(
                    "<path class=\"z\" d=\"M{x} {middle}h{width}\"/>"
                )),
                _ => {}
            }
        }
        self.teeth(vm, vcpu);
        self.top += ROW + GAP;
    }

    /// It has the lock, and no physical CPU.
    fn lock(&mut self, x: u64, width: u64) {
        let (y, text_y) = (self.top + 4, self.top + ROW / 2 + 4);
        let height = ROW - 8;
        self.put(format_args!(
            "<rect class=\"k\" x=\"{x}\" y=\"{y}\" width=\"{width}\" height=\"{height}\"/>"
        ));
        if width > 80 {
            let x = x + 4;
            self.put(format_args!(
                "<text class=\"kt\" x=\"{x}\" y=\"{text_y}\">has the lock</text>"
            ));
        }
    }

    /// At the ends of turns in which it spun: for how long it had before, nobody knows.
    fn teeth(&mut self, vm: u32, vcpu: u8) {
        let trace = self.trace;
        let y = self.top + ROW - 2;
        let mut behind = 0;
        for span in trace.spans_of(vm, vcpu) {
            let Some(spins_in) = span.spins_in().filter(|_| self.has(span.to)) else {
                continue;
            };
            let end = self.x(span.to);
            let teeth = ((end - self.x(span.from)) / TOOTH).clamp(1, 3);
            let x = end - teeth * TOOTH;
            // What would lie on others is left out.
            if x < behind {
                continue;
            }
            behind = end;
            let (teeth, name) = ("l3 -6l3 6".repeat(teeth as usize), escape(spins_in));
            let time = Time(span.to);
            self.put(format_args!(
                "<path class=\"k\" d=\"M{x} {y}{teeth}z\"><title>{time} left spinning in {name}</title></path>"
            ));
        }
    }

    /// From when an interrupt was due (of an IPI: at its sender) to when it was taken.
    fn interrupts(&mut self, first: u64) {
        let seen = self.trace.interrupts.iter();
        let seen: Vec<_> = seen
            .filter(|one| one.delivered.is_some_and(|time| self.has(time)) && self.has(one.due))
            .collect();
        if seen.len() <= ARROWS {
            for one in seen {
                self.arrow(one, first);
            }
        }
    }

    fn arrow(&mut self, one: &Interrupt, first: u64) {
        let row = |vcpu: u8| {
            let mut all = self.trace.vcpus();
            let index = all.position(|known| known == (one.vm, vcpu));
            first + index.unwrap_or(0) as u64 * (ROW + GAP)
        };
        let (x, y) = (self.x(one.due), row(one.vcpu) - 3);
        let (class, start) = match one.source {
            Source::Timer => ("i", y),
            Source::Vcpu { vcpu, .. } => ("m", row(vcpu) + ROW / 2),
        };
        let end = self.x(one.delivered.unwrap_or(one.due));
        let title = escape(&one.words);
        self.put(format_args!(
            "<g class=\"{class}\"><title>{title}</title><circle cx=\"{x}\" cy=\"{start}\" r=\"2\"/>\
             <path d=\"M{x} {start}L{end} {y}\"/><path d=\"M{} {}h6l-3 5z\"/></g>",
            end.saturating_sub(3),
            y - 1
        ));
    }
}

#[cfg(test)]
mod tests;
