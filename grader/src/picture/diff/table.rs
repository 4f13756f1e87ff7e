//! Two runs in two columns.

use super::{Row, monitors_view};
use crate::picture::trace::{Event, Trace};
use common::Time;

/// How rows are shown.
pub(super) struct Table<'a> {
    /// The two runs.
    pub(super) traces: [&'a Trace; 2],
    /// Whether time and place count, too.
    pub(super) is_exact: bool,
    /// So many letters has a cell.
    pub(super) column: usize,
}

impl Table<'_> {
    /// The first rows, so many lines of them.
    pub(super) fn of(&self, rows: &[Row<'_>], lines: usize) -> String {
        let column = self.column;
        let mut text = format!("\n{:column$}   {}\n", "A", "B");
        for row in rows.iter().take(lines) {
            let [left, right] = self.cells(*row);
            let line = format!("{left:column$} {} {right}", self.sign(*row));
            text += line.trim_end();
            text += "\n";
        }
        if rows.len() > lines {
            text += "(and so on)\n";
        }
        text + "\n"
    }

    fn sign(&self, row: Row<'_>) -> char {
        match row {
            (Some(a), Some(b)) if self.is_exact && a == b => ' ',
            (Some(a), Some(b)) if !self.is_exact && monitors_view(a) == monitors_view(b) => ' ',
            (Some(_), None) => '<',
            (None, Some(_)) => '>',
            _ => '|',
        }
    }

    /// Both cells of a row, none longer than its column. What is cut is their common
    /// beginning, if their difference would not be seen otherwise.
    fn cells(&self, (left, right): Row<'_>) -> [String; 2] {
        let moved = matches!((left, right), (Some(a), Some(b)) if is_only_elsewhere(a, b));
        let [one, other] = [left, right].map(|event| event.map(head));
        let [one_words, other_words] = [(left, 0), (right, 1)].map(|(event, side)| {
            event.map_or(String::new(), |event| self.words(event, side, moved))
        });
        let room = self.column.saturating_sub(HEAD);
        let same = match (&one, &other) {
            (Some(_), Some(_)) => common_words(&one_words, &other_words, room),
            _ => 0,
        };
        let cell = |head: Option<String>, words: String| {
            let words = match same {
                0 => words,
                same => format!("…{}", &words[same..]),
            };
            let all = head.unwrap_or_default() + &words;
            all.chars().take(self.column).collect()
        };
        [cell(one, one_words), cell(other, other_words)]
    }

    /// What happened, where in the guest, and to whom if there are many.
    fn words(&self, event: &Event, side: usize, moved: bool) -> String {
        let trace = self.traces[side];
        let who = match self.traces.iter().any(|trace| trace.vcpus().count() > 1) {
            true => format!("{} ", trace.vcpu_name(event.vm, event.vcpu)),
            false => String::new(),
        };
        let pcpu = match moved {
            true => format!("on pcpu {} ", event.pcpu),
            false => String::new(),
        };
        format!("{who}{pcpu}{} {}", event.text, event.place)
    }
}

/// Whether two events differ in nothing that is shown but their physical CPU.
fn is_only_elsewhere(one: &Event, other: &Event) -> bool {
    one.pcpu != other.pcpu && monitors_view(one) == monitors_view(other) && one.place == other.place
}

/// As long as a time and a kind with what stands between.
const HEAD: usize = 17;

fn head(event: &Event) -> String {
    format!("{:>9} {:6} ", Time(event.time), event.kind.name())
}

/// How many bytes of the beginning of two texts are left out so that where they begin
/// to differ is seen in so much room: whole words, and none if there is room enough.
fn common_words(one: &str, other: &str, room: usize) -> usize {
    let pairs = one.char_indices().zip(other.chars());
    let mut differ = pairs.skip_while(|((_, a), b)| a == b);
    let at = match differ.next() {
        Some(((at, _), _)) => at,
        None => one.len().min(other.len()),
    };
    if one == other {
        return 0;
    }
    let length = |text: &str| text[at..].find(' ').unwrap_or(text.len() - at);
    let word = one[..at].chars().count() + length(one).max(length(other));
    match word <= room {
        true => 0,
        false => one[..at].rfind(' ').map_or(0, |space| space + 1),
    }
}
