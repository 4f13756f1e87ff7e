//! The timeline for a terminal.

use super::part::{Columns, Part};
use super::share::Share;
use super::trace::{Count, Kind, Source, Span, State, Trace};
use crate::text::wrapped_to;
use common::Time;

/// How many interrupts that came late are told of.
const TOLD: usize = 5;
/// The narrowest picture that says anything.
const NARROWEST: usize = 40;

/// What happened in a part of a run, in lines of at most `width` letters (and not
/// fewer than 40).
pub fn text(trace: &Trace, part: Part, width: usize) -> String {
    let width = width.max(NARROWEST);
    let mut shown = head(trace, width);
    if trace.cut {
        let text = "the file was cut off: events are missing, and all else is of the whole run";
        shown += &wrapped_to(width, "", text);
    }
    shown += &lanes(trace, part, width);
    shown += &splits(trace, width);
    shown += &counts(trace, width);
    shown += &late(trace, width);
    shown += &locks(trace, width);
    if trace.missing > 0 {
        let missing = Time(trace.missing);
        let text =
            format!("{missing} events more were not recorded: the pictures end before the run did");
        shown += &format!("\n{}", wrapped_to(width, "", &text));
    }
    shown
}

fn head(trace: &Trace, width: usize) -> String {
    let (vms, pcpus) = (trace.vms.len(), trace.pcpus);
    let count = |number, noun| crate::text::count(number, noun);
    let text = format!(
        "{} on {}: {} on {}, {} ticks, {} events",
        trace.stage,
        trace.engine,
        count(vms, "VM"),
        count(pcpus, "pCPU"),
        Time(trace.until),
        Time(trace.events.len() as u64)
    );
    wrapped_to(width, "", &text) + &wrapped_to(width, "again: ", &trace.again) + "\n"
}

/// A letter for each vCPU.
fn letter(number: usize) -> char {
    const LETTERS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
    LETTERS
        .get(number)
        .map_or('?', |letter| char::from(*letter))
}

fn lanes(trace: &Trace, part: Part, width: usize) -> String {
    let vcpus: Vec<_> = trace.vcpus().collect();
    let names = vcpus.iter().map(|(vm, vcpu)| trace.vcpu_name(*vm, *vcpu));
    let label = names.map(|name| name.len()).max().unwrap_or(0).max(8) + 4;
    let columns = Columns {
        count: (width - label.min(width - 20)) as u64,
        part,
    };
    let mut text = ruler(&columns, label);
    for pcpu in 0..trace.pcpus {
        let letter_of = |span: &Span| {
            let index = vcpus.iter().position(|one| *one == (span.vm, span.vcpu));
            letter(index.unwrap_or(usize::MAX))
        };
        let lane: Vec<_> = trace
            .lane(pcpu)
            .into_iter()
            .map(|span| (span.from, span.to, letter_of(span)))
            .collect();
        text += &format!(
            "{:label$}{}\n",
            format!("pcpu {pcpu}"),
            columns.signs(&lane, '.').into_iter().collect::<String>()
        );
    }
    text += "\n";
    for (index, &(vm, vcpu)) in vcpus.iter().enumerate() {
        let name = format!("{} {}", letter(index), trace.vcpu_name(vm, vcpu));
        let line: String = signs(trace, &columns, vm, vcpu).into_iter().collect();
        text += format!("{name:label$}{line}").trim_end();
        text += "\n";
    }
    text += "\n";
    for kind in [Kind::Trap, Kind::Exit, Kind::Inject, Kind::Device] {
        text += &density(trace, kind, &columns, label);
    }
    let mut key = String::from("# runs, - waits for a pcpu, . halted");
    if trace.spans.iter().any(|span| span.state == State::Paused) {
        key += ", = paused";
    }
    let loops = trace.loops(part.from, part.to);
    if !loops.is_empty() {
        key += &format!(", s left spinning in {}", loops.join(" or "));
    }
    if !trace.holds.is_empty() {
        key += ", L has no pcpu and holds the lock";
    }
    key += "; below: how many of each kind, + for ten and more";
    text + "\n" + &wrapped_to(width, "", &key)
}

