//! Makes a trace of what a run left.

use super::count;
use super::interrupts;
use super::spans::{self, Life, Machine, Moment};
use super::trace::{Event as Shown, Kind, SCHEMA, Symbol, Trace, Vm};
use crate::fate::Fate;
use crate::host_order::HostObservation;
use crate::host_trace;
use crate::observation::Observation;
use crate::vm_fate::VmFate;
use common::trace::{Device, Event, Record, Text, VcpuName};
use common::{Image, Symbols};
use evidence::host::{Deed, RunEvidence};
use evidence::{Engine, trap_kind};

/// What is said about a VM beside its records.
struct Label {
    name: String,
    weight: u32,
    ending: String,
}

/// The trace of a run of one guest called `name`, which `again` makes again.
pub fn of_guest(run: &Observation, stage: &str, name: &str, again: &str) -> Trace {
    let records = &run.evidence.records;
    let end = run.evidence.end.as_ref();
    let last = records.last().map_or(0, |record| record.time.0);
    let missing = end.map_or(0, |end| end.records.saturating_sub(records.len() as u64));
    // Behind the last record nobody knows what was.
    let until = match missing {
        0 => end.map_or(last, |end| end.now.0).max(last),
        _ => last,
    };
    let alone = Some(VcpuName { vm: 0, vcpu: 0 });
    let machine = Machine {
        moments: records.iter().map(|record| moment(alone, record)).collect(),
        vms: vec![Life {
            image: &run.image,
            vcpus: 1,
            start: Some(0),
            end: Some(until),
            pauses: Vec::new(),
            holds: Vec::new(),
        }],
        until,
        has_places: run.scenario.engine == Engine::Interp,
    };
    let label = Label {
        name: name.to_string(),
        weight: 100,
        ending: Fate::of(run).to_string(),
    };
    let mut trace = gather(&machine, run.scenario.engine, 1, &[label]);
    trace.stage = stage.to_string();
    trace.again = again.to_string();
    trace.missing = missing;
    trace
}

/// The trace of the last run of many VMs.
pub fn of_host(observation: &HostObservation, stage: &str) -> Trace {
    let nothing = RunEvidence::default();
    let run = observation.evidence.runs.last().unwrap_or(&nothing);
    let last = run.records.iter().map(|record| record.time.0).max();
    let seen = run.end.as_ref().map_or(0, |end| end.records);
    let missing = seen.saturating_sub(run.records.len() as u64);
    let clocks = run.end.iter().flat_map(|end| &end.clocks);
    // Behind the last record nobody knows what was.
    let until = match missing {
        0 => clocks.map(|clock| clock.0).max().max(last),
        _ => last,
    };
    let until = until.unwrap_or(0);
    let order = &observation.order;
    let images = (0..).zip(&observation.images);
    let lives =
        images.map(|(vm, image)| life(run, vm, image, order.vms[vm as usize].setup.vcpus, until));
    let machine = Machine {
        moments: host_trace::owned(&run.records)
            .map(|(vcpu, record)| moment(vcpu, record))
            .collect(),
        vms: lives.collect(),
        until,
        has_places: order.scenario.engine == Engine::Interp,
    };
    let labels: Vec<_> = (0..)
        .zip(&order.vms)
        .map(|(vm, one)| Label {
            name: one.name.clone(),
            weight: one.setup.weight,
            ending: VmFate::of(run, vm).to_string(),
        })
        .collect();
    let mut trace = gather(
        &machine,
        order.scenario.engine,
        order.scenario.pcpus,
        &labels,
    );
    trace.stage = stage.to_string();
    let again = order.command(stage);
    trace.again = again.replacen("cargo lab run", "cargo lab trace", 1);
    trace.missing = missing;
    trace
}

fn moment(vcpu: Option<VcpuName>, record: &Record) -> Moment {
    Moment {
        time: record.time.0,
        pcpu: record.pcpu,
        rip: record.rip,
        vcpu,
        event: record.event,
    }
}

