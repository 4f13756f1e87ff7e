//! Traces as files.
//!
//! A file is one JSON value. Its events come last and stand on a line each, so
//! that of a file that was cut off everything before the cut can still be read.

use super::trace::{SCHEMA, Trace};
use serde_json::error::Category;

/// Times above this are not exact in a browser, and no run is that long.
const LATEST: u64 = 1 << 53;
/// As many physical CPUs as a host can have.
const PCPUS: usize = *crate::vm_spec::PCPUS.end() as usize;

/// What was found in a file.
#[derive(Debug)]
pub struct Found {
    /// The trace.
    pub trace: Trace,
    /// What is wrong with the file, if it was not whole.
    pub note: Option<String>,
}

/// The trace as the text of a file.
pub fn to_json(trace: &Trace) -> String {
    let head = Trace {
        events: Vec::new(),
        ..trace.clone()
    };
    // A trace is made of numbers and texts, which JSON takes as they are.
    let head = serde_json::to_string(&head).unwrap_or_default();
    let events = trace.events.iter();
    let events: Vec<_> = events
        .map(|event| serde_json::to_string(event).unwrap_or_default())
        .collect();
    format!(
        "{}[\n{}\n]}}\n",
        head.trim_end_matches("[]}"),
        events.join(",\n")
    )
}

/// Reads a file's text. Of one that was cut off within its events, what came
/// before is given, with a note.
///
/// # Errors
/// Why it cannot be read, as a clause with the file as its subject.
pub fn read(text: &str) -> Result<Found, String> {
    let (trace, note) = match parse(text) {
        Ok(trace) => (trace, None),
        Err(error) if error.classify() == Category::Eof => {
            let trace = parse(&mended(text).ok_or_else(|| no_event(text))?);
            let mut trace = trace.map_err(|_| no_event(text))?;
            trace.cut = true;
            let note = format!(
                "the file was cut off: its first {} events are here, and what its head says of the \
                 whole run",
                trace.events.len()
            );
            (trace, Some(note))
        }
        Err(error) => return Err(damaged(text, &error)),
    };
    check(&trace)?;
    Ok(Found { trace, note })
}

fn parse(text: &str) -> Result<Trace, serde_json::Error> {
    // The version comes first: of another one nothing else is understood.
    serde_json::from_str(text)
}

/// The text with what was cut off within its last event left out.
fn mended(text: &str) -> Option<String> {
    let events = text.find("\"events\":[")?;
    let whole = text[events..].rfind("},\n").map(|last| events + last + 1);
    let end = whole.unwrap_or(events + "\"events\":[".len());
    Some(format!("{}]}}", &text[..end]))
}

fn no_event(text: &str) -> String {
    match schema(text) {
        Some(schema) if schema != SCHEMA => other_version(&schema),
        Some(_) => String::from("was cut off before its first event: nothing can be shown of it"),
        None => not_a_trace(),
    }
}

fn damaged(text: &str, error: &serde_json::Error) -> String {
    match schema(text) {
        Some(schema) if schema == SCHEMA => format!("is damaged: {error}"),
        Some(schema) => other_version(&schema),
        None => not_a_trace(),
    }
}

/// The format that a text says it has, however little else of it is right.
fn schema(text: &str) -> Option<String> {
    const KEY: &str = "\"schema\":";
    let behind = text.get(text.find(KEY)? + KEY.len()..)?;
    let value = behind.trim_start().strip_prefix('"')?;
    Some(value[..value.find('"')?].to_string())
}

fn other_version(schema: &str) -> String {
    format!("is of the format '{schema}', and this lab reads '{SCHEMA}'")
}

fn not_a_trace() -> String {
    format!("is no trace: it does not say that its format is '{SCHEMA}'")
}

