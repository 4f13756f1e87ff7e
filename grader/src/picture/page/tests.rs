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
    assert_eq!(names, 16, "each of 15 parts once, and the title twice");
}

#[test]
fn texts_stand_once_however_often_they_are_said() {
    let mut trace = example();
    let event = trace.events[0].clone();
    trace.events.extend(std::iter::repeat_n(event, 1000));
    assert_eq!(data(&trace).matches("after 99 instructions").count(), 1);
}
