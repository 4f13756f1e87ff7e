//! Forwards and back: breakpoints, watchpoints and single steps.

use super::*;

#[test]
fn a_breakpoint_on_a_symbol_stops_where_the_plain_run_passes_it_and_steps_follow_it() {
    let Some(debugged) = Debugged::run(&["v2"]) else {
        return;
    };
    let said = debugged.gdb(&[
        "break tick",
        "continue",
        REGISTERS,
        "stepi",
        REGISTERS,
        "stepi",
        REGISTERS,
        "continue",
        REGISTERS,
    ]);
    let mut session = ticks();
    let tick = at(&session, "tick");
    session.run(tick.clone()).expect("a way");
    let mut expected = vec![here(&mut session)];
    for _ in 0..2 {
        session.step(1).expect("a step");
        expected.push(here(&mut session));
    }
    session.run(tick).expect("a way");
    expected.push(here(&mut session));
    assert_eq!(lines(&said, "registers"), expected, "{said}");
    assert!(
        said.contains("Breakpoint 1, 0x") && said.contains("in tick ()"),
        "{said}"
    );
}

#[test]
fn the_way_back_is_the_way_there() {
    let Some(debugged) = Debugged::run(&["v2", "--at", "5000"]) else {
        return;
    };
    let there = [
        "break tick",
        "continue",
        REGISTERS,
        "continue",
        REGISTERS,
        "stepi",
        "stepi",
    ];
    let back = [
        "reverse-stepi",
        "reverse-stepi",
        REGISTERS,
        "reverse-continue",
        REGISTERS,
        "reverse-continue",
        "monitor time",
    ];
    let said = debugged.gdb(&[&there[..], &back[..]].concat());
    let found = lines(&said, "registers");
    let [first, second, again, back_at_first] = found[..] else {
        panic!("{said}");
    };
    assert_eq!((second, first), (again, back_at_first), "{said}");
    assert_ne!(first, second);
    assert!(said.contains("No more reverse-execution history"), "{said}");
    assert!(said.contains("time 0, cpu 0"), "{said}");
}

#[test]
fn a_watchpoint_stops_behind_a_change_and_on_the_way_back_before_it() {
    let Some(debugged) = Debugged::run(&["v2"]) else {
        return;
    };
    let mut session = ticks();
    session.run(at(&session, "tick")).expect("a way");
    let rsp = session
        .registers_of(None)
        .expect("registers")
        .registers
        .get(Gpr::Rsp);
    // The first instruction of the handler pushes a zero there; the frame of an
    // interrupt had its place elsewhere before.
    let watch = format!("watch *(unsigned long *){:#x}", rsp);
    let said = debugged.gdb(&[
        &watch,
        "continue",
        REGISTERS,
        "monitor time",
        "reverse-continue",
        REGISTERS,
        "stepi",
        REGISTERS,
    ]);
    assert!(said.contains("Hardware watchpoint 1"), "{said}");
    let found = lines(&said, "registers");
    let [changed, before, again] = found[..] else {
        panic!("{said}");
    };
    assert_eq!(changed, again, "{said}");
    assert_ne!(changed, before);
    let values = [lines(&said, "Old value = "), lines(&said, "New value = ")];
    let value = |line: &str| line.rsplit(' ').next().map(str::to_string);
    assert_eq!(value(values[0][0]), value(values[1][1]), "{said}");
    assert_eq!(value(values[1][0]), value(values[0][1]), "{said}");
}

#[test]
fn a_change_by_the_instruction_at_a_breakpoint_is_not_missed() {
    let Some(debugged) = Debugged::run(&["v2"]) else {
        return;
    };
    // The first instruction of the handler pushes a zero.
    let watch = "watch -l *(unsigned long *)($rsp - 8)";
    let fill = "set *(unsigned long *)($rsp - 8) = 7";
    let said = debugged.gdb(&["break tick", "continue", fill, watch, "continue"]);
    assert!(said.contains("Hardware watchpoint 2"), "{said}");
    assert_eq!(lines(&said, "New value = "), ["New value = 0"], "{said}");
}

#[test]
fn a_read_watchpoint_is_refused_with_a_reason() {
    let Some(mut debugged) = Debugged::run(&["v2"]) else {
        return;
    };
    let said = debugged.gdb(&["rwatch *(long *)0x5000", "continue"]);
    assert!(said.contains("Could not insert hardware"), "{said}");
    let line = debugged.says("refused");
    assert!(line.contains("no read watchpoints"), "{line}");
}

#[test]
fn gdb_can_ask_where_rip_is_mapped_and_is_told_when_nothing_has_changed() {
    let Some(debugged) = Debugged::run(&["v2"]) else {
        return;
    };
    let said = debugged.gdb(&[
        "monitor walk $RIP",
        "monitor inject 32",
        "monitor time",
        "monitor walk nowhere",
    ]);
    for wanted in [
        "kernel: read, write, execute",
        "inject vector 32: the virtual cpu refuses",
        "nothing has changed",
        "'nowhere': must be a number",
    ] {
        assert!(said.contains(wanted), "no '{wanted}': {said}");
    }
    assert!(!said.contains("this is a branch"), "{said}");
}

#[test]
fn from_the_end_of_a_run_there_is_a_way_back() {
    let Some(debugged) = Debugged::run(&["v2"]) else {
        return;
    };
    let said = debugged.gdb(&[
        "continue",
        REGISTERS,
        "stepi",
        "reverse-stepi",
        "stepi",
        REGISTERS,
        "monitor time",
    ]);
    let mut session = ticks();
    session.run(Until::default()).expect("a way");
    let end = here(&mut session);
    assert_eq!(lines(&said, "registers"), [&end[..], &end[..]], "{said}");
    assert!(
        said.contains("end: the guest exited with success"),
        "{said}"
    );
    assert!(said.contains("tick 10\n"), "the console: {said}");
    let console = String::from_utf8(session.console()).expect("text");
    assert!(said.contains(console.trim_end()), "{said}");
}
