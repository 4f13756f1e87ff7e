//! Tests of the page.

use super::*;
use crate::picture::testing::example;

#[test]
fn a_page_asks_nobody_for_anything() {
    let page = page(&example());
    for address in ["http:", "https:", "src=", "url(", "@import", "fetch("] {
        assert!(!page.contains(address), "{address}");
    }
}

#[test]
fn what_a_guest_is_called_cannot_become_a_part_of_the_page() {
    let mut trace = example();
    let evil = "</script><script>alert(1)</script>{{data}}";
    trace.vms[0].name = evil.to_string();
    trace.events[0].text = evil.to_string();
    trace.interrupts[0].words = evil.to_string();
    let page = page(&trace);
    assert!(!page.contains("<script>alert"), "not as it is");
    assert_eq!(page.matches("id=\"trace\">").count(), 1);
}

#[test]
fn every_part_of_the_frame_is_filled() {
    assert!(!page(&example()).contains("{{"));
    let names = FRAME.matches("{{").count();
    assert_eq!(names, 18, "each of 17 parts once, and the title twice");
}

#[test]
fn texts_stand_once_however_often_they_are_said() {
    let mut trace = example();
    let event = trace.events[0].clone();
    trace.events.extend(std::iter::repeat_n(event, 1000));
    assert_eq!(data(&trace).matches("after 99 instructions").count(), 1);
}

/// The example without locks, spinning and interrupts.
fn quiet() -> Trace {
    let mut trace = example();
    trace.holds.clear();
    trace.interrupts.clear();
    for span in &mut trace.spans {
        span.spins = false;
    }
    trace
}

#[test]
fn the_key_has_what_there_is_and_nothing_else() {
    let (busy, quiet) = (key(&example()), key(&quiet()));
    for word in [
        "the lock",
        "left spinning in spin_lock<",
        "an IPI",
        "a tick",
    ] {
        assert!(busy.contains(word), "{word} is not in {busy}");
        assert!(!quiet.contains(word), "{word} is in {quiet}");
    }
    assert!(
        quiet.contains("idle") && quiet.contains("halted"),
        "{quiet}"
    );
}

#[test]
fn where_nothing_came_late_there_is_no_table_of_it() {
    let late = Late::of(&quiet());
    assert_eq!(late.table, "");
    assert!(
        late.caption
            .starts_with("No interrupt was due, and no vCPU"),
        "{}",
        late.caption
    );
}

#[test]
fn of_many_delays_it_is_said_that_not_all_are_shown() {
    let mut trace = example();
    trace.holds = vec![trace.holds[0]; 30];
    let late = Late::of(&trace);
    assert!(
        late.caption.contains("the 20 longest of these 31"),
        "{}",
        late.caption
    );
    assert_eq!(late.table.matches("<button").count(), 20);
}

#[test]
fn the_shares_of_the_physical_cpus_are_told_from_those_of_a_vm() {
    let page = page(&example());
    // 600 of 1,200 ticks on the one pCPU; of its own 1,200, the guest had 590.
    assert!(
        page.contains("<td>vm 0 contended-pair</td><td class=\"n\">50.0</td>"),
        "{page}"
    );
    assert!(page.contains("<td class=\"n\">49.2</td>"), "{page}");
    assert!(
        page.contains("<td>nobody (idle)</td><td class=\"n\">16.7</td>"),
        "{page}"
    );
}

#[test]
fn a_page_of_a_file_that_was_cut_off_says_so() {
    let mut trace = example();
    assert!(!page(&trace).contains("cut off: of the events"));
    trace.cut = true;
    assert!(page(&trace).contains("cut off: of the events, only the first 4 are here"));
}
