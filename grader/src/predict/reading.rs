//! What questions read in a run.

use crate::checks::{HostRun, Run, Stay};
use crate::fate::Fate;
use crate::predict::answer::Name;
use common::trace::{Device, DeviceAccess, Event, Record};
use common::{Ending, Exit, SystemInstruction, Time, Trap};

/// How a guest can end.
pub(super) const ENDINGS: &[Name] = &[
    Name {
        name: "success",
        also: &["exit0", "exitedwithsuccess", "0"],
    },
    Name {
        name: "failure",
        also: &["exitcode", "exited", "error"],
    },
    Name {
        name: "halted",
        also: &["halt", "hlt", "haltedforever"],
    },
    Name {
        name: "unsupported",
        also: &["refused", "died"],
    },
    Name {
        name: "triple-fault",
        also: &["shutdown", "shutsdown"],
    },
    Name {
        name: "never",
        also: &["outoftime", "endless", "doesnotend"],
    },
];

/// The exceptions that our guests meet.
pub(super) const EXCEPTIONS: &[Name] = &[
    exception("#DE", &["0", "divideerror"]),
    exception("#UD", &["6", "invalidopcode"]),
    exception("#DF", &["8", "doublefault"]),
    exception("#TS", &["10", "0xa", "invalidtss"]),
    exception("#NP", &["11", "0xb", "segmentnotpresent"]),
    exception("#GP", &["13", "0xd", "generalprotection"]),
    exception("#PF", &["14", "0xe", "pagefault"]),
];

const fn exception(name: &'static str, also: &'static [&'static str]) -> Name {
    Name { name, also }
}

/// The name of an ending.
pub(super) fn name_of(ending: Ending) -> &'static str {
    match ending {
        Ending::Exited(0) => "success",
        Ending::Exited(_) => "failure",
        Ending::Halted => "halted",
        Ending::OutOfTime | Ending::Stopped => "never",
        Ending::Died(Exit::Shutdown(_)) => "triple-fault",
        Ending::Died(_) => "unsupported",
    }
}

/// How a guest ended, and its last exit in words.
pub(super) fn ending(run: &Run) -> Option<(&'static str, String)> {
    let Fate::Ended(ending) = run.fate else {
        return None;
    };
    let last = run.exits().next_back().map(|(.., exit)| exit.to_string());
    let why = match ending {
        Ending::Died(exit) => format!("it comes to \"{exit}\", and cannot go on from there"),
        _ => format!(
            "{ending}; its last exit is \"{}\"",
            last.unwrap_or_default()
        ),
    };
    Some((name_of(ending), why))
}

/// How many exits of this kind there were.
pub(super) fn exits(run: &Run, kind: &str) -> u64 {
    run.exits().filter(|(.., exit)| exit.kind() == kind).count() as u64
}

/// How many system instructions trapped that `counts` picks.
pub(super) fn traps(run: &Run, counts: impl Fn(SystemInstruction) -> bool) -> u64 {
    let traps = run.traps().filter(|(.., trap)| match trap {
        Trap::System { instruction, .. } => counts(*instruction),
        _ => false,
    });
    traps.count() as u64
}

/// The accesses to a device.
pub(super) fn accesses(records: &[Record], device: Device) -> impl Iterator<Item = DeviceAccess> {
    records.iter().filter_map(move |record| match record.event {
        Event::Device(access) if access.device == device => Some(access),
        _ => None,
    })
}

/// How many accesses to the APIC there were at each of its registers, in words.
pub(super) fn apic_in_words(accesses: impl Iterator<Item = DeviceAccess>) -> String {
    let mut counts: Vec<(String, u64)> = Vec::new();
    for access in accesses {
        let name = register(access);
        match counts.iter_mut().find(|(known, _)| *known == name) {
            Some((_, count)) => *count += 1,
            None => counts.push((name, 1)),
        }
    }
    let counts: Vec<_> = counts
        .iter()
        .map(|(name, count)| format!("{count} {name}"))
        .collect();
    counts.join(", ")
}

/// What an access is, by the register (SDM vol. 3, table 11-1).
fn register(access: DeviceAccess) -> String {
    let name = match access.address & 0xfff {
        0x20 => "its number",
        0xb0 => "end of interrupt",
        0xf0 => "switching it on",
        0x300 => "interrupt command",
        0x310 => "interrupt destination",
        0x320 => "timer mode",
        0x380 if access.value == 0 => "stopping the timer",
        0x380 => "starting the timer",
        0x390 => "current count",
        0x3e0 => "timer divider",
        offset => return format!("register {offset:#x}"),
    };
    name.to_string()
}

/// The injected interrupts, each with its place among the records.
pub(super) fn injections(run: &Run) -> impl Iterator<Item = (usize, &Record, u8)> {
    let records = run.records().iter().enumerate();
    records.filter_map(|(at, record)| match record.event {
        Event::Inject(vector) => Some((at, record, vector)),
        _ => None,
    })
}

/// The function of the guest that an address lies in.
pub(super) fn symbol(run: &Run, address: u64) -> &str {
    let symbols = &run.observation.image.symbols;
    symbols.locate(address).map_or("", |(name, _)| name)
}

/// The exception whose handler the guest enters next behind a record, by the
/// names that our guests give.
pub(super) fn handler_behind(run: &Run, at: usize) -> Option<u8> {
    let mut later = run.records()[at..].iter();
    let entered = later.find(|record| matches!(record.event, Event::Enter { .. }))?;
    symbol(run, entered.rip)
        .strip_prefix("vector_")?
        .parse()
        .ok()
}

/// For how many ticks of its physical CPU a VM was there, in these stays.
pub(super) fn ticks(stays: &[Stay], counts: impl Fn(&Stay) -> bool) -> u64 {
    let own = stays.iter().filter(|stay| counts(stay));
    own.map(|stay| stay.to.since(stay.from)).sum()
}

/// When the run was over, by the clock of the physical CPU that is ahead.
pub(super) fn end_of(run: &HostRun) -> Time {
    let end = run.evidence().end.as_ref();
    let clocks = end.into_iter().flat_map(|end| end.clocks.iter().copied());
    clocks.max().unwrap_or(Time::ZERO)
}

/// So many of all in percent, rounded.
pub(super) fn percent(part: u64, all: u64) -> u64 {
    (part * 100 + all / 2) / all.max(1)
}

/// A number with its digits in groups.
pub(super) fn grouped(number: u64) -> String {
    Time(number).to_string()
}
