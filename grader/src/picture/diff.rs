//! Two runs side by side, from where they begin to differ.

use super::trace::{Event, Kind, Trace};
use common::Time;

mod table;

use table::Table;

/// So many events behind the first difference are matched with each other: enough
/// to see how two runs part, and few enough to be quick.
const WINDOW: usize = 400;

/// How two runs differ, and whether they are equal. `names` are those of their
/// files; at most `lines` rows are shown, in at most `width` letters each.
///
/// Two engines do not see the same: then only what the monitor sees is compared,
/// and neither time nor place.
pub fn diff(
    one: &Trace,
    other: &Trace,
    names: &[String; 2],
    lines: usize,
    width: usize,
) -> (String, bool) {
    let is_exact = one.engine == other.engine;
    let [one_events, other_events] = [one, other].map(|trace| comparable(trace, is_exact));
    let same = |a: &Event, b: &Event| match is_exact {
        true => a == b,
        false => monitors_view(a) == monitors_view(b),
    };
    let pairs = one_events.iter().zip(&other_events);
    let equal = pairs.take_while(|(a, b)| same(a, b)).count();
    let mut text = String::new();
    for (sign, (trace, name)) in ["A", "B"].iter().zip([one, other].iter().zip(names)) {
        text += &format!("{sign}: {name}  {}\n", trace.again);
    }
    if !is_exact {
        text += &format!(
            "({} and {} see different things: compared are exits, interrupts and devices, without \
             time and place)\n",
            one.engine, other.engine
        );
    }
    if one.stage != other.stage {
        text += &format!(
            "(these are two versions, {} and {}: they are meant to differ)\n",
            one.stage, other.stage
        );
    }
    text += &format!("\nequal: {}\n", summary(&one_events[..equal]));
    let is_whole = equal == one_events.len() && equal == other_events.len();
    let endings = |trace: &Trace| -> Vec<_> {
        let vms = trace.vms.iter();
        vms.map(|vm| vm.ending.clone()).collect()
    };
    if is_whole && endings(one) == endings(other) {
        let missing = one.missing + other.missing;
        if missing > 0 {
            text += "what was not recorded may differ\n";
        }
        return (text + "the two do not differ\n", true);
    }
    let rest = [&one_events[equal..], &other_events[equal..]];
    let rows = align(rest[0], rest[1], &same);
    text += &Table {
        traces: [one, other],
        is_exact,
        column: (width.max(60) - 3) / 2,
    }
    .of(&rows, lines);
    for (sign, trace) in ["A", "B"].iter().zip([one, other]) {
        text += &format!(
            "{sign} ends at {}: {}\n",
            Time(trace.until),
            endings(trace).join("; ")
        );
    }
    (text, false)
}

fn comparable(trace: &Trace, is_exact: bool) -> Vec<&Event> {
    let events = trace.events.iter();
    events
        .filter(|event| is_exact || event.kind != Kind::Trap && !is_of_the_engine(event))
        .collect()
}

/// When these come depends on how an engine measures time.
fn is_of_the_engine(event: &Event) -> bool {
    event.kind == Kind::Exit && ["deadline", "window-open", "kicked"].contains(&&*event.name)
}

/// What the monitor sees of an event.
fn monitors_view(event: &Event) -> (u32, u8, Kind, &str) {
    let Event {
        vm,
        vcpu,
        kind,
        ref text,
        ..
    } = *event;
    (vm, vcpu, kind, text)
}

fn summary(events: &[&Event]) -> String {
    let Some(last) = events.last() else {
        return String::from("nothing; they differ from the first event on");
    };
    let of = |kind| events.iter().filter(|event| event.kind == kind).count();
    format!(
        "{} events up to {} ({}, {}, {}, {})",
        Time(events.len() as u64),
        Time(last.time),
        crate::text::count(of(Kind::Trap), "trap"),
        crate::text::count(of(Kind::Exit), "exit"),
        crate::text::count(of(Kind::Inject), "injection"),
        match of(Kind::Device) {
            1 => String::from("1 device access"),
            many => format!("{many} device accesses"),
        }
    )
}

/// One row: an event of either, or of both.
type Row<'a> = (Option<&'a Event>, Option<&'a Event>);

