//! How things are said to people.

use crate::fate::Fate;
use crate::vm_fate::VmFate;
use common::trace::{Record, Text};
use common::{Ending, Explanation, Symbols};
use evidence::host::What;
use evidence::{Engine, GivenUp};
use guests::catalogue;

/// One event on one line: when, what, and where if the engine tells that.
pub fn moment(record: &Record, symbols: &Symbols, engine: Engine) -> String {
    let mut line = Text::new(symbols).line(record);
    if engine == Engine::Interp {
        return line.to_string();
    }
    line.place.clear();
    line.to_string().trim_end().to_string()
}

/// All events, each on a line, below the heads of the columns.
pub fn trace(records: &[Record], symbols: &Symbols, engine: Engine) -> String {
    if engine == Engine::Interp {
        return Text::new(symbols).all(records);
    }
    let moments = records.iter().map(|record| moment(record, symbols, engine));
    let mut header = Text::new(symbols).header();
    header.place.clear();
    let header = format!("{KVM_TRACE}{}", header.to_string().trim_end());
    let lines = std::iter::once(header).chain(moments);
    lines.map(|line| line + "\n").collect()
}

/// What is said before a trace on kvm.
pub const KVM_TRACE: &str = "(on kvm a trace has exits, injections and devices. What the guest \
                             does between two exits, and where it is, the CPU keeps to itself.)\n";

/// Where the guest was, and with what in its registers, three on a line.
pub fn guest(explanation: &Explanation) -> Vec<String> {
    let at = format!(
        "guest at {}: {}",
        explanation.place, explanation.instruction
    );
    let registers: Vec<_> = explanation
        .registers
        .iter()
        .map(|register| register.to_string())
        .collect();
    std::iter::once(at)
        .chain(registers.chunks(3).map(|row| row.join("   ")))
        .collect()
}

/// Where two byte strings begin to differ, if they do.
pub fn first_difference(one: &[u8], other: &[u8]) -> Option<usize> {
    let same = one.iter().zip(other).take_while(|(a, b)| a == b).count();
    (same < one.len() || same < other.len()).then_some(same)
}

/// The line that holds byte number `at`: its number, and how it is in both.
pub fn differing_lines(one: &[u8], other: &[u8], at: usize) -> (usize, String, String) {
    let before = &one[..at];
    let number = before.iter().filter(|&&byte| byte == b'\n').count() + 1;
    let start = before
        .iter()
        .rposition(|&byte| byte == b'\n')
        .map_or(0, |end| end + 1);
    (number, line_at(one, start), line_at(other, start))
}

/// The line that begins at `start`, in quotes, its end included, not too long.
fn line_at(text: &[u8], start: usize) -> String {
    const LONGEST: usize = 100;
    let rest = &text[start.min(text.len())..];
    let end = rest
        .iter()
        .position(|&byte| byte == b'\n')
        .map_or(rest.len(), |end| end + 1);
    let shown = &rest[..end.min(LONGEST)];
    match (shown, end > LONGEST) {
        ([], _) => String::from("nothing more"),
        (_, true) => format!("\"{}…\"", shown.escape_ascii()),
        (_, false) => format!("\"{}\"", shown.escape_ascii()),
    }
}

/// A question about a console that differs from byte `at` on, if the way in which it
/// differs tells something.
pub fn thought_of_console(wanted: &[u8], seen: &[u8], at: usize) -> Option<&'static str> {
    if at == seen.len() {
        return Some(
            "the guest wrote more than arrived. Which of its writes did not come through, or which \
             part of its work did it not come to?",
        );
    }
    let came_before = at > 0 && seen[at] == wanted[at - 1];
    let goes_on = |from: usize| seen.get(at + 1) == wanted.get(from);
    if came_before && (at == wanted.len() || goes_on(at)) {
        return Some(
            "a byte came twice, and the guest wrote it once. What was done again that had been \
             done already?",
        );
    }
    if at == wanted.len() {
        return Some(
            "the guest was done, and yet more was written. What was done twice, or who did not \
             stop?",
        );
    }
    None
}

