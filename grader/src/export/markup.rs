//! Text inside XML and HTML.

/// `text` without what no document may hold: control characters but for line ends
/// and tabs, and the codes that set a terminal's colours.
pub(super) fn printable(text: &str) -> String {
    let mut clean = String::with_capacity(text.len());
    let mut letters = text.chars().peekable();
    while let Some(letter) = letters.next() {
        match letter {
            '\x1b' if letters.next_if_eq(&'[').is_some() => {
                let _ = letters.find(char::is_ascii_alphabetic);
            }
            '\n' | '\t' => clean.push(letter),
            letter if letter.is_control() || ('\u{fffe}'..='\u{ffff}').contains(&letter) => {}
            letter => clean.push(letter),
        }
    }
    clean
}

/// `text` so that it means itself, between tags and within quotes.
pub(crate) fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for letter in printable(text).chars() {
        match letter {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            letter => escaped.push(letter),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_gets_out_of_its_place() {
        assert_eq!(
            escape("</script>\"'&\u{0}\u{1b}[31mred\u{ffff}\n"),
            "&lt;/script&gt;&quot;&#39;&amp;red\n"
        );
    }
}
