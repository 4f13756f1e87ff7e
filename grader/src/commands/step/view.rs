//! What is to be seen where the run stands, as lines.

use super::screen::Row;
use crate::error::LabError;
use crate::session::{Session, whereabouts, words};
use common::inspect::Walk;
use common::{Gpr, disassemble};
use evidence::session::{Place, Scene};

/// A terminal must have so many columns and rows.
pub(super) const LEAST: (usize, usize) = (80, 24);

/// So many instructions are shown before the next one, and behind it.
const BEFORE: usize = 4;
const BEHIND: usize = 6;

/// Farther away the beginning of a function is not looked for.
const FARTHEST: u64 = 4096;

/// Everything on one screen. `before` is the guest at the last stop, to mark what
/// has changed since.
pub(super) fn screen(
    session: &mut Session,
    before: Option<&Scene>,
    title: &str,
    message: &str,
    (columns, rows): (usize, usize),
) -> Result<Vec<Row>, LabError> {
    let mut lines = vec![marked(head(session, title), columns)];
    lines.extend(who_runs(session));
    let left = code(session)?;
    let right = state(session, before);
    let half = columns / 2 + columns / 10;
    for number in 0..left.len().max(right.len()) {
        let nothing = Row::default();
        let code = left.get(number).unwrap_or(&nothing);
        let state = right.get(number).map_or("", String::as_str);
        let text: String = code.text.chars().take(half - 2).collect();
        lines.push(plain(format!("{text:<half$}{state}")));
    }
    lines.push(marked(String::from(" what happened"), columns));
    let room = rows.saturating_sub(lines.len() + 1);
    lines.extend(happened(session, room));
    lines.resize(rows - 1, Row::default());
    lines.push(marked(format!(" {message}"), columns));
    Ok(lines)
}

fn head(session: &Session, title: &str) -> String {
    let stop = session.stop();
    let vcpu = stop.vcpu.map_or(String::new(), |name| format!("   {name}"));
    let branch = match session.is_branch() {
        true => "   CHANGED (l returns to the recorded run)",
        false => "",
    };
    let over = if session.is_over() { "   over" } else { "" };
    format!(
        " {title}   time {}   cpu {}{vcpu}{over}{branch}",
        stop.time, stop.pcpu
    )
}

/// From version 5 on: who is on which physical CPU, and who is on none.
fn who_runs(session: &Session) -> Vec<Row> {
    let there = whereabouts(session.records());
    if there.on.is_empty() {
        return Vec::new();
    }
    let on = there.on.iter().map(|(pcpu, who)| match who {
        Some(name) => format!("cpu {pcpu}: {name}"),
        None => format!("cpu {pcpu}: nobody"),
    });
    let off = there.off().map(|(name, what)| format!("{name} {what}"));
    let all: Vec<_> = on.chain(off).collect();
    vec![plain(format!(" {}", all.join("   ")))]
}

/// The guest's code around the next instruction.
fn code(session: &mut Session) -> Result<Vec<Row>, LabError> {
    let Some(scene) = session.stop().scene.clone() else {
        return Ok(vec![plain(String::from(
            " no guest is on a physical CPU now",
        ))]);
    };
    let rip = scene.registers.rip;
    let symbols = session.symbols().clone();
    let offset = symbols.locate(rip).map_or(0, |(_, offset)| offset);
    let start = if offset <= FARTHEST {
        rip - offset
    } else {
        rip
    };
    let length = (rip - start) as usize + 15 * (BEHIND + 1);
    let bytes = session.read(Place::Virtual(start), length)?;
    let mut rows = Vec::new();
    let mut at = 0;
    let mut here = 0;
    while at < bytes.len() && rows.len() <= here + BEHIND {
        let address = start + at as u64;
        let (text, length) = disassemble(&bytes[at..], address, &symbols)
            .unwrap_or_else(|| (String::from("no instruction"), 1));
        let arrow = if address == rip { '▶' } else { ' ' };
        if address <= rip {
            here = rows.len();
        }
        let place = symbols.place(address).to_string();
        rows.push(plain(format!(" {arrow} {place:<18} {text}")));
        at += length;
    }
    rows.drain(..here.saturating_sub(BEFORE));
    Ok(rows)
}

/// The registers and the state of the virtual CPU; a star marks what has changed.
fn state(session: &Session, before: Option<&Scene>) -> Vec<String> {
    let Some(scene) = &session.stop().scene else {
        return Vec::new();
    };
    let before = before.unwrap_or(scene);
    let star = |changed: bool| if changed { '*' } else { ' ' };
    let register = |register: Gpr| {
        let [old, new] = [before, scene].map(|scene| scene.registers.get(register));
        format!("{}{:<3} {new:<18x}", star(old != new), register.name())
    };
    let (low, high) = Gpr::ALL.split_at(8);
    let pairs = low.iter().zip(high);
    let mut lines: Vec<_> = pairs
        .map(|(left, right)| format!("{}{}", register(*left), register(*right)))
        .collect();
    let flags = words::flag_names(scene.registers.flags);
    let changed = scene.registers.flags != before.registers.flags;
    lines.push(format!("{}flags {flags}", star(changed)));
    let mode = words::mode(scene);
    let mut line = format!(
        "{}mode {mode}",
        star(scene.kernel_view != before.kernel_view)
    );
    for (name, value) in &scene.state {
        let same = before
            .state
            .iter()
            .any(|(other, old)| other == name && old == value);
        let item = format!(
            "  {}{name} {value}",
            star(!same && !before.state.is_empty())
        );
        if line.chars().count() + item.chars().count() > 34 {
            lines.push(std::mem::take(&mut line));
        }
        line += item.trim_start_matches("  ");
        line += "  ";
    }
    lines.push(line);
    lines
}

/// The last news.
fn happened(session: &Session, most: usize) -> Vec<Row> {
    let symbols = session.symbols();
    let mut rows = Vec::new();
    for news in session.news().iter().rev() {
        if rows.len() == most {
            break;
        }
        if let Some((who, what)) = words::news(news, symbols) {
            let time = crate::session::record(news)
                .map_or(String::new(), |record| record.time.to_string());
            rows.push(plain(format!("{time:>12}  {who:<7} {what}")));
        }
    }
    rows.reverse();
    rows
}

/// The way of an address through the page tables, and what stands there.
pub(super) fn page(walk: &Walk, bytes: &[u8]) -> Vec<Row> {
    words::page(walk, bytes).into_iter().map(plain).collect()
}

pub(super) fn plain(text: String) -> Row {
    Row {
        text,
        marked: false,
    }
}

fn marked(text: String, columns: usize) -> Row {
    Row {
        text: format!("{text:<columns$}"),
        marked: true,
    }
}
