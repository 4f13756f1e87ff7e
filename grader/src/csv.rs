//! Tables of comma-separated values, as spreadsheets read and write them (RFC
//! 4180).

/// The rows of a table. A field may stand in quotes; two quotes within mean one.
///
/// # Errors
/// If a quote is not closed: the line where it was opened.
pub fn rows(text: &str) -> Result<Vec<Vec<String>>, String> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut rows = Vec::new();
    let (mut row, mut field) = (Vec::new(), String::new());
    let (mut line, mut opened) = (1, None);
    let mut letters = text.chars().peekable();
    while let Some(letter) = letters.next() {
        line += usize::from(letter == '\n');
        match (letter, opened) {
            ('"', Some(_)) if letters.next_if_eq(&'"').is_some() => field.push('"'),
            ('"', Some(_)) => opened = None,
            ('"', None) if field.is_empty() => opened = Some(line),
            (',', None) => row.push(std::mem::take(&mut field)),
            ('\r', None) if letters.peek() == Some(&'\n') => {}
            ('\n', None) => {
                row.push(std::mem::take(&mut field));
                rows.push(std::mem::take(&mut row));
            }
            (letter, _) => field.push(letter),
        }
    }
    if let Some(line) = opened {
        return Err(format!("line {line}: a quote is opened and not closed"));
    }
    if !field.is_empty() || !row.is_empty() {
        row.push(field);
        rows.push(row);
    }
    rows.retain(|row| row.iter().any(|field| !field.is_empty()));
    Ok(rows)
}

/// A row as a line with its end. A text that a spreadsheet would take for a
/// formula gets an apostrophe before it, as OWASP advises; numbers stay as they
/// are.
pub fn line<'a>(fields: impl IntoIterator<Item = &'a str>) -> String {
    let fields: Vec<String> = fields.into_iter().map(cell).collect();
    fields.join(",") + "\r\n"
}

fn cell(text: &str) -> String {
    let dangerous = text.starts_with(['=', '+', '-', '@', '\t', '\r']);
    let text = match dangerous && text.parse::<f64>().is_err() {
        true => format!("'{text}"),
        false => text.to_string(),
    };
    match text.contains(['"', ',', '\n', '\r']) {
        true => format!("\"{}\"", text.replace('"', "\"\"")),
        false => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_can_be_read_again() {
        let fields = ["a", "b,c", "d \"e\"", "f\ng", ""];
        assert_eq!(rows(&line(fields)).unwrap(), [fields]);
    }

    #[test]
    fn a_formula_is_made_harmless_and_a_number_is_not_touched() {
        let written = line(["=1+1", "+x", "-1.5", "-x", "@sum", "a=b", "\t=1"]);
        assert_eq!(written, "'=1+1,'+x,-1.5,'-x,'@sum,a=b,'\t=1\r\n");
    }

    #[test]
    fn line_ends_of_all_systems_a_mark_and_empty_lines_are_taken() {
        let text = "\u{feff}a,b\r\n\r\n1,\"2\r\n3\"\n4,5";
        let read = rows(text).unwrap();
        assert_eq!(read, [["a", "b"], ["1", "2\r\n3"], ["4", "5"]]);
    }

    #[test]
    fn a_quote_without_an_end_is_named_by_its_line() {
        assert!(rows("a\n\"b\nc").unwrap_err().starts_with("line 2"));
    }
}
