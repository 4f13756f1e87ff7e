//! The recorder of one physical CPU.

use super::{Event, Histogram, Record, VcpuName};
use crate::Time;

/// How many of the last events are always kept.
const RING: usize = 64;

/// Keeps the last events always, counts exits always, and hands every event
/// to a sink when one is set.
pub struct Recorder {
    pcpu: usize,
    rip: u64,
    /// Who was last said to run here, if anybody has said so.
    running: Option<Option<VcpuName>>,
    ring: Vec<Record>,
    /// Which of a full ring is the oldest: the next one takes its place.
    oldest: usize,
    histogram: Histogram,
    sink: Option<Sink>,
}

/// Takes every event as it happens.
pub type Sink = Box<dyn FnMut(&Record) + Send>;

impl Recorder {
    /// An empty recorder of physical CPU `pcpu`, without a sink.
    pub fn new(pcpu: usize) -> Recorder {
        Recorder {
            pcpu,
            rip: 0,
            running: None,
            ring: Vec::with_capacity(RING),
            oldest: 0,
            histogram: Histogram::default(),
            sink: None,
        }
    }

    /// From now on hands every event to `sink` too.
    pub fn record_all(&mut self, sink: Sink) {
        self.sink = Some(sink);
    }

    /// Sets the guest address at which the next events happen.
    pub(crate) fn at(&mut self, rip: u64) {
        self.rip = rip;
    }

    /// Says which vCPU runs here from now on; `None` if nobody does.
    ///
    /// It is recorded when it changes. Nothing else depends on it.
    pub fn runs(&mut self, now: Time, vcpu: Option<VcpuName>) {
        if self.running == Some(vcpu) {
            return;
        }
        self.running = Some(vcpu);
        self.record(now, vcpu.map_or(Event::Idle, Event::Runs));
    }

    /// Records one event at `time`.
    pub(crate) fn record(&mut self, time: Time, event: Event) {
        let record = Record {
            time,
            pcpu: self.pcpu,
            rip: self.rip,
            event,
        };
        if let Event::Exit(exit) = event {
            self.histogram.count(exit);
        }
        if self.ring.len() < RING {
            self.ring.push(record);
        } else {
            self.ring[self.oldest] = record;
            self.oldest = (self.oldest + 1) % RING;
        }
        if let Some(sink) = &mut self.sink {
            sink(&record);
        }
    }

    /// The last events, oldest first.
    pub fn last(&self) -> impl DoubleEndedIterator<Item = &Record> {
        let (newer, older) = self.ring.split_at(self.oldest);
        older.iter().chain(newer)
    }

    /// How many exits of each kind there were.
    pub fn histogram(&self) -> &Histogram {
        &self.histogram
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Exit;

    #[test]
    fn only_the_last_events_are_kept_and_all_exits_counted() {
        let mut recorder = Recorder::new(0);
        for time in 0..1000 {
            recorder.record(Time(time), Event::Exit(Exit::Deadline));
        }
        let last: Vec<_> = recorder.last().map(|record| record.time.0).collect();
        let expected: Vec<_> = (1000 - RING as u64..1000).collect();
        assert_eq!(last, expected);
        assert_eq!(
            recorder.histogram().iter().collect::<Vec<_>>(),
            [("deadline", 1000)]
        );
    }

    #[test]
    fn a_sink_sees_every_event() {
        let (sender, receiver) = std::sync::mpsc::channel();
        let mut recorder = Recorder::new(3);
        recorder.record_all(Box::new(move |record| sender.send(*record).unwrap()));
        recorder.at(0x1000);
        recorder.record(Time(5), Event::Inject(32));
        let record = receiver.try_recv().unwrap();
        assert_eq!(
            (record.pcpu, record.rip, record.event),
            (3, 0x1000, Event::Inject(32))
        );
    }

    #[test]
    fn who_runs_is_recorded_when_it_changes() {
        let name = |vm| Some(VcpuName { vm, vcpu: 0 });
        let mut recorder = Recorder::new(0);
        for vcpu in [name(1), name(1), name(2), None, None, name(2)] {
            recorder.runs(Time::ZERO, vcpu);
        }
        let events: Vec<_> = recorder.last().map(|record| record.event).collect();
        let runs = |vm| Event::Runs(VcpuName { vm, vcpu: 0 });
        assert_eq!(events, [runs(1), runs(2), Event::Idle, runs(2)]);
    }
}
