//! Spans of time in a run: who was where, and where nobody was.

use crate::checks::HostRun;
use common::Time;

/// From one time to another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Span {
    pub(super) from: u64,
    pub(super) to: u64,
}

impl Span {
    /// What two have in common.
    pub(super) fn and(self, other: Span) -> Option<Span> {
        let (from, to) = (self.from.max(other.from), self.to.min(other.to));
        (from < to).then_some(Span { from, to })
    }

    pub(super) fn length(self) -> u64 {
        self.to - self.from
    }
}

/// When a VM was on no physical CPU, from its start until its end or the run's.
/// For one that never sleeps: when it waited.
pub(super) fn away(run: &HostRun, vm: u32) -> Vec<Span> {
    let start = run.order.vms[vm as usize].setup.start;
    let stays = run.stays().into_iter().filter(|stay| stay.vcpu.vm == vm);
    let stays = stays.map(|stay| (stay.from, stay.to)).collect();
    gaps(start, run.ended_at(vm).unwrap_or(over(run)), stays)
}

/// When nobody was on a physical CPU, until the run's end.
pub(super) fn idle(run: &HostRun, pcpu: usize) -> Vec<Span> {
    let stays = run.stays().into_iter().filter(|stay| stay.pcpu == pcpu);
    let stays = stays.map(|stay| (stay.from, stay.to)).collect();
    gaps(Time::ZERO, over(run), stays)
}

/// For how long a VM was on physical CPUs within a span.
pub(super) fn ran_within(run: &HostRun, vm: u32, within: Span) -> u64 {
    let stays = run.stays().into_iter().filter(|stay| stay.vcpu.vm == vm);
    let spans = stays.filter_map(|stay| {
        let (from, to) = (stay.from.0, stay.to.0);
        Span {
            from,
            to: to.max(from),
        }
        .and(within)
    });
    spans.map(Span::length).sum()
}

/// When the last physical CPU stopped.
fn over(run: &HostRun) -> Time {
    let end = run.evidence().end.as_ref();
    let clocks = end.map(|end| end.clocks.as_slice()).unwrap_or_default();
    clocks.iter().copied().max().unwrap_or(Time::ZERO)
}

/// What is left between `from` and `to` of these, which come in the order of
/// their beginnings.
fn gaps(from: Time, to: Time, taken: Vec<(Time, Time)>) -> Vec<Span> {
    let mut gaps = Vec::new();
    let mut free = from;
    for (begin, end) in taken.into_iter().chain([(to, to)]) {
        let begin = begin.min(to);
        if begin > free {
            let (from, to) = (free.0, begin.0);
            gaps.push(Span { from, to });
        }
        free = free.max(end);
    }
    gaps
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gaps_are_what_nobody_has_taken() {
        let taken = [(5, 10), (12, 20), (15, 18), (40, 60)];
        let taken = taken.map(|(from, to)| (Time(from), Time(to)));
        let gaps = gaps(Time(7), Time(50), taken.to_vec());
        let span = |from, to| Span { from, to };
        assert_eq!(gaps, [span(10, 12), span(20, 40)]);
    }

    #[test]
    fn spans_that_only_touch_have_nothing_in_common() {
        let span = |from, to| Span { from, to };
        assert_eq!(span(1, 5).and(span(5, 9)), None);
        assert_eq!(span(1, 6).and(span(5, 9)), Some(span(5, 6)));
    }
}
