//! The manual where checks are hidden: its sums count all of them, so the student is
//! told how much is missing, and the instructor where the sums stand.

use crate::checks::Announced;
use std::collections::BTreeMap;
use std::fmt::Write;

/// The manual with a word, below its title, on the points that come later.
pub(super) fn announce(manual: &str, hidden: &BTreeMap<&str, Announced>) -> String {
    let (title, rest) = manual.split_once('\n').unwrap_or((manual, ""));
    let less = hidden
        .iter()
        .map(|(version, announced)| format!("{} points for {version}", announced.points));
    let less = less.collect::<Vec<_>>().join(", ");
    format!(
        "{title}\n\n*Your course hides some checks until later. The sums that this manual names \
         count them; what you see is smaller by up to {less}.*\n{rest}"
    )
}

/// The lines in a version's chapter that name a number of points, as
/// `LABS.md:812: "100 points"`.
pub(super) fn sums(manual: &str, version: u8) -> Vec<String> {
    let chapter = format!("## Version {version}:");
    let (mut inside, mut seen) = (false, Vec::new());
    for (line, number) in manual.lines().zip(1..) {
        if line.starts_with("## ") {
            inside = line.starts_with(&chapter);
        }
        if inside {
            let mut said = String::new();
            for points in points(line) {
                let _ = write!(said, " \"{points} points\"");
            }
            if !said.is_empty() {
                seen.push(format!("LABS.md:{number}:{said}"));
            }
        }
    }
    seen
}

/// The numbers that stand before the word in a line.
fn points(line: &str) -> Vec<u32> {
    let words: Vec<_> = line.split_whitespace().collect();
    let pairs = words.windows(2);
    let named = pairs.filter(|pair| pair[1].trim_end_matches([',', '.', ':', ';']) == "points");
    named.filter_map(|pair| pair[0].parse().ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const MANUAL: &str = "# The manual\n\nHere.\n\n## Version 1: one\n\n*You see:* 90 points.\n\n\
                          ## Version 2: two\n\nNo points.\n*You see:* it: 15 points, and 20 points.\n\
                          \n### More\n100 points in all\n\n## For instructors\n60 points\n";

    #[test]
    fn the_instructor_is_told_where_the_sums_of_a_version_stand() {
        assert_eq!(
            sums(MANUAL, 2),
            [
                "LABS.md:12: \"15 points\" \"20 points\"",
                "LABS.md:15: \"100 points\""
            ]
        );
    }

    #[test]
    fn the_student_is_told_by_how_much_the_sums_are_smaller() {
        let points = |points| Announced { checks: 1, points };
        let hidden = BTreeMap::from([("v1", points(5)), ("v2", points(15))]);
        let told = announce(MANUAL, &hidden);
        assert!(
            told.starts_with("# The manual\n\n*Your course hides"),
            "{told}"
        );
        assert!(
            told.contains("5 points for v1, 15 points for v2.*\n\nHere."),
            "{told}"
        );
    }
}