fn ruler(columns: &Columns, label: usize) -> String {
    let [from, to] = [columns.part.from, columns.part.to].map(|time| Time(time).to_string());
    let gap = (columns.count as usize).saturating_sub(from.len());
    format!("{:label$}{from}{to:>gap$}\n", "")
}

/// A line of what a vCPU did.
fn signs(trace: &Trace, columns: &Columns, vm: u32, vcpu: u8) -> Vec<char> {
    let mut signs = columns.signs(&states(trace, vm, vcpu), ' ');
    // Only of the end of a turn is it known that it spun.
    let turns = trace.spans_of(vm, vcpu).filter(|span| span.spins);
    for column in turns.filter_map(|span| columns.of(span.to.saturating_sub(1))) {
        if signs[column] == '#' {
            signs[column] = 's';
        }
    }
    signs
}

/// What a vCPU did when, with a sign for each.
pub(super) fn states(trace: &Trace, vm: u32, vcpu: u8) -> Vec<(u64, u64, char)> {
    let sign = |span: &Span| match span.state {
        State::Running => '#',
        _ if trace.has_lock(span) => 'L',
        State::Halted => '.',
        State::Paused => '=',
        State::Waiting => '-',
    };
    trace
        .spans_of(vm, vcpu)
        .map(|span| (span.from, span.to, sign(span)))
        .collect()
}

fn density(trace: &Trace, kind: Kind, columns: &Columns, label: usize) -> String {
    let mut counts = vec![0_u32; columns.count as usize];
    let events = trace.events.iter().filter(|event| event.kind == kind);
    for event in events {
        if let Some(column) = columns.of(event.time) {
            counts[column] += 1;
        }
    }
    if counts.iter().all(|count| *count == 0) {
        return String::new();
    }
    let signs = counts.iter().map(|count| match count {
        0 => ' ',
        1..10 => char::from_digit(*count, 10).unwrap_or('+'),
        _ => '+',
    });
    let name = match kind {
        Kind::Trap => "traps",
        Kind::Exit => "exits",
        Kind::Inject => "injected",
        Kind::Device => "devices",
    };
    let line = format!("{name:label$}{}", signs.collect::<String>());
    format!("{}\n", line.trim_end())
}

fn splits(trace: &Trace, width: usize) -> String {
    let shares = trace.vms.iter().enumerate();
    let shares = shares.map(|(number, vm)| format!("vm {number} {} {}", vm.name, trace.share(vm)));
    let shares: Vec<_> = shares.collect();
    let who = format!("{}; idle {}", shares.join(", "), trace.idle_share());
    let mut text = String::from("\n");
    text += &wrapped_to(width, "", "who got how much of all pCPU time, in percent");
    text += &wrapped_to(width, "  ", &who);
    let head = "where each VM's own time went, in percent of the lives of its vCPUs";
    text += &wrapped_to(width, "", head);
    for (number, vm) in trace.vms.iter().enumerate() {
        let all = vm.split.total();
        let parts = vm.split.parts();
        let parts = parts.iter().filter(|(_, ticks)| *ticks > 0);
        let parts: Vec<_> = parts
            .map(|&(name, part)| format!("{name} {}", Share { part, all }))
            .collect();
        let lead = format!("  vm {number} {}  ", vm.name);
        text += &wrapped_to(
            width,
            &lead,
            &format!("{}; {}", parts.join(", "), vm.ending),
        );
    }
    for pcpu in 0..trace.pcpus {
        let idle = Share {
            part: trace.idle(pcpu),
            all: trace.until,
        };
        text += &format!("  pcpu {pcpu}  idle {idle}\n");
    }
    text
}

fn counts(trace: &Trace, width: usize) -> String {
    let list = |counts: &[Count]| {
        let shown = counts
            .iter()
            .map(|one| format!("{} {}", Time(one.count), one.name));
        shown.collect::<Vec<_>>().join(", ")
    };
    let mut text = String::from("\n");
    for (number, vm) in trace.vms.iter().enumerate() {
        for (what, counts) in [("exits", &vm.exits), ("traps", &vm.traps)] {
            if !counts.is_empty() {
                let lead = format!("{what} of vm {number}  ");
                text += &wrapped_to(width, &lead, &list(counts));
            }
        }
    }
    text
}

