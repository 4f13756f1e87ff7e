//! What holds for the guests of every version.

use std::collections::BTreeSet;

use guests::catalogue::{Ending, Guest};
use guests::{v1, v2, v3, v5, v7};

/// Guests whose image does not depend on the seed: there is nothing in them
/// that could be guessed.
const FIXED: [&str; 12] = [
    "halt",
    "endless",
    "undefined",
    "unimplemented",
    "no-gate-at-all",
    "double-fault",
    "broken-idt-limit",
    "broken-tss-limit",
    "broken-tss-missing",
    "registers",
    "hog-for-ever",
    "hang",
];

fn guests() -> impl Iterator<Item = &'static Guest> {
    v1::guests()
        .chain(v2::guests())
        .chain(v3::guests())
        .chain(v5::guests())
        .chain(v7::guests())
}

#[test]
fn names_are_unique_lower_case_and_hyphenated() {
    let mut names = BTreeSet::new();
    for guest in guests() {
        let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        assert!(guest.name.chars().all(plain), "{}", guest.name);
        assert!(names.insert(guest.name), "{} stands twice", guest.name);
    }
}

#[test]
fn equal_seeds_give_equal_images_and_models() {
    for guest in guests() {
        assert!(guest.build(5) == guest.build(5), "{}", guest.name);
        assert!(guest.expected(5) == guest.expected(5), "{}", guest.name);
    }
}

#[test]
fn the_seed_changes_the_image() {
    for guest in guests().filter(|guest| !FIXED.contains(&guest.name)) {
        let changes = (6..16).any(|seed| guest.build(5) != guest.build(seed));
        assert!(changes, "{} ignores its seed", guest.name);
    }
}

#[test]
fn only_guests_of_version_7_have_several_vcpus() {
    for guest in guests() {
        let of_version_7 = v7::guest(guest.name).is_some();
        assert_eq!(guest.vcpus > 1, of_version_7, "{}", guest.name);
    }
}

#[test]
fn guests_that_print_end_their_last_line() {
    for guest in guests().filter(|guest| guest.name != "ud2-in-handler") {
        let expected = guest.expected(5);
        if matches!(expected.ending, Ending::Exit(_)) {
            assert_eq!(expected.console.last(), Some(&b'\n'), "{}", guest.name);
        }
    }
}
