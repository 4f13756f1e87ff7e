//! Who is on which physical CPU, and what the others wait for.

use common::Exit;
use common::trace::{Event, Record, VcpuName};
use std::collections::BTreeMap;

/// Where the vCPUs are, as far as the records say.
#[derive(Default)]
pub struct Whereabouts {
    /// Who is on each physical CPU.
    pub on: BTreeMap<usize, Option<VcpuName>>,
    /// Who has been on one, and what they are off it for: `waits` or `sleeps`.
    known: BTreeMap<VcpuName, &'static str>,
}

/// Where the vCPUs are after these records.
pub fn whereabouts<'a>(records: impl Iterator<Item = &'a Record>) -> Whereabouts {
    let Whereabouts { mut on, mut known } = Whereabouts::default();
    for record in records {
        match record.event {
            Event::Runs(name) => {
                if let Some(before) = on.insert(record.pcpu, Some(name)).flatten() {
                    known.entry(before).or_insert("waits");
                }
                known.insert(name, "waits");
            }
            Event::Idle => drop(on.insert(record.pcpu, None)),
            Event::Exit(exit) => {
                if let Some(Some(name)) = on.get(&record.pcpu) {
                    let sleeps = exit == Exit::Halted;
                    known.insert(*name, if sleeps { "sleeps" } else { "waits" });
                }
            }
            _ => {}
        }
    }
    Whereabouts { on, known }
}

impl Whereabouts {
    /// Who has been on a physical CPU and is on none now, and what for.
    pub fn off(&self) -> impl Iterator<Item = (VcpuName, &'static str)> {
        let is_on = |name: &VcpuName| self.on.values().any(|on| *on == Some(*name));
        let known = self.known.iter().map(|(name, what)| (*name, *what));
        known.filter(move |(name, _)| !is_on(name))
    }

    /// Where one vCPU is, in words.
    pub fn of(&self, name: VcpuName) -> String {
        let on = self.on.iter().find(|(_, who)| **who == Some(name));
        match (on, self.known.get(&name)) {
            (Some((pcpu, _)), _) => format!("on cpu {pcpu}"),
            (None, Some(what)) => (*what).to_string(),
            (None, None) => String::from("has not run yet"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use common::Time;

    #[test]
    fn who_halts_sleeps_who_loses_the_cpu_waits_and_who_never_came_has_not_run() {
        let name = |vm| VcpuName { vm, vcpu: 0 };
        let event = |pcpu, event| Record {
            time: Time(5),
            pcpu,
            rip: 0,
            event,
        };
        let records = [
            event(0, Event::Runs(name(0))),
            event(0, Event::Exit(Exit::Halted)),
            event(0, Event::Runs(name(1))),
            event(0, Event::Exit(Exit::Deadline)),
            event(0, Event::Runs(name(2))),
        ];
        let there = whereabouts(records.iter());
        let told = [0, 1, 2, 3].map(|vm| there.of(name(vm)));
        assert_eq!(told, ["sleeps", "waits", "on cpu 0", "has not run yet"]);
        assert_eq!(there.off().count(), 2);
    }
}
