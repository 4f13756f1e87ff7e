//! A trace for Perfetto's and Chrome's viewers, in the Trace Event Format (JSON).
//!
//! The physical CPUs are the threads of process 1, and each VM is a process whose
//! threads are its vCPUs. (Numbers begin with 1: thread 0 means something of its
//! own to some viewers.) A tick of virtual time is shown as a microsecond, which
//! is the format's unit. An IPI is a flow; its ends bind to the spans that they
//! lie in, so one that ends where nobody runs has none.
//!
//! The viewers take spans of one thread only if they do not overlap, or lie wholly
//! in each other: those of a vCPU and of a physical CPU never overlap.

use super::trace::{Event, Interrupt, Source, Span, State, Trace};
use serde_json::{Value, json};

/// The physical CPUs' process.
const HOST: u32 = 1;

/// The trace as the text of a file.
pub fn perfetto(trace: &Trace) -> String {
    let mut events = names(trace);
    events.extend(trace.spans.iter().flat_map(|span| spans(trace, span)));
    events.extend(trace.events.iter().map(instant));
    let numbered = trace.interrupts.iter().zip(1..);
    events.extend(numbered.flat_map(|(interrupt, id)| flow(trace, interrupt, id)));
    let lines: Vec<_> = events.iter().map(Value::to_string).collect();
    let other = json!({
        "stage": trace.stage,
        "engine": trace.engine,
        "again": trace.again,
        "time": "one microsecond is one tick",
    });
    format!(
        "{{\"displayTimeUnit\":\"ms\",\"otherData\":{other},\"traceEvents\":[\n{}\n]}}\n",
        lines.join(",\n")
    )
}

fn vm_process(vm: u32) -> u32 {
    HOST + 1 + vm
}

fn names(trace: &Trace) -> Vec<Value> {
    let process = |pid: u32, name: String| {
        [
            json!({"ph": "M", "name": "process_name", "pid": pid, "tid": 1, "ts": 0, "args": {"name": name}}),
            json!({"ph": "M", "name": "process_sort_index", "pid": pid, "tid": 1, "ts": 0, "args": {"sort_index": pid}}),
        ]
    };
    let thread = |pid: u32, tid: usize, name: String| json!({"ph": "M", "name": "thread_name", "pid": pid, "tid": tid, "ts": 0, "args": {"name": name}});
    let mut names = Vec::from(process(HOST, String::from("physical CPUs")));
    for pcpu in 0..trace.pcpus {
        names.push(thread(HOST, pcpu + 1, format!("pcpu {pcpu}")));
    }
    for (vm, one) in (0..).zip(&trace.vms) {
        names.extend(process(vm_process(vm), format!("vm {vm} {}", one.name)));
        for vcpu in 0..one.vcpus {
            let name = format!("vcpu {vcpu}");
            names.push(thread(vm_process(vm), usize::from(vcpu) + 1, name));
        }
    }
    names
}

/// A span on its vCPU's thread and, if it runs, on its physical CPU's.
fn spans(trace: &Trace, span: &Span) -> Vec<Value> {
    let shown = |pid: u32, tid: usize, name: String, category: &str| {
        json!({
            "ph": "X", "pid": pid, "tid": tid, "name": name, "cat": category,
            "ts": span.from, "dur": span.to - span.from,
            "args": {"exit": span.exit, "place": span.place, "spins": span.spins},
        })
    };
    let state = match (span.pcpu, trace.has_lock(span)) {
        (Some(pcpu), _) => format!("runs on pcpu {pcpu}"),
        (None, true) => format!("{}, with the lock", span.state.name()),
        (None, false) => span.state.name().to_string(),
    };
    let own = shown(
        vm_process(span.vm),
        usize::from(span.vcpu) + 1,
        state,
        span.state.name(),
    );
    let there = span.pcpu.map(|pcpu| {
        let name = trace.vcpu_name(span.vm, span.vcpu);
        shown(HOST, pcpu + 1, name, State::Running.name())
    });
    std::iter::once(own).chain(there).collect()
}

