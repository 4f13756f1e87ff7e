//! The nearest name to a misspelt one.

use crate::error::LabError;

/// The one paragraph about a name that does not exist: what was wrong, what
/// exists, what was probably meant, and where to look.
pub fn unknown(kind: &str, wrong: &str, known: &[&str], next: &str) -> LabError {
    let meant = match nearest(wrong, known) {
        Some(name) => format!("; did you mean '{name}'?"),
        None => String::from("."),
    };
    let all = match known {
        [] => format!("there is no {kind} at all"),
        _ => format!(
            "there {} {}",
            if known.len() == 1 { "is" } else { "are" },
            known.join(", ")
        ),
    };
    LabError::Usage(format!(
        "no {kind} is called '{wrong}': {all}{meant} {next}"
    ))
}

/// The known name that takes the fewest changes from `wrong`, unless it takes
/// so many that it is no misspelling.
pub fn nearest<'a>(wrong: &str, known: &[&'a str]) -> Option<&'a str> {
    let most = wrong.len() / 3;
    known
        .iter()
        .map(|name| (distance(&wrong.to_lowercase(), &name.to_lowercase()), *name))
        .filter(|(changes, _)| *changes <= most)
        .min_by_key(|(changes, _)| *changes)
        .map(|(_, name)| name)
}

/// How many letters have to be put in, taken out or replaced (Levenshtein).
fn distance(one: &str, other: &str) -> usize {
    let other: Vec<char> = other.chars().collect();
    let mut row: Vec<usize> = (0..=other.len()).collect();
    for (i, a) in one.chars().enumerate() {
        let mut diagonal = std::mem::replace(&mut row[0], i + 1);
        for (j, &b) in other.iter().enumerate() {
            let replaced = diagonal + usize::from(a != b);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(diagonal + 1).min(row[j] + 1);
        }
    }
    row[other.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distance_counts_single_changes() {
        for (one, other, changes) in [("", "abc", 3), ("kitten", "sitting", 3), ("v1", "v1", 0)] {
            assert_eq!(distance(one, other), changes);
        }
    }

    #[test]
    fn a_slip_is_recognised_and_another_word_is_not() {
        let known = ["compute", "keeper", "ports"];
        assert_eq!(nearest("Compte", &known), Some("compute"));
        assert_eq!(nearest("kepeer", &known), Some("keeper"));
        assert_eq!(nearest("banana", &known), None);
        assert_eq!(nearest("v8", &["v1", "v2"]), None, "which one?");
        assert_eq!(nearest("V2", &["v1", "v2"]), Some("v2"));
        assert_eq!(nearest("", &known), None);
    }

    #[test]
    fn the_paragraph_names_the_wrong_value_what_exists_and_what_is_next() {
        let text = unknown(
            "guest",
            "port",
            &["compute", "ports"],
            "See `cargo lab list`.",
        )
        .to_string();
        assert_eq!(
            text,
            "no guest is called 'port': there are compute, ports; did you mean 'ports'? See `cargo lab list`."
        );
    }
}