/// Puts equal events beside each other, as many as can be in their order (the
/// longest common subsequence).
fn align<'a>(
    one: &[&'a Event],
    other: &[&'a Event],
    same: &dyn Fn(&Event, &Event) -> bool,
) -> Vec<Row<'a>> {
    let one = &one[..one.len().min(WINDOW)];
    let other = &other[..other.len().min(WINDOW)];
    // How many can be matched from here on.
    let mut most = vec![vec![0_u16; other.len() + 1]; one.len() + 1];
    for a in (0..one.len()).rev() {
        for b in (0..other.len()).rev() {
            most[a][b] = match same(one[a], other[b]) {
                true => most[a + 1][b + 1] + 1,
                false => most[a + 1][b].max(most[a][b + 1]),
            };
        }
    }
    let (mut a, mut b, mut rows) = (0, 0, Vec::new());
    while a < one.len() || b < other.len() {
        let row = match (one.get(a), other.get(b)) {
            (Some(left), Some(right)) if same(left, right) => (Some(*left), Some(*right)),
            // Two that have nothing to do with each other stand in one row, too.
            (Some(left), Some(right)) if most[a + 1][b + 1] == most[a][b] => {
                (Some(*left), Some(*right))
            }
            (Some(left), Some(_)) if most[a + 1][b] >= most[a][b + 1] => (Some(*left), None),
            (Some(left), None) => (Some(*left), None),
            (_, right) => (None, right.copied()),
        };
        a += usize::from(row.0.is_some());
        b += usize::from(row.1.is_some());
        rows.push(row);
    }
    rows
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::picture::testing::example;

    fn names() -> [String; 2] {
        ["a.json", "b.json"].map(String::from)
    }

    #[test]
    fn a_trace_does_not_differ_from_itself() {
        let (text, are_equal) = diff(&example(), &example(), &names(), 10, 100);
        assert!(are_equal, "{text}");
        assert!(text.contains("equal: 4 events up to 900"), "{text}");
    }

    #[test]
    fn what_is_equal_is_summed_up_and_the_rest_stands_side_by_side() {
        let mut other = example();
        other.events[2].text = String::from("apic command <- 0x41");
        other.events.remove(3);
        let (text, are_equal) = diff(&example(), &other, &names(), 10, 120);
        assert!(!are_equal);
        assert!(
            text.contains("equal: 2 events up to 300 (1 trap, 1 exit"),
            "{text}"
        );
        let row = text.lines().find(|line| line.contains("0x40")).unwrap();
        assert!(row.contains(" | ") && row.contains("0x41"), "{text}");
        let row = text
            .lines()
            .find(|line| line.contains("vector 32"))
            .unwrap();
        assert!(row.trim_end().ends_with('<'), "{text}");
    }

    #[test]
    fn an_event_that_one_run_has_more_does_not_shift_the_others_apart() {
        let mut other = example();
        other.events.remove(1);
        let (text, _) = diff(&example(), &other, &names(), 10, 120);
        let row = text.lines().find(|line| line.contains("0x40")).unwrap();
        assert_eq!(row.matches("0x40").count(), 2, "{text}");
    }

    #[test]
    fn of_two_engines_only_what_the_monitor_sees_is_compared() {
        let mut other = example();
        other.engine = String::from("kvm");
        other.events.remove(0); // a trap
        for event in &mut other.events {
            event.time += 7;
            event.place = String::new();
        }
        let (text, are_equal) = diff(&example(), &other, &names(), 10, 100);
        assert!(are_equal, "{text}");
        other.events.pop();
        assert!(!diff(&example(), &other, &names(), 10, 100).1);
    }

    #[test]
    fn an_ending_of_its_own_is_a_difference() {
        let mut other = example();
        other.vms[0].ending = String::from("the guest halted for ever");
        let (text, are_equal) = diff(&example(), &other, &names(), 10, 100);
        assert!(!are_equal && text.contains("halted for ever"), "{text}");
    }

    #[test]
    fn of_two_that_differ_late_the_common_beginning_is_cut_and_not_the_difference() {
        let texts = ["0x10", "0x20"].map(|value| {
            let mut trace = example();
            trace.events[2].text = format!("mmio: write dword to the task priority <- {value}");
            trace
        });
        let (text, _) = diff(&texts[0], &texts[1], &names(), 10, 100);
        let row = text.lines().find(|line| line.contains(" | "));
        let row = row.unwrap_or_else(|| panic!("no row in {text}"));
        assert!(row.contains("…0x10") && row.contains("…0x20"), "{text}");
        assert!(row.chars().count() <= 100, "{row}");
    }

    #[test]
    fn that_something_happened_to_another_vcpu_or_elsewhere_is_seen() {
        let mut other = example();
        other.events[1].vcpu = 1;
        other.events[2].pcpu = 1;
        let (text, _) = diff(&example(), &other, &names(), 10, 120);
        for difference in [
            "vm 0 vcpu 0 deadline",
            "vm 0 vcpu 1 deadline",
            "on pcpu 0",
            "on pcpu 1",
        ] {
            assert!(text.contains(difference), "{difference}: {text}");
        }
    }

    #[test]
    fn that_two_versions_are_compared_is_said() {
        let mut other = example();
        other.stage = String::from("v6");
        let (text, _) = diff(&example(), &other, &names(), 10, 100);
        assert!(text.contains("two versions, v7 and v6"), "{text}");
    }
}
