//! Tests of the small picture.

use super::*;
use crate::picture::testing::example;

fn picture() -> String {
    svg(&example(), Part::whole(&example()))
}

#[test]
fn the_picture_shows_lanes_locks_spinning_and_interrupts() {
    let picture = picture();
    for (shape, count) in [
        (">pcpu 0<", 1),
        (">has the lock<", 1),
        ("l3 -6l3 6", 3),
        (">900 left spinning in spin_lock<", 1),
        ("▲▲ left spinning in spin_lock", 1),
        ("<title>tick 32 due at 400", 1),
        ("class=\"h\"", 1),
    ] {
        assert_eq!(
            picture.matches(shape).count(),
            count,
            "{shape} in {picture}"
        );
    }
}

#[test]
fn teeth_stand_only_where_a_turn_ends_within_the_picture() {
    let part = Part { from: 0, to: 800 };
    let picture = svg(&example(), part);
    assert!(!picture.contains("spinning"), "{picture}");
}

#[test]
fn a_loop_that_is_no_lock_is_not_called_one() {
    let mut trace = example();
    trace.holds.clear();
    for span in &mut trace.spans {
        span.place = span.place.take().map(|_| String::from("await_turn+0x06"));
    }
    let picture = svg(&trace, Part::whole(&trace));
    assert!(picture.contains("left spinning in await_turn"), "{picture}");
    assert!(!picture.contains("lock"), "{picture}");
}

#[test]
fn what_is_lost_with_the_end_of_a_file_is_lined() {
    let mut trace = example();
    assert!(!picture().contains("the file was cut off"));
    trace.cut = true;
    let picture = svg(&trace, Part::whole(&trace));
    // The last event is at 900 of 1,200 ticks.
    assert_eq!(picture.matches("v-16m4 16").count(), 190 / 4);
    assert!(picture.contains("the file was cut off"), "{picture}");
}

#[test]
fn its_size_does_not_depend_on_how_much_happened() {
    let mut trace = example();
    let event = trace.events[0].clone();
    trace.events.extend(std::iter::repeat_n(event, 100_000));
    let big = svg(&trace, Part::whole(&trace));
    assert!(big.len() < picture().len() + 2_000, "{}", big.len());
}

#[test]
fn what_a_guest_is_called_is_text() {
    let mut trace = example();
    trace.again = String::from("</title><script>");
    assert!(!svg(&trace, Part::whole(&trace)).contains("<script>"));
}
