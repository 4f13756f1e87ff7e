//! Names of submissions, which become names of files.

/// The longest name that is kept whole.
const LONGEST: usize = 100;

/// `name` with everything replaced that could mean something in a path, a
/// table or a page.
pub(crate) fn harmless(name: &str) -> String {
    let kept = |letter: char| letter.is_ascii_alphanumeric() || "._-@".contains(letter);
    let letters = name.chars().take(LONGEST);
    let name: String = letters
        .map(|letter| if kept(letter) { letter } else { '_' })
        .collect();
    match name.trim_start_matches(['.', '-']) {
        "" => String::from("_"),
        name => name.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::harmless;

    #[test]
    fn a_name_cannot_leave_its_folder_or_look_like_an_option() {
        for (name, harmless_name) in [
            ("alice@example.org", "alice@example.org"),
            ("../../etc", "_.._etc"),
            ("--out", "out"),
            ("<b>é", "_b__"),
            ("..", "_"),
        ] {
            assert_eq!(harmless(name), harmless_name);
        }
    }
}