/// The interrupts that came latest, and why.
fn late(trace: &Trace, width: usize) -> String {
    let mut late: Vec<_> = trace
        .interrupts
        .iter()
        .filter(|one| one.late().is_some_and(|late| late > 1))
        .collect();
    if trace.interrupts.is_empty() {
        return String::new();
    }
    let ipis = trace.interrupts.iter();
    let ipis = ipis.filter(|one| matches!(one.source, Source::Vcpu { .. }));
    let (ipis, all) = (ipis.count(), trace.interrupts.len());
    let count = |number, noun| crate::text::count(number, noun);
    let mut head = format!(
        "due: {} and {}; ",
        count(all - ipis, "tick"),
        count(ipis, "IPI")
    );
    head += &match late.len() {
        0 => String::from("each was delivered at once"),
        many => format!("{many} came late. The latest:"),
    };
    let mut text = format!("\n{}", wrapped_to(width, "", &head));
    late.sort_by_key(|one| std::cmp::Reverse(one.late()));
    for one in late.iter().take(TOLD) {
        let name = trace.vcpu_name(one.vm, one.vcpu);
        text += &wrapped_to(width, "  ", &format!("{name}: {}", one.words));
    }
    text
}

/// Who lost its physical CPU with a lock, and for how long.
fn locks(trace: &Trace, width: usize) -> String {
    let Some(longest) = trace.holds.iter().max_by_key(|hold| hold.to - hold.from) else {
        return String::new();
    };
    let all: u64 = trace.holds.iter().map(|hold| hold.to - hold.from).sum();
    let times = crate::text::count(trace.holds.len(), "time");
    let text = format!(
        "a vCPU was taken off its pcpu with the lock in its hand {times}, for {} ticks in all; the \
         longest: {} from {} to {}",
        Time(all),
        trace.vcpu_name(longest.vm, longest.vcpu),
        Time(longest.from),
        Time(longest.to)
    );
    format!("\n{}", wrapped_to(width, "", &text))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::picture::testing::example;

    #[test]
    fn the_timeline_shows_who_ran_who_waited_and_who_held_the_lock() {
        let shown = text(&example(), Part::whole(&example()), 100);
        let line = |lead: &str| {
            let line = shown.lines().find(|line| line.starts_with(lead));
            line.unwrap_or_else(|| panic!("no {lead} in\n{shown}"))
                .to_string()
        };
        let signs = |lead: &str| line(lead).split_whitespace().last().unwrap().to_string();
        assert!(signs("pcpu 0").starts_with("AAAAA"), "{shown}");
        assert!(signs("pcpu 0").contains("CCCCC"), "{shown}");
        assert!(signs("pcpu 0").ends_with("...."), "{shown}");
        assert!(signs("A vm 0 vcpu 0").contains("##LLL"), "{shown}");
        assert!(signs("B vm 0 vcpu 1").contains("---###"), "{shown}");
        assert!(signs("B vm 0 vcpu 1").ends_with("##s"), "{shown}");
        assert!(shown.contains("s left spinning in spin_lock"), "{shown}");
        assert!(shown.contains("500 later"), "{shown}");
        assert!(shown.contains("600 ticks in all"), "{shown}");
    }

    #[test]
    fn no_line_is_longer_than_the_terminal_is_wide() {
        for width in [40, 63, 100, 200] {
            let shown = text(&example(), Part::whole(&example()), width);
            let longest = shown.lines().map(|line| line.chars().count()).max();
            assert!(longest.unwrap() <= width, "{width}:\n{shown}");
        }
    }

    #[test]
    fn a_run_in_which_nothing_happened_has_a_picture() {
        let mut trace = example();
        trace.until = 0;
        (trace.spans, trace.interrupts) = (Vec::new(), Vec::new());
        (trace.holds, trace.events) = (Vec::new(), Vec::new());
        assert!(text(&trace, Part::whole(&trace), 80).contains("0 ticks, 0 events"));
    }
}
