//! `watch` follows the saves.

use super::*;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::io::{BufRead, BufReader};
use std::process::{Child, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::Duration;

/// `cargo lab watch`, and what it prints.
struct Watch {
    child: Child,
    lines: Receiver<String>,
}

impl Watch {
    fn begin(scratch: &Scratch, stages: &[&str]) -> Watch {
        let arguments = [&["watch"], stages].concat();
        let mut command = lab(scratch, &arguments);
        let mut child = command.stdout(Stdio::piped()).spawn().expect("the lab");
        let stdout = BufReader::new(child.stdout.take().expect("a pipe"));
        let (sender, lines) = channel();
        thread::spawn(move || {
            let lines = stdout.lines().map_while(Result::ok);
            lines.for_each(|line| drop(sender.send(line)));
        });
        Watch { child, lines }
    }

    /// What it prints up to a line with this in it.
    fn until(&self, wanted: &str) -> String {
        const LONG: Duration = Duration::from_secs(300);
        let mut seen = String::new();
        loop {
            let line = self.lines.recv_timeout(LONG);
            let line = line.unwrap_or_else(|error| panic!("no '{wanted}' ({error}) in:\n{seen}"));
            seen += &line;
            seen.push('\n');
            if line.contains(wanted) {
                return seen;
            }
        }
    }

    /// What it prints until it waits for a save.
    fn until_it_waits(&self) -> String {
        self.until("save a file")
    }

    fn press_ctrl_c(mut self) -> ExitStatus {
        let pid = Pid::from_raw(self.child.id().cast_signed());
        kill(pid, Signal::SIGINT).expect("a signal");
        self.child.wait().expect("the end")
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        // Fails if it has ended, as it should.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn watch_follows_the_saves_over_code_that_does_not_compile() {
    let scratch = handed_out();
    let watch = Watch::begin(&scratch, &[]);
    let first = watch.until_it_waits();
    assert!(first.contains("watching v1\n"), "{first}");
    assert!(first.contains("next: v1-E1"), "{first}");

    scratch.write(PREPARE, "what is this?");
    let broken = watch.until_it_waits();
    assert!(broken.contains("v1 does not compile"), "{broken}");
    assert!(broken.contains(PREPARE), "{broken}");

    scratch.write(PREPARE, &solved(PREPARE));
    let mended = watch.until_it_waits();
    assert!(
        mended.contains(&format!("saved {PREPARE}: v1\n")),
        "{mended}"
    );
    assert!(mended.contains("next: v1-E2"), "{mended}");
    assert!(
        mended.contains("passes now   context-is-prepared"),
        "{mended}"
    );
    assert!(!mended.contains('\x1b'), "{mended}");
    assert_eq!(watch.press_ctrl_c().code(), Some(0));
}

#[test]
fn watch_grades_the_saved_version_first_and_then_those_above_it() {
    let scratch = fresh(&workspace());
    let watch = Watch::begin(&scratch, &["v1", "v2"]);
    watch.until_it_waits();
    scratch.write(LIB, &(solved(LIB) + "\n"));
    let below = watch.until_it_waits();
    assert!(
        below.contains(&format!("saved {LIB}: v1, then v2\n")),
        "{below}"
    );
    let first = below.find("v1 kernel only: 100 of 100 points");
    let second = below.find("v2 timer IRQ: 100 of 100 points");
    assert!(first.is_some() && first < second, "{below}");

    let above = "stages/v2-timer-irq/src/lib.rs";
    scratch.write(above, &(solved(above) + "\n"));
    let above = watch.until_it_waits();
    assert!(!above.contains("v1 kernel only"), "{above}");
    assert!(above.contains("v2 timer IRQ: 100 of 100 points"), "{above}");
}

/// The processes that `parent` started and that still run, by the names of their
/// programs.
#[cfg(target_os = "linux")]
fn children(parent: u32) -> Vec<String> {
    let entries = fs::read_dir("/proc").expect("processes").flatten();
    let stats = entries.filter_map(|entry| fs::read_to_string(entry.path().join("stat")).ok());
    let child = |stat: String| {
        let (head, tail) = stat.rsplit_once(") ")?;
        let is_child = tail.split(' ').nth(1) == Some(&parent.to_string());
        is_child.then(|| head.split('(').nth(1).unwrap_or_default().to_string())
    };
    stats.filter_map(child).collect()
}

#[test]
#[cfg(target_os = "linux")]
fn watch_abandons_code_that_hangs_on_a_save_and_on_ctrl_c() {
    let scratch = handed_out();
    let watch = Watch::begin(&scratch, &["v1"]);
    watch.until_it_waits();
    let runs = || children(watch.child.id()).contains(&String::from("run-v1"));
    let hangs = solved(PREPARE).replace("boot.entry;", "boot.entry; loop {}");
    let save_what_hangs = |text: &str| {
        scratch.write(PREPARE, text);
        watch.until("saved");
        while !runs() {
            thread::sleep(Duration::from_millis(5));
        }
    };
    save_what_hangs(&hangs);
    scratch.write(PREPARE, &solved(PREPARE));
    let abandoned = watch.until("saved");
    assert!(!abandoned.contains("of 100 points"), "{abandoned}");
    let mended = watch.until_it_waits();
    assert!(
        mended.contains("v1 kernel only: 10 of 100 points"),
        "{mended}"
    );
    assert!(!runs());

    save_what_hangs(&(hangs + "\n"));
    assert_eq!(watch.press_ctrl_c().code(), Some(0));
}
