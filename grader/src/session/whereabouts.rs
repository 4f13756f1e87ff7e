//! Who is on which physical CPU, what the others wait for, and who has ended.

use super::record;
use common::Exit;
use common::trace::{Event, Record, VcpuName};
use evidence::host::{Deed, Frame};
use evidence::session::{News, What};
use std::collections::{BTreeMap, BTreeSet};

/// Where the vCPUs are, as far as the news say.
#[derive(Default)]
pub struct Whereabouts {
    /// Who is on each physical CPU.
    pub on: BTreeMap<usize, Option<VcpuName>>,
    /// Who has been on one, and what they are off it for: `waits` or `sleeps`.
    known: BTreeMap<VcpuName, &'static str>,
    /// The VMs that run no more.
    ended: BTreeSet<u32>,
}

/// Where the vCPUs are after these news.
pub fn whereabouts<'a>(news: impl IntoIterator<Item = &'a News>) -> Whereabouts {
    let mut there = Whereabouts::default();
    for news in news {
        match (&news.what, record(news)) {
            (_, Some(record)) => there.hear(record),
            (What::Many(frame), None) => there.learn(frame),
            _ => {}
        }
    }
    there
}

impl Whereabouts {
    /// Who has been on a physical CPU and is on none now, and what for. Who has
    /// ended is none of them.
    pub fn off(&self) -> impl Iterator<Item = (VcpuName, &'static str)> {
        let is_on = |name: &VcpuName| self.on.values().any(|on| *on == Some(*name));
        let known = self.known.iter().map(|(name, what)| (*name, *what));
        known.filter(move |(name, _)| !is_on(name) && !self.ended.contains(&name.vm))
    }

    /// The VMs that run no more.
    pub fn ended(&self) -> impl Iterator<Item = u32> {
        self.ended.iter().copied()
    }

    /// Where one vCPU is, in words.
    pub fn of(&self, name: VcpuName) -> String {
        let on = self.on.iter().find(|(_, who)| **who == Some(name));
        match (on, self.known.get(&name)) {
            (Some((pcpu, _)), _) => format!("on cpu {pcpu}"),
            (None, _) if self.ended.contains(&name.vm) => String::from("ended"),
            (None, Some(what)) => (*what).to_string(),
            (None, None) => String::from("has not run yet"),
        }
    }

    /// The machine saw something.
    fn hear(&mut self, record: &Record) {
        match record.event {
            Event::Runs(name) => {
                if let Some(before) = self.on.insert(record.pcpu, Some(name)).flatten() {
                    self.known.entry(before).or_insert("waits");
                }
                self.known.insert(name, "waits");
            }
            Event::Idle => drop(self.on.insert(record.pcpu, None)),
            Event::Exit(exit) => {
                if let Some(Some(name)) = self.on.get(&record.pcpu) {
                    let sleeps = exit == Exit::Halted;
                    self.known
                        .insert(*name, if sleeps { "sleeps" } else { "waits" });
                }
            }
            _ => {}
        }
    }

    /// The version says something.
    fn learn(&mut self, frame: &Frame) {
        match frame {
            Frame::Ended(ended) => drop(self.ended.insert(ended.vm)),
            Frame::CarriedOut(done) if done.refused.is_none() => {
                if let Deed::Destroy(vm) = done.deed {
                    self.ended.insert(vm);
                }
            }
            // Nobody comes off a physical CPU any more, and nobody runs there.
            Frame::End(_) => self.on.values_mut().for_each(|who| *who = None),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use common::{Ending, Time};
    use evidence::host::{End, Ended};

    fn name(vm: u32) -> VcpuName {
        VcpuName { vm, vcpu: 0 }
    }

    fn news(frame: Frame) -> News {
        News {
            position: 0,
            what: What::Many(frame),
        }
    }

    fn event(pcpu: usize, event: Event) -> News {
        news(Frame::Record(Record {
            time: Time(5),
            pcpu,
            rip: 0,
            event,
        }))
    }

    #[test]
    fn who_halts_sleeps_who_loses_the_cpu_waits_and_who_never_came_has_not_run() {
        let there = whereabouts(&[
            event(0, Event::Runs(name(0))),
            event(0, Event::Exit(Exit::Halted)),
            event(0, Event::Runs(name(1))),
            event(0, Event::Exit(Exit::Deadline)),
            event(0, Event::Runs(name(2))),
        ]);
        let told = [0, 1, 2, 3].map(|vm| there.of(name(vm)));
        assert_eq!(told, ["sleeps", "waits", "on cpu 0", "has not run yet"]);
        assert_eq!(there.off().count(), 2);
    }

    #[test]
    fn who_has_ended_neither_waits_nor_sleeps() {
        let ended = |vm| {
            news(Frame::Ended(Ended {
                vm,
                time: Time(5),
                ending: Ending::Halted,
            }))
        };
        let mut news_of_two = vec![
            event(0, Event::Runs(name(0))),
            event(0, Event::Exit(Exit::Halted)),
            ended(0),
            event(0, Event::Runs(name(1))),
            event(0, Event::Exit(Exit::Halted)),
            ended(1),
        ];
        let there = whereabouts(&news_of_two);
        assert_eq!([0, 1].map(|vm| there.of(name(vm))), ["ended", "on cpu 0"]);

        news_of_two.push(news(Frame::End(End {
            outcome: None,
            clocks: vec![Time(5)],
            records: 4,
            measured: None,
        })));
        let there = whereabouts(&news_of_two);
        assert_eq!([0, 1].map(|vm| there.of(name(vm))), ["ended", "ended"]);
        assert_eq!(there.off().count(), 0);
        assert_eq!(there.ended().collect::<Vec<_>>(), [0, 1]);
    }
}
