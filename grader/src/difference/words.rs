//! All of it, for people.

use super::{Code, Difference};
use crate::compare::Table;
use crate::text::{count, wrapped};
use std::fmt;

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Difference {
            older,
            older_title,
            newer,
            newer_title,
            ..
        } = self;
        writeln!(f, "{older} {older_title} and {newer} {newer_title}\n")?;
        self.code(f)?;
        writeln!(f, "\nbehaviour: {} on both\n", self.workload)?;
        Table(&self.columns).fmt(f)?;
        for column in &self.columns {
            if let (Some(stage), Some(wrong)) = (column.stage, &column.wrong) {
                write!(
                    f,
                    "\n{}",
                    wrapped("", &format!("on {stage} it went wrong: {wrong}"))
                )?;
            }
        }
        write!(f, "\n{}", wrapped("", &self.same()))?;
        writeln!(f, "\nfirst workload of {newer}: {}\n", self.first.workload)?;
        for (stage, what) in [(older, &self.first.older), (newer, &self.first.newer)] {
            f.write_str(&wrapped(&format!("  on {stage}  "), what))?;
        }
        Ok(())
    }
}

impl Difference {
    fn code(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Code {
            modules,
            sizes,
            new_names,
            from_below,
        } = &self.code;
        writeln!(f, "code: lines without comments, blank ones and tests\n")?;
        let names = modules.iter().map(|module| module.name.len());
        let width = names.max().unwrap_or(0);
        for module in modules {
            let lead = format!("  {:5}  {:width$}  ", module.lines, module.name);
            f.write_str(&wrapped(&lead, &module.about))?;
        }
        writeln!(f)?;
        for size in sizes {
            writeln!(f, "  {:5}  all of {}", size.lines, size.stage)?;
        }
        writeln!(f)?;
        let lead = format!("  {} new public names: ", new_names.len());
        f.write_str(&wrapped(&lead, &new_names.join(", ")))?;
        for below in from_below {
            let lead = format!("  uses of {}: ", below.stage);
            f.write_str(&wrapped(&lead, &below.paths.join(", ")))?;
        }
        Ok(())
    }

    /// What the table says of the traps and exits that both have.
    fn same(&self) -> String {
        let [older, newer] = &self.columns[..] else {
            return String::new();
        };
        let (old, new) = (&older.measured, &newer.measured);
        let differing: Vec<_> = [(&old.traps, &new.traps), (&old.exits, &new.exits)]
            .into_iter()
            .flat_map(|(old, new)| {
                old.iter()
                    .chain(new)
                    .filter(move |one| !(old.contains(one) && new.contains(one)))
            })
            .map(|(name, _)| name.as_str())
            .collect();
        let mut names = differing;
        names.sort_unstable();
        names.dedup();
        match names.len() {
            0 => format!(
                "Not one trap or exit is different: to {} this guest is what it was to {}.",
                self.newer, self.older
            ),
            number => format!(
                "{} of event {} in number: {}.",
                count(number, "kind"),
                if number == 1 { "differs" } else { "differ" },
                names.join(", ")
            ),
        }
    }
}