/// Whether what a trace says fits together, so that a picture can rely on it.
fn check(trace: &Trace) -> Result<(), String> {
    if trace.schema != SCHEMA {
        return Err(other_version(&trace.schema));
    }
    if trace.pcpus == 0 || trace.pcpus > PCPUS {
        return Err(format!(
            "has {} pcpus: must be from 1 to {PCPUS}",
            trace.pcpus
        ));
    }
    if trace.until > LATEST {
        return Err(format!("ends at {}: must be at most {LATEST}", trace.until));
    }
    for span in &trace.spans {
        let at = format!("a span from {} to {}", span.from, span.to);
        who(trace, &at, span.vm, span.vcpu, span.pcpu)?;
        within(
            &at,
            span.from <= span.to && span.to <= trace.until.max(span.to),
        )?;
        time(&at, span.to)?;
    }
    for one in &trace.interrupts {
        let at = format!("an interrupt due at {}", one.due);
        who(trace, &at, one.vm, one.vcpu, one.pcpu)?;
        time(&at, one.due.max(one.delivered.unwrap_or(0)))?;
        if let super::Source::Vcpu { vcpu, pcpu } = one.source {
            who(trace, &at, one.vm, vcpu, Some(pcpu))?;
        }
    }
    for hold in &trace.holds {
        let at = format!("a hold from {} to {}", hold.from, hold.to);
        who(trace, &at, hold.vm, hold.vcpu, None)?;
        within(&at, hold.from <= hold.to)?;
        time(&at, hold.to)?;
    }
    for event in &trace.events {
        let at = format!("an event at {}", event.time);
        who(trace, &at, event.vm, event.vcpu, Some(event.pcpu))?;
        time(&at, event.time)?;
    }
    Ok(())
}

fn who(trace: &Trace, what: &str, vm: u32, vcpu: u8, pcpu: Option<usize>) -> Result<(), String> {
    let Some(known) = trace.vms.get(vm as usize) else {
        return Err(format!(
            "is damaged: {what} is of vm {vm}, and there is none"
        ));
    };
    if vcpu >= known.vcpus {
        return Err(format!(
            "is damaged: {what} is of vcpu {vcpu}, and vm {vm} has none"
        ));
    }
    match pcpu.filter(|pcpu| *pcpu >= trace.pcpus) {
        Some(pcpu) => Err(format!(
            "is damaged: {what} is on pcpu {pcpu}, and there is none"
        )),
        None => Ok(()),
    }
}

fn within(what: &str, is_right: bool) -> Result<(), String> {
    match is_right {
        true => Ok(()),
        false => Err(format!("is damaged: {what} ends before it begins")),
    }
}

fn time(what: &str, time: u64) -> Result<(), String> {
    match time <= LATEST {
        true => Ok(()),
        false => Err(format!("is damaged: {what} is later than {LATEST}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::picture::testing::example;

    #[test]
    fn what_is_written_is_read_again() {
        let found = read(&to_json(&example())).unwrap();
        assert_eq!(found.trace, example());
        assert_eq!(found.note, None);
    }

    #[test]
    fn of_a_file_that_was_cut_off_the_events_before_the_cut_are_read() {
        let whole = to_json(&example());
        let behind_the_second = whole.match_indices("},\n").nth(1).unwrap().0 + 10;
        let found = read(&whole[..behind_the_second]).unwrap();
        assert_eq!(found.trace.events, example().events[..2]);
        assert_eq!(found.trace.spans, example().spans);
        assert!(found.trace.cut && read(&to_json(&found.trace)).unwrap().trace.cut);
        assert_eq!(found.trace.known(0), 300);
        assert!(found.note.unwrap().contains("first 2 events"));
    }

    #[test]
    fn wherever_a_file_is_cut_or_a_byte_is_wrong_there_is_an_answer() {
        let whole = to_json(&example());
        for cut in 0..whole.len() {
            if let Err(why) = read(&whole[..cut]) {
                assert!(why.contains("cut off") || why.contains("no trace"), "{why}");
            }
            for byte in [b'9', b'"', b'}', b'-'] {
                let mut damaged = whole.clone().into_bytes();
                damaged[cut] = byte;
                // Whatever it says, it comes back.
                let _ = read(&String::from_utf8_lossy(&damaged));
            }
        }
    }

    #[test]
    fn what_is_not_there_is_refused_by_its_name() {
        let mut trace = example();
        trace.events[0].vm = 7;
        let why = read(&to_json(&trace)).unwrap_err();
        assert!(why.contains("of vm 7, and there is none"), "{why}");
        let mut trace = example();
        trace.spans[0].to = 0;
        trace.spans[0].from = 5;
        let why = read(&to_json(&trace)).unwrap_err();
        assert!(why.contains("ends before it begins"), "{why}");
    }

    #[test]
    fn another_version_is_named_even_if_all_else_differs() {
        let why = read(r#"{"schema": "heptavisor/trace/v2", "lanes": []}"#).unwrap_err();
        assert!(why.contains("'heptavisor/trace/v2'"), "{why}");
        assert!(why.contains("'heptavisor/trace/v1'"), "{why}");
        for foreign in ["", "hello", "[]", "{\"schema\": 5}"] {
            assert!(
                read(foreign).unwrap_err().contains("is no trace"),
                "{foreign}"
            );
        }
    }
}
