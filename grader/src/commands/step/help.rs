//! What is said about the keys.

/// All keys.
pub(super) const HELP: &str = "\
 n  right  space   the next instruction
 p  left           the one before
 t  T              the next trap, the one before
 e  E              the next exit, the one before
 i  I              the next injected interrupt, the one before
 s  S              the next switch of who runs, the one before
 d  D              the next access to a device, the one before
 a  A              on to a symbol or an address, back to it
 g                 go to a time, forwards or back
 /                 on to the next event that has these words
 r                 on to the end; any key stops there
 m                 show memory, and how an address is mapped: 0x5000, rip, tick
 c                 change something, and see what follows:
                     rax=5   rip=tick   flags=0   [0x5000]=1f 2e
                     IF=0    inject 32
 l                 leave the change: back to the recorded run
 q                 quit

 Stars mark what has changed since the last stop. Going back is exact.
 Who looks for what does not come any more stays where they are.";

/// The keys that are used most, in one line of the smallest terminal.
pub(super) const HINT: &str =
    "n next  p back  t trap  e exit  i injection  g time  a symbol  ? help  q quit";

/// What is said when there is nothing to go to.
pub(super) const STAYS: &str = "this is where you were";

#[cfg(test)]
mod tests {
    use super::super::view::LEAST;
    use super::*;

    #[test]
    fn the_help_fits_into_the_smallest_terminal() {
        let (columns, rows) = LEAST;
        assert!(HELP.lines().all(|line| line.chars().count() <= columns));
        // Above it is an empty line, and below it one and how to go on.
        assert!(HELP.lines().count() + 3 <= rows);
        assert!(HINT.len() + 2 <= columns);
    }
}