fn instant(event: &Event) -> Value {
    json!({
        "ph": "i", "s": "t", "pid": HOST, "tid": event.pcpu + 1, "ts": event.time,
        "name": format!("{} {}", event.kind.name(), event.name), "cat": event.kind.name(),
        "args": {"what": event.text, "where": event.place, "vm": event.vm, "vcpu": event.vcpu},
    })
}

/// The way of an IPI from one physical CPU to the other.
fn flow(trace: &Trace, interrupt: &Interrupt, id: usize) -> Vec<Value> {
    let Interrupt { due, vector, .. } = *interrupt;
    let ends = (interrupt.source, interrupt.delivered, interrupt.pcpu);
    let (Source::Vcpu { pcpu: from, .. }, Some(time), Some(to)) = ends else {
        return Vec::new();
    };
    let runs = |pcpu, time| {
        let mut spans = trace.spans.iter();
        spans.any(|span| span.pcpu == Some(pcpu) && span.from <= time && time <= span.to)
    };
    // The clocks of two physical CPUs may differ by a little.
    if time < due || !runs(from, due) || !runs(to, time) {
        return Vec::new();
    }
    let name = format!("IPI {vector}");
    let end = |ph: &str, pcpu: usize, time: u64| json!({"ph": ph, "id": id, "pid": HOST, "tid": pcpu + 1, "ts": time, "name": name, "cat": "ipi"});
    let mut finish = end("f", to, time);
    finish["bp"] = json!("e");
    vec![end("s", from, due), finish]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::picture::testing::example;
    use std::collections::BTreeMap;

    fn events(trace: &Trace) -> Vec<Value> {
        let file: Value = serde_json::from_str(&perfetto(trace)).unwrap();
        file["traceEvents"].as_array().unwrap().clone()
    }

    fn thread(event: &Value) -> (u64, u64) {
        (
            event["pid"].as_u64().unwrap(),
            event["tid"].as_u64().unwrap(),
        )
    }

    #[test]
    fn every_event_has_the_fields_that_its_phase_needs() {
        for event in events(&example()) {
            assert!(event["name"].is_string() && event["ts"].is_u64(), "{event}");
            assert!(thread(&event).0 > 0 && thread(&event).1 > 0, "{event}");
            match event["ph"].as_str().unwrap() {
                "X" => assert!(event["dur"].is_u64(), "{event}"),
                "i" => assert_eq!(event["s"], "t"),
                "s" => assert!(event["id"].is_u64() && event["cat"].is_string()),
                "f" => assert!(event["id"].is_u64() && event["bp"] == "e"),
                "M" => assert!(event["args"].is_object(), "{event}"),
                other => panic!("phase {other}"),
            }
        }
    }

    #[test]
    fn spans_of_one_thread_do_not_overlap() {
        let mut ends: BTreeMap<(u64, u64), Vec<(u64, u64)>> = BTreeMap::new();
        for event in events(&example()).iter().filter(|event| event["ph"] == "X") {
            let begin = event["ts"].as_u64().unwrap();
            let end = begin + event["dur"].as_u64().unwrap();
            ends.entry(thread(event)).or_default().push((begin, end));
        }
        assert_eq!(ends.len(), 4, "a physical CPU and three vCPUs");
        for (thread, mut spans) in ends {
            spans.sort_unstable();
            let apart = spans.windows(2).all(|pair| pair[0].1 <= pair[1].0);
            assert!(apart, "{thread:?}: {spans:?}");
        }
    }

    #[test]
    fn an_ipi_is_a_flow_between_two_spans_that_carries_one_id() {
        let mut trace = example();
        trace.interrupts[1].delivered = Some(950);
        trace.interrupts[1].pcpu = Some(0);
        let events = events(&trace);
        let end = |ph| events.iter().find(|event| event["ph"] == ph).unwrap();
        let (start, finish) = (end("s"), end("f"));
        assert_eq!(
            (&start["id"], &start["name"]),
            (&finish["id"], &finish["name"])
        );
        assert_eq!(
            (start["ts"].as_u64(), finish["ts"].as_u64()),
            (Some(700), Some(950))
        );
        trace.interrupts[1].delivered = Some(1100); // where nobody runs
        assert!(
            !super::tests::events(&trace)
                .iter()
                .any(|event| event["ph"] == "s")
        );
    }
}
