//! Numbers on the command line: what is said of one that cannot be.

use std::fmt::Display;
use std::ops::RangeInclusive;
use std::str::FromStr;

/// A parser of whole numbers in this range. Clap names the option and what was
/// written; the error says what would be right.
pub(crate) fn within<T>(range: RangeInclusive<T>) -> impl Fn(&str) -> Result<T, String> + Clone
where
    T: FromStr + PartialOrd + Display + Clone,
{
    move |text| {
        let number = bare(text).parse().ok();
        number
            .filter(|number| range.contains(number))
            .ok_or_else(|| {
                let [least, most] = [range.start(), range.end()];
                format!("must be a whole number from {least} to {most}")
            })
    }
}

/// The same where every number will do.
pub(crate) fn any(text: &str) -> Result<u64, String> {
    let right = "must be a whole number, such as 7, and less than 2^64";
    bare(text).parse().map_err(|_| String::from(right))
}

/// A number without what parts its digits: traces write `5,000`.
fn bare(text: &str) -> String {
    text.replace([',', '_'], "")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_outside_its_range_or_none_at_all_is_told_the_range() {
        let level = within(1..=3_u8);
        assert_eq!(level("3"), Ok(3));
        for wrong in ["0", "4", "300", "-1", "x", ""] {
            let right = String::from("must be a whole number from 1 to 3");
            assert_eq!(level(wrong), Err(right), "{wrong}");
        }
        assert_eq!(any("18446744073709551615"), Ok(u64::MAX));
        assert_eq!(any("5,000"), Ok(5_000));
        for wrong in ["18446744073709551616", "-1", "0x5", "x"] {
            assert!(any(wrong).unwrap_err().contains("such as 7"), "{wrong}");
        }
    }
}