/// A question about what became of a run.
pub fn thought(fate: &Fate) -> &'static str {
    match fate {
        Fate::Ended(ending) => thought_of_ending(*ending),
        Fate::NotYet { .. } => "the guest has come this far: what does it need now?",
        Fate::Panicked { message, .. } if message.contains("no read waits for an answer") => {
            "an exit that reads is not over when it leaves you: the answer is still to come. Who \
             keeps in mind that somebody waits for it?"
        }
        Fate::Panicked { .. } => {
            "a VMM must outlive whatever its guest does. What did you take for granted here?"
        }
        Fate::Untrue { .. } => {
            "what does the guest have to do for this ending? Did it do that, or did your code \
             decide for it?"
        }
        Fate::LeftEarly(_) => "who may end the machine: the VMM or its guest?",
        Fate::Crashed(_) => "which function of yours calls itself, or keeps asking for more?",
        Fate::GivenUp(GivenUp::RunsOn) => {
            "at the deadline the host wants its CPU back. How does an entry learn of the deadline, \
             and who looks at the clock behind it?"
        }
        Fate::GivenUp(GivenUp::StandsStill) => {
            "the same thing happens again and again, at the same time. Who should have changed \
             something in between, so that the next time is different?"
        }
        Fate::GivenUp(GivenUp::OnlyTraps) => {
            "where does the guest trap, and what happens there each time? After a trap that was \
             dealt with it should get further"
        }
        Fate::Hung => {
            "virtual time ends every run, but only inside the guest. Which loop of yours goes \
             round without an entry, or never looks at what came back?"
        }
        Fate::Flooded => "what do you print in the loop, and how often does the loop go round?",
        Fate::Tampered => "what a run is graded by comes from the machine alone",
    }
}

fn thought_of_ending(ending: Ending) -> &'static str {
    match ending {
        Ending::Exited(0) => "the guest said that all went well. What should have stopped it?",
        Ending::Exited(_) => {
            "the guest itself found something wrong, and says so by its exit code. What did it not \
             get back as it left it?"
        }
        Ending::Halted => {
            "a guest that is done halts behind its write to the exit port. Did that write arrive?"
        }
        Ending::OutOfTime => {
            "the guest ran until its time was over. What does it do again and again, and what does \
             it wait for?"
        }
        Ending::Stopped => "somebody outside asked to stop. Who, and did you act on it once?",
        Ending::Died(_) => {
            "your virtual CPU gave up at the last trap. Should it know this one, or is the guest \
             where it should never have come?"
        }
    }
}

/// A question about what became of one VM among many.
pub fn thought_of_vm(fate: &VmFate) -> &'static str {
    match fate {
        VmFate::Ended(ending) => thought_of_ending(*ending),
        VmFate::Untrue(_) => {
            "what does the guest have to do for this ending? Did it do that, or did your code \
             decide for it?"
        }
        VmFate::Alive(_) | VmFate::Unknown => {
            "who has to give this VM its next turn, and from where did it get lost?"
        }
    }
}

/// A question about something that must not be.
pub fn thought_of_violation(what: &What) -> &'static str {
    match what {
        What::Context(_) => {
            "another VM used this CPU in between. What of the first one was taken off, what was \
             put back, and what stayed where it was?"
        }
        What::TimeWentBack(_) => {
            "the vCPU came from a physical CPU whose clock was ahead. Who has to wait for whom?"
        }
        What::NotStarted => "who may put a VM into the runqueue, and when for the first time?",
        What::Paused => "where may a paused VM stand, and who takes it out of everywhere else?",
        What::Ended => "who still holds the number of a VM that has ended?",
    }
}

/// How a guest's model says that it ends.
pub fn model_ending(wanted: &catalogue::Ending) -> String {
    match wanted {
        catalogue::Ending::Exit(code) => ending(Ending::Exited(*code)),
        catalogue::Ending::Halt => ending(Ending::Halted),
        catalogue::Ending::Never { .. } => String::from("the guest never ends by itself"),
        catalogue::Ending::Death(_) | catalogue::Ending::TripleFault(_) => {
            String::from("the guest shuts down (triple fault)")
        }
    }
}

