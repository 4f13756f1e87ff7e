//! The records of many VMs: whose they are, and how they read.

use crate::text::KVM_TRACE;
use common::Image;
use common::trace::{Event, Record, Text, VcpuName};
use evidence::Engine;
use std::collections::BTreeMap;

/// Each record with the vCPU that it belongs to: the one that ran on the record's
/// physical CPU. (That of [`Event::Idle`] is nobody's.)
pub fn owned(records: &[Record]) -> impl Iterator<Item = (Option<VcpuName>, &Record)> {
    let mut running = BTreeMap::new();
    records.iter().map(move |record| {
        match record.event {
            Event::Runs(name) => drop(running.insert(record.pcpu, name)),
            Event::Idle => drop(running.remove(&record.pcpu)),
            _ => {}
        }
        (running.get(&record.pcpu).copied(), record)
    })
}

/// The host that records come from, for whoever puts them into words.
#[derive(Clone, Copy)]
pub struct Host<'a> {
    /// The guests of its VMs, for their symbols.
    pub images: &'a [Image],
    /// How many physical CPUs it has.
    pub pcpus: usize,
    /// What runs the VMs.
    pub engine: Engine,
}

/// One record on one line, with the names of the VM that it belongs to.
pub fn line(vcpu: Option<VcpuName>, record: &Record, host: Host<'_>) -> String {
    let nobody = Default::default();
    let image = vcpu.and_then(|name| host.images.get(name.vm as usize));
    let text = Text::new(image.map_or(&nobody, |image| &image.symbols));
    let text = match host.pcpus {
        1 => text,
        _ => text.with_pcpus(),
    };
    let mut line = text.line(record);
    if vcpu.is_none() || host.engine == Engine::Kvm {
        line.place.clear();
    }
    line.to_string().trim_end().to_string()
}

/// All records, one on a line, with a header.
pub fn all(records: &[Record], host: Host<'_>) -> String {
    let nobody = Default::default();
    let header = match host.pcpus {
        1 => Text::new(&nobody).header(),
        _ => Text::new(&nobody).with_pcpus().header(),
    };
    let lines = owned(records).map(|(vcpu, record)| line(vcpu, record, host));
    let lead = match host.engine {
        Engine::Interp => header.to_string(),
        Engine::Kvm => format!("{KVM_TRACE}{header}"),
    };
    std::iter::once(lead)
        .chain(lines)
        .map(|line| line + "\n")
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use common::Time;

    #[test]
    fn a_record_belongs_to_who_runs_on_its_physical_cpu() {
        let name = |vm| VcpuName { vm, vcpu: 0 };
        let record = |pcpu, event| Record {
            time: Time(1),
            pcpu,
            rip: 0,
            event,
        };
        let tick = Event::Inject(32);
        let records = [
            record(0, Event::Runs(name(3))),
            record(1, Event::Runs(name(5))),
            record(0, tick),
            record(1, tick),
            record(0, Event::Idle),
            record(0, tick),
        ];
        let owners: Vec<_> = owned(&records)
            .map(|(name, _)| name.map(|name| name.vm))
            .collect();
        assert_eq!(owners, [Some(3), Some(5), Some(3), Some(5), None, None]);
    }
}