/// What was done with a VM from outside.
fn life<'a>(run: &RunEvidence, vm: u32, image: &'a Image, vcpus: u8, until: u64) -> Life<'a> {
    let done = run.commands.iter().filter(|one| one.refused.is_none());
    let done = done.filter(|one| one.deed.vm() == Some(vm));
    let (mut start, mut pauses) = (None, Vec::<(u64, u64)>::new());
    for one in done {
        match one.deed {
            Deed::Start(_) => start = Some(one.time.0),
            Deed::Pause(_) => pauses.push((one.time.0, until)),
            Deed::Resume(_) => {
                if let Some(pause) = pauses.last_mut() {
                    pause.1 = one.time.0;
                }
            }
            _ => {}
        }
    }
    let ended = run.ended.iter().find(|ended| ended.vm == vm);
    let holds = run.holds.iter().filter(|one| one.vcpu.vm == vm);
    let mut holds: Vec<_> = holds.map(|one| (one.vcpu.vcpu, one.time.0)).collect();
    holds.sort_unstable();
    Life {
        image,
        vcpus,
        start,
        end: ended.map(|ended| ended.time.0.min(until)),
        pauses,
        holds,
    }
}

fn gather(machine: &Machine<'_>, engine: Engine, pcpus: usize, labels: &[Label]) -> Trace {
    let found = interrupts::find(machine);
    let spans = spans::spans(machine, &found);
    let mut trace = Trace {
        schema: SCHEMA.to_string(),
        stage: String::new(),
        engine: engine.to_string(),
        again: String::new(),
        pcpus,
        until: machine.until,
        missing: 0,
        cut: false,
        vms: Vec::new(),
        holds: spans::holds(machine, &spans),
        spans: Vec::new(),
        interrupts: Vec::new(),
        events: events(machine),
    };
    for (vm, (life, label)) in (0..).zip(machine.vms.iter().zip(labels)) {
        trace.vms.push(Vm {
            name: label.name.clone(),
            vcpus: life.vcpus,
            weight: label.weight,
            ending: label.ending.clone(),
            split: count::split(machine, &spans, vm, engine),
            exits: count::exits(machine, vm),
            traps: count::traps(machine, vm),
            symbols: symbols(&life.image.symbols),
        });
    }
    trace.spans = spans;
    let lanes: Vec<_> = (0..pcpus).map(|pcpu| trace.lane(pcpu)).collect();
    let told = found.into_iter().map(|found| found.told(&trace, &lanes));
    let told = told.collect();
    drop(lanes);
    trace.interrupts = told;
    trace
}

fn symbols(symbols: &Symbols) -> Vec<Symbol> {
    let own = |(name, address): (&str, u64)| Symbol {
        address,
        name: name.to_string(),
    };
    symbols.iter().map(own).collect()
}

/// The events that a picture shows: not who runs, which the spans say, nor that
/// the raw CPU was entered and left for nothing.
fn events(machine: &Machine<'_>) -> Vec<Shown> {
    let shown = machine.moments.iter().filter_map(|moment| {
        let name = moment.vcpu?;
        let (kind, what) = kind(moment.event)?;
        let symbols = &machine.vms.get(name.vm as usize)?.image.symbols;
        let line = Text::new(symbols).line(&Record {
            time: common::Time(moment.time),
            pcpu: moment.pcpu,
            rip: moment.rip,
            event: moment.event,
        });
        Some(Shown {
            time: moment.time,
            pcpu: moment.pcpu,
            vm: name.vm,
            vcpu: name.vcpu,
            kind,
            name: what,
            text: line.what,
            place: if machine.has_places {
                line.place
            } else {
                String::new()
            },
        })
    });
    shown.collect()
}

/// What kind of event it is, and which of its kind.
fn kind(event: Event) -> Option<(Kind, String)> {
    Some(match event {
        Event::Trap { trap, .. } if count::is_end_of_entry(trap) => return None,
        Event::Trap { trap, .. } => (Kind::Trap, trap_kind(trap)),
        Event::Exit(exit) => (Kind::Exit, exit.kind().to_string()),
        Event::Inject(vector) => (Kind::Inject, vector.to_string()),
        Event::Device(access) => (Kind::Device, device(access.device).to_string()),
        Event::Enter { .. } | Event::Runs(_) | Event::Idle => return None,
    })
}

fn device(device: Device) -> &'static str {
    match device {
        Device::Serial => "serial",
        Device::ExitPort => "exit-port",
        Device::Apic => "apic",
        Device::YieldPort => "yield-port",
        Device::Nobody => "nobody",
    }
}
