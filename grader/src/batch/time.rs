//! Points in time, as people and tables write them: `2026-10-01T23:59:00+02:00`.

/// Seconds since the beginning of 1970, UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Moment(pub i64);

/// Seconds of a day.
const DAY: i64 = 86_400;

impl Moment {
    /// Reads a date, a time and a zone (`Z` or `+hh:mm`), as in RFC 3339. A blank
    /// may stand for the `T`.
    ///
    /// # Errors
    /// If it is something else.
    pub fn parse(text: &str) -> Result<Moment, String> {
        parse(text.trim()).ok_or_else(|| {
            format!("'{text}' is no time: write it like 2026-10-01T23:59:00Z, with its zone")
        })
    }

    /// Days begun since `due`; 0 if it is not later.
    pub fn days_after(self, due: Moment) -> u32 {
        let late = (self.0 - due.0).max(0);
        let days = late / DAY + i64::from(late % DAY > 0);
        u32::try_from(days).unwrap_or(u32::MAX)
    }
}

impl std::fmt::Display for Moment {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (day, second) = (self.0.div_euclid(DAY), self.0.rem_euclid(DAY));
        let (year, month, day) = civil(day);
        let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
        write!(
            f,
            "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z"
        )
    }
}

fn parse(text: &str) -> Option<Moment> {
    let (date, rest) = text.split_at_checked(10)?;
    let rest = rest.strip_prefix(['T', 't', ' '])?;
    let (time, zone) = rest.split_at_checked(8)?;
    let [year, month, day] = numbers(date, '-')?;
    let [hour, minute, second] = numbers(time, ':')?;
    let fits = (1..=12).contains(&month)
        && (1..=days_in(year, month)).contains(&day)
        && hour < 24
        && minute < 60
        && second <= 60;
    // Fractions of a second do not matter.
    let zone = match zone.strip_prefix('.') {
        Some(rest) => rest.trim_start_matches(|digit: char| digit.is_ascii_digit()),
        None => zone,
    };
    let east = match zone {
        "Z" | "z" => 0,
        zone => {
            let sign = match zone.chars().next()? {
                '+' => 1,
                '-' => -1,
                _ => return None,
            };
            let [hours, minutes] = numbers(zone.get(1..)?, ':')?;
            sign * (hours * 3600 + minutes * 60)
        }
    };
    let seconds = hour * 3600 + minute * 60 + second;
    fits.then(|| Moment(days(year, month, day) * DAY + seconds - east))
}

fn numbers<const N: usize>(text: &str, between: char) -> Option<[i64; N]> {
    let digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    let parts: Option<Vec<i64>> = text
        .split(between)
        .map(|part| part.parse().ok().filter(|_| digits(part)))
        .collect();
    parts?.try_into().ok()
}

/// Days since the beginning of 1970. Years begin in March here, so that the day
/// that comes and goes is the last one.
fn days(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let month = (month + 9) % 12;
    let leap_days = year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400);
    year * 365 + leap_days + (month * 153 + 2) / 5 + day - 1 - 719_468
}

fn days_in(year: i64, month: i64) -> i64 {
    let next = if month == 12 {
        (year + 1, 1)
    } else {
        (year, month + 1)
    };
    days(next.0, next.1, 1) - days(year, month, 1)
}

/// The date of a day since the beginning of 1970.
fn civil(day: i64) -> (i64, i64, i64) {
    let mut year = 1970 + day.div_euclid(366);
    while days(year + 1, 1, 1) <= day {
        year += 1;
    }
    let mut month = 1;
    while month < 12 && days(year, month + 1, 1) <= day {
        month += 1;
    }
    (year, month, day - days(year, month, 1) + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_with_their_zones_and_written_in_utc() {
        for (text, written) in [
            ("1970-01-01T00:00:00Z", "1970-01-01T00:00:00Z"),
            ("2026-10-01T23:59:00+02:00", "2026-10-01T21:59:00Z"),
            ("2024-02-29 12:00:00.25-05:30", "2024-02-29T17:30:00Z"),
            ("1969-12-31T23:00:00Z", "1969-12-31T23:00:00Z"),
            ("2000-12-31T23:59:59Z", "2000-12-31T23:59:59Z"),
        ] {
            assert_eq!(Moment::parse(text).unwrap().to_string(), written);
        }
        assert_eq!(
            Moment::parse("2001-09-09T01:46:40Z"),
            Ok(Moment(1_000_000_000))
        );
    }

    #[test]
    fn what_is_no_time_is_refused() {
        for text in [
            "",
            "tomorrow",
            "2026-10-01",
            "2026-10-01T10:00:00",
            "2026-02-29T10:00:00Z",
            "2026-13-01T10:00:00Z",
            "2026-10-01T24:00:00Z",
            "2026-10-01T10:00:00+0200",
            "ä026-10-01T10:00:00Z",
        ] {
            assert!(Moment::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_day_that_has_begun_counts() {
        let due = Moment(0);
        for (after, days) in [(-5, 0), (0, 0), (1, 1), (DAY, 1), (DAY + 1, 2)] {
            assert_eq!(Moment(after).days_after(due), days);
        }
    }
}
