//! A part of a class, for one of several machines.

use std::str::FromStr;

/// Part `number` of `of`, from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shard {
    /// Which.
    pub number: usize,
    /// Of how many.
    pub of: usize,
}

impl Shard {
    /// The whole class.
    pub const ALL: Shard = Shard { number: 1, of: 1 };

    /// What belongs to this part: every `of`-th, so that neighbours, which often
    /// take equally long, are spread.
    pub fn select<T>(self, all: Vec<T>) -> Vec<T> {
        let mine = |index: &usize| index % self.of == self.number - 1;
        let numbered = all.into_iter().enumerate();
        numbered
            .filter(|(index, _)| mine(index))
            .map(|(_, one)| one)
            .collect()
    }
}

impl FromStr for Shard {
    type Err = String;

    fn from_str(text: &str) -> Result<Shard, String> {
        let parts = text.split_once('/');
        let numbers = parts.and_then(|(i, n)| Some((i.parse().ok()?, n.parse().ok()?)));
        match numbers {
            Some((number, of)) if (1..=of).contains(&number) => Ok(Shard { number, of }),
            _ => Err(format!(
                "'{text}' is no part of a whole: write i/n with i from 1 to n, such as 2/8"
            )),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_parts_are_disjoint_and_make_the_whole() {
        let all: Vec<u32> = (0..17).collect();
        let mut together = Vec::new();
        for number in 1..=5 {
            together.extend(Shard { number, of: 5 }.select(all.clone()));
        }
        together.sort_unstable();
        assert_eq!(together, all);
        assert_eq!(Shard::ALL.select(all.clone()), all);
    }

    #[test]
    fn what_is_no_part_is_refused() {
        assert_eq!("2/8".parse(), Ok(Shard { number: 2, of: 8 }));
        for text in ["0/8", "9/8", "1", "a/b", "1/0", "-1/2", ""] {
            assert!(text.parse::<Shard>().is_err(), "{text}");
        }
    }
}
