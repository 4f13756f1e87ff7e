//! What the signs in the small picture mean: of those that are in it.

use super::{Kind, Part, Picture};
use crate::export::escape;
use crate::picture::trace::State;

/// So many letters of the key stand in a line.
const KEY: usize = 120;
impl Picture<'_> {
    /// The last lines of the picture.
    pub(super) fn key(&mut self) {
        let Part { from, to } = self.columns.part;
        let spans = self.trace.spans.iter();
        let spans: Vec<_> = spans
            .filter(|span| span.from < to && span.to > from)
            .collect();
        let is_there = |state| spans.iter().any(|span| span.state == state);
        let mut events = self.trace.events.iter();
        let traps = events.any(|event| event.kind == Kind::Trap && self.has(event.time));
        let mut events = self.trace.events.iter();
        let exits = events.any(|event| event.kind == Kind::Exit && self.has(event.time));
        let is_known =
            (0..self.trace.pcpus).all(|pcpu| self.trace.known(pcpu) >= to.min(self.trace.until));
        let mut holds = self.trace.holds.iter();
        let locks = holds.any(|hold| hold.from < to && hold.to > from);
        let mut interrupts = self.trace.interrupts.iter();
        let due = interrupts.any(|one| self.has(one.due));
        let loops = self.trace.loops(from, to);
        let spins = escape(&format!("▲▲ left spinning in {}", loops.join(", ")));
        let ran = spans.iter().filter(|span| span.state == State::Running);
        let busy: u64 = ran.map(|span| span.to.min(to) - span.from.max(from)).sum();
        let idle = busy < self.columns.part.length() * self.trace.pcpus as u64;
        let key = [
            (idle, "empty: idle"),
            (is_there(State::Waiting), "═ waits for a pcpu"),
            (is_there(State::Halted), "┄ halted"),
            (is_there(State::Paused), "╌ paused"),
            (locks, "orange: has the lock and no pcpu"),
            (!loops.is_empty(), &spins),
            (traps, "| trap"),
            (exits, "▲ exit"),
            (due, "▼ injection"),
            (traps, "○ device"),
            (self.has_bars, "bars: how many of these"),
            (due, "●▼ interrupt: due, taken"),
            (!is_known, "lined: the file was cut off, nobody knows"),
        ];
        let mut lines: Vec<String> = Vec::new();
        for (_, text) in key.into_iter().filter(|(is_there, _)| *is_there) {
            match lines.last_mut() {
                Some(line) if line.chars().count() + text.chars().count() < KEY => {
                    *line += " · ";
                    *line += text;
                }
                _ => lines.push(text.to_string()),
            }
        }
        for line in lines {
            let y = self.top + 10;
            self.put(format_args!(
                "<text class=\"f\" x=\"2\" y=\"{y}\">{line}</text>"
            ));
            self.top += 18;
        }
    }
}