/// How a run ended, with the exit that it died of.
pub fn ending(ending: Ending) -> String {
    match ending {
        Ending::Died(exit) => format!("the guest died of an exit: {exit}"),
        _ => ending.to_string(),
    }
}

/// The manual's short name of an exception, by its vector.
pub fn exception(vector: u8) -> &'static str {
    const NAMES: [&str; 18] = [
        "#DE", "#DB", "NMI", "#BP", "#OF", "#BR", "#UD", "#NM", "#DF", "#?", "#TS", "#NP", "#SS",
        "#GP", "#PF", "#?", "#MF", "#AC",
    ];
    NAMES.get(usize::from(vector)).unwrap_or(&"#?")
}

/// A text behind a lead, in lines that are not too long, each with its line end.
pub fn wrapped(lead: &str, text: &str) -> String {
    wrapped_to(88, lead, text)
}

/// The same in lines of at most so many letters, unless a word is longer.
pub fn wrapped_to(width: usize, lead: &str, text: &str) -> String {
    let indent = lead.chars().count();
    let mut lines = String::new();
    let (mut line, mut length) = (lead.to_string(), indent);
    for word in text.split_whitespace() {
        let wide = word.chars().count();
        if length > indent && length + wide > width {
            lines += line.trim_end();
            lines.push('\n');
            (line, length) = (" ".repeat(indent), indent);
        }
        line += word;
        line.push(' ');
        length += wide + 1;
    }
    lines + line.trim_end() + "\n"
}

/// A number with its noun: `1 exit`, `2 exits`.
pub fn count(number: usize, noun: &str) -> String {
    match number {
        1 => format!("1 {noun}"),
        _ => format!("{number} {noun}s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_difference_is_found_where_it_begins() {
        assert_eq!(first_difference(b"abc", b"abc"), None);
        assert_eq!(first_difference(b"abc", b"abd"), Some(2));
        assert_eq!(first_difference(b"abc", b"ab"), Some(2));
        assert_eq!(first_difference(b"", b"x"), Some(0));
    }

    #[test]
    fn the_differing_line_is_shown_from_both() {
        let (line, one, other) = differing_lines(b"a\nbc\n", b"a\nbd", 3);
        assert_eq!((line, &*one, &*other), (2, "\"bc\\n\"", "\"bd\""));
        let (line, _, other) = differing_lines(b"a\nbc\n", b"a\n", 2);
        assert_eq!((line, &*other), (2, "nothing more"));
    }

    #[test]
    fn bytes_that_are_lost_doubled_or_too_many_are_asked_about_as_such() {
        let about = |wanted: &[u8], seen: &[u8]| {
            let at = first_difference(wanted, seen).unwrap();
            thought_of_console(wanted, seen, at)
        };
        let begins = |wanted: &[u8], seen: &[u8], words: &str| {
            about(wanted, seen).is_some_and(|thought| thought.starts_with(words))
        };
        assert!(begins(b"primes", b"prim", "the guest wrote more"));
        assert!(begins(b"primes", b"pprriimmeess", "a byte came twice"));
        assert!(begins(b"primes", b"primess", "a byte came twice"));
        assert!(begins(b"primes", b"primes below", "the guest was done"));
        assert_eq!(about(b"sum 17", b"sum 18"), None);
    }

    #[test]
    fn a_long_text_is_wrapped_beside_its_lead() {
        let text = "word ".repeat(40);
        let wrapped = wrapped("  name  ", &text);
        let lines: Vec<_> = wrapped.lines().collect();
        assert!(
            lines.iter().all(|line| line.len() <= 88) && lines.len() == 3,
            "{wrapped}"
        );
        assert!(lines[0].starts_with("  name  word") && lines[1].starts_with("        word"));
        assert_eq!(wrapped.matches("word").count(), 40);
    }

    #[test]
    fn one_is_not_many() {
        assert_eq!(
            (count(1, "exit"), count(0, "exit")),
            ("1 exit".into(), "0 exits".into())
        );
    }
}
