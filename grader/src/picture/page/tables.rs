//! The tables of the page, in words and numbers for those who cannot see the picture.

use crate::export::escape;
use crate::picture::Vm;
use crate::picture::share::Share;
use crate::picture::trace::Trace;
use common::Time;

/// So many rows of what came late are shown.
const LATE: usize = 20;

/// Who got how much of the physical CPUs, and what each VM's vCPUs did.
pub(super) fn splits(trace: &Trace) -> String {
    let row = |(number, vm): (usize, &Vm)| {
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

/// For how long nobody ran on each physical CPU.
pub(super) fn idle(trace: &Trace) -> String {
    let row = |pcpu| {
        let idle = Share {
            part: trace.idle(pcpu),
            all: trace.until,
        };
        format!("<tr><td>pcpu {pcpu}</td><td class=\"n\">{idle}</td></tr>\n")
    };
    (0..trace.pcpus).map(row).collect()
}

/// How often each VM left the guest, and why.
pub(super) fn counts(trace: &Trace) -> String {
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
pub(super) struct Late {
    /// How many there are, in words.
    pub(super) caption: String,
    /// Those of which each row tells, if there are any.
    pub(super) table: String,
}

impl Late {
    pub(super) fn of(trace: &Trace) -> Late {
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
