//! Version 1's guests: one vCPU, kernel mode, the user ISA, `in`, `out`, `hlt`.

mod compute;
mod entry;
mod failing;
mod halt;
mod hostile;
mod keeper;
mod ports;
mod string_ports;

use crate::catalogue::Guest;

/// The guests that end well.
static WORKLOADS: [Guest; 5] = [
    compute::GUEST,
    entry::GUEST,
    keeper::GUEST,
    ports::GUEST,
    string_ports::GUEST,
];

/// The guests that do not.
static FAILING: Guest = failing::GUEST;
static HALT: Guest = halt::GUEST;
static HOSTILE: [Guest; 9] = hostile::GUESTS;

/// All guests of version 1: first those that end well, then those that a
/// hypervisor has to survive.
pub fn guests() -> impl Iterator<Item = &'static Guest> {
    WORKLOADS.iter().chain([&FAILING, &HALT]).chain(&HOSTILE)
}

/// The guest of this name.
pub fn guest(name: &str) -> Option<&'static Guest> {
    guests().find(|guest| guest.name == name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique_lower_case_and_hyphenated() {
        let mut names: Vec<&str> = guests().map(|guest| guest.name).collect();
        let plain = |name: &str| name.chars().all(|c| c.is_ascii_lowercase() || c == '-');
        assert!(names.iter().all(|name| plain(name)), "{names:?}");
        names.sort();
        let count = names.len();
        names.dedup();
        assert_eq!(names.len(), count, "a name stands twice in {names:?}");
    }

    #[test]
    fn equal_seeds_give_equal_images() {
        for guest in guests() {
            let (one, other) = (guest.build(5), guest.build(5));
            assert!(one == other, "{} is not determined by its seed", guest.name);
        }
    }

    #[test]
    fn the_seed_changes_the_image_of_every_workload() {
        for guest in &WORKLOADS {
            let (one, other) = (guest.build(5), guest.build(6));
            assert!(one != other, "{} ignores its seed", guest.name);
        }
    }
}
