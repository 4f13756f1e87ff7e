//! What is to be seen where the run stands, as lines.

use super::layout::{fit, fit_number, wrap};
use super::screen::Row;
use crate::error::LabError;
use crate::session::{Session, Whereabouts, whereabouts, words};
use common::inspect::Walk;
use common::trace::VcpuName;
use common::{Gpr, disassemble};
use evidence::session::{Place, Scene};
use std::collections::BTreeMap;

/// A terminal must have so many columns and rows.
pub(super) const LEAST: (usize, usize) = (80, 24);

/// Where the guests with many vCPUs wait for a spin lock.
const SPIN_LOCK: &str = "spin_lock";

/// So many instructions are shown before the next one, and behind it.
const BEFORE: usize = 4;
const BEHIND: usize = 6;

/// The registers and the state take so many columns, if there are enough: two whole
/// registers side by side.
const RIGHT: usize = 43;

/// Who runs where, and what is said below, take no more lines.
const WHO: usize = 3;
const MESSAGE: usize = 3;

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
    lines.extend(who_runs(session, columns)?);
    let left = code(session)?;
    let narrow = RIGHT.min(columns * 9 / 20);
    let right = state(session, before, narrow);
    let wide = columns - narrow - 1;
    for number in 0..left.len().max(right.len()) {
        let [code, state] = [&left, &right].map(|side| side.get(number).map_or("", |line| line));
        let [code, state] = [fit(code, wide), fit(state, narrow)];
        lines.push(plain(format!("{code:<wide$} {state}")));
    }
    lines.push(marked(String::from(" what happened"), columns));
    let message = wrap(message.split(' '), " ", columns - 2, MESSAGE);
    let end = rows - message.len();
    let room = end.saturating_sub(lines.len());
    lines.extend(happened(session, room, columns));
    lines.resize(end, Row::default());
    lines.extend(
        message
            .iter()
            .map(|line| marked(format!(" {line}"), columns)),
    );
    Ok(lines)
}

/// What is shown instead of anything else in a terminal of this size, if it is too
/// small.
pub(super) fn too_small(size: (usize, usize)) -> Option<Vec<Row>> {
    let (columns, rows) = LEAST;
    (size.0 < columns || size.1 < rows).then(|| {
        vec![
            plain(format!("this terminal has {} x {}", size.0, size.1)),
            plain(format!("make it {columns} x {rows} or larger")),
            plain(String::from("(q quits)")),
        ]
    })
}

fn head(session: &Session, title: &str) -> String {
    let stop = session.stop();
    let vcpu = stop
        .vcpu
        .map(|name| format!("   {}", session.name_of(name)));
    let vcpu = vcpu.unwrap_or_default();
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

/// From version 5 on: who is on which physical CPU, who is on none, and who has the
/// lock of their guest.
fn who_runs(session: &mut Session, columns: usize) -> Result<Vec<Row>, LabError> {
    let there = whereabouts(session.news());
    if there.on.is_empty() {
        return Ok(Vec::new());
    }
    let locks = locks(session, &there)?;
    let lock = |name: VcpuName| locks.get(&name).copied().unwrap_or_default();
    let on = there.on.iter().map(|(pcpu, who)| match who {
        Some(name) => format!("cpu {pcpu}: {}{}", session.name_of(*name), lock(*name)),
        None => format!("cpu {pcpu}: nobody"),
    });
    let off = there
        .off()
        .map(|(name, what)| format!("{} {what}{}", session.name_of(name), lock(name)));
    let ended = there.ended().map(|vm| format!("vm {vm} ended"));
    let lines = wrap(on.chain(off).chain(ended), "   ", columns - 2, WHO);
    Ok(lines.iter().map(|line| plain(format!(" {line}"))).collect())
}

/// Who has a lock that the guest tells of, and who spins for it, in words.
fn locks(
    session: &mut Session,
    there: &Whereabouts,
) -> Result<BTreeMap<VcpuName, &'static str>, LabError> {
    let mut locks = BTreeMap::new();
    let vcpus = session.vcpus().to_vec();
    for name in vcpus {
        if there.ended().any(|vm| vm == name.vm) {
            continue;
        }
        match session.lock_owner(name.vm)? {
            Some(owner) if owner == name => drop(locks.insert(name, ", has the lock")),
            Some(_) if session.is_in(name, SPIN_LOCK)? => {
                locks.insert(name, ", wants the lock");
            }
            _ => {}
        }
    }
    Ok(locks)
}

/// The guest's code around the next instruction.
fn code(session: &mut Session) -> Result<Vec<String>, LabError> {
    let Some(scene) = session.stop().scene.clone() else {
        return Ok(vec![String::from(" no guest is on a physical CPU now")]);
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
        rows.push(format!(" {arrow} {place:<18} {text}"));
        at += length;
    }
    rows.drain(..here.saturating_sub(BEFORE));
    Ok(rows)
}

/// The registers and the state of the virtual CPU in so many columns; a star marks
/// what has changed.
fn state(session: &Session, before: Option<&Scene>, columns: usize) -> Vec<String> {
    let Some(scene) = &session.stop().scene else {
        return Vec::new();
    };
    let before = before.unwrap_or(scene);
    let star = |changed: bool| if changed { '*' } else { ' ' };
    let half = (columns - 1) / 2;
    let register = |register: Gpr| {
        let [old, new] = [before, scene].map(|scene| scene.registers.get(register));
        let value = fit_number(&format!("{new:x}"), half - 5);
        let text = format!("{}{:<3} {value}", star(old != new), register.name());
        format!("{text:<half$}")
    };
    let (low, high) = Gpr::ALL.split_at(8);
    let pairs = low.iter().zip(high);
    let mut lines: Vec<_> = pairs
        .map(|(left, right)| format!("{} {}", register(*left), register(*right)))
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
        if line.chars().count() + item.chars().count() > columns {
            lines.push(std::mem::take(&mut line));
        }
        line += item.trim_start_matches("  ");
        line += "  ";
    }
    lines.push(line);
    lines
}

/// The last news.
fn happened(session: &Session, most: usize, columns: usize) -> Vec<Row> {
    let mut rows = Vec::new();
    for news in session.news().iter().rev() {
        if rows.len() == most {
            break;
        }
        if let Some((who, what)) = session.in_words(news) {
            let time = crate::session::record(news)
                .map_or(String::new(), |record| record.time.to_string());
            let line = format!("{time:>12}  {who:<7} {what}");
            rows.push(plain(fit(&line, columns)));
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
        text: format!("{:<columns$}", fit(&text, columns)),
        marked: true,
    }
}
