//! Makes text fit: nothing is cut off without a mark.

/// Stands for what is left out.
const MARK: char = '…';

/// As much of a text as there is room for; a mark ends what is cut off.
pub(super) fn fit(text: &str, room: usize) -> String {
    if text.chars().count() <= room {
        return text.to_string();
    }
    let kept = text.chars().take(room.saturating_sub(1));
    kept.chain([MARK]).collect()
}

/// A number that is too long for its room, without its middle: its low digits say
/// more than the others.
pub(super) fn fit_number(digits: &str, room: usize) -> String {
    let all: Vec<_> = digits.chars().collect();
    if all.len() <= room {
        return digits.to_string();
    }
    let kept = room.saturating_sub(1);
    let high = kept / 3;
    let (high, low) = (&all[..high], &all[all.len() - (kept - high)..]);
    high.iter().chain([&MARK]).chain(low).collect()
}

/// Items one behind the other, as many in a line as fit, and no more than so many
/// lines: a mark ends the last one if there are more.
pub(super) fn wrap<T: AsRef<str>>(
    items: impl IntoIterator<Item = T>,
    between: &str,
    room: usize,
    most: usize,
) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for item in items {
        let item = item.as_ref();
        let longer = lines.last().map(|line| format!("{line}{between}{item}"));
        match (longer, lines.last_mut()) {
            (Some(longer), Some(last)) if longer.chars().count() <= room => *last = longer,
            _ => lines.push(fit(item, room)),
        }
    }
    if lines.len() > most {
        lines.truncate(most);
        if let Some(last) = lines.last_mut() {
            *last = fit(&format!("{last} {MARK}"), room);
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_does_not_fit_ends_in_a_mark() {
        assert_eq!(fit("sleeps", 6), "sleeps");
        assert_eq!(fit("sleeps", 5), "slee…");
    }

    #[test]
    fn a_number_keeps_its_low_digits_and_a_mark_stands_for_the_others() {
        assert_eq!(fit_number("1faca", 5), "1faca");
        assert_eq!(fit_number("ffff800000012345", 12), "fff…00012345");
    }

    #[test]
    fn lines_break_between_items_and_a_mark_says_that_there_are_more() {
        let items = ["one one", "two", "three", "four"];
        assert_eq!(wrap(items, "  ", 12, 3), ["one one  two", "three  four"]);
        assert_eq!(wrap(items, "  ", 14, 1), ["one one  two …"]);
        assert_eq!(wrap(items, "  ", 5, 4), ["one …", "two", "three", "four"]);
    }
}
