//! `cargo lab step` as people use it: as plain text, and in a real terminal.
#![cfg(unix)]

use std::path::Path;
use std::process::{Command, Output};
use std::thread;
use std::time::{Duration, Instant};

fn lab(arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_lab"));
    command.args(arguments).output().expect("the lab command")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).expect("text")
}

/// The lines of a range, each with single spaces.
fn moments(arguments: &[&str]) -> Vec<String> {
    let output = lab(arguments);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let text = text(&output.stdout);
    let single = |line: &str| line.split_whitespace().collect::<Vec<_>>().join(" ");
    text.lines().map(single).collect()
}

#[test]
fn a_held_tick_is_told_as_a_story() {
    let lines = moments(&["step", "v2", "--from", "20000", "--to", "20310"]);
    let story = [
        "vmm refuses vector 32: the guest has interrupts closed",
        "vmm something is due, and held: the monitor waits for interrupts to open",
        "trap sti",
        "vmm lets one instruction run, and looks again: the shadow of sti",
        "state IF 0 → 1, shadow 0 → 1",
        "inject vector 32",
        "state IF 1 → 0, shadow 1 → 0",
    ];
    let mut lines = lines.iter();
    for wanted in story {
        assert!(
            lines.any(|line| line.starts_with(wanted)),
            "no '{wanted}' where it should be"
        );
    }
}

#[test]
fn what_a_delivery_does_to_the_stack_is_not_told_of_the_instruction_before() {
    let lines = moments(&["step", "v2", "--from", "20301", "--to", "20301"]);
    let story = lines
        .iter()
        .position(|line| line.starts_with("vmm delivers"));
    assert!(story.is_some(), "{lines:?}");
    assert!(
        !lines.iter().any(|line| line.contains(" rsp 0x")),
        "{lines:?}"
    );
}

#[test]
fn the_moments_in_labs_are_what_the_version_does_now() {
    const COMMAND: &str = "step v2 --guest masked --from 500112 --to 500114";
    let arguments: Vec<_> = COMMAND.split(' ').collect();
    let now = text(&lab(&arguments).stdout);
    let labs = include_str!("../../LABS.md");
    let (_, below) = labs.split_once(COMMAND).expect("the command in LABS.md");
    let shown = below.lines().skip(1).take_while(|line| !line.is_empty());
    let shown: Vec<_> = shown.map(str::trim_start).collect();
    let now: Vec<_> = now.lines().map(str::trim_start).collect();
    assert_eq!(shown, now);
}

#[test]
fn a_system_call_shows_both_modes() {
    let lines = moments(&["step", "v3", "--at", "20000", "--to", "20060"]);
    let call = lines.iter().position(|line| line.ends_with("user syscall"));
    let after = &lines[call.expect("a system call") + 1..];
    assert_eq!(after[0], "trap syscall");
    assert_eq!(
        after[1],
        "vmm emulates it, and the guest goes on at system_call"
    );
    assert!(
        after[2].starts_with("state mode user → kernel, IF 1 → 0"),
        "{}",
        after[2]
    );
}

#[test]
fn of_many_vms_it_is_told_who_runs_where() {
    let range = ["--from", "0", "--to", "1500"];
    let run = [
        "step", "v6", "--vm", "hog", "--vm", "talker", "--vm", "hog", "--pcpus", "2",
    ];
    let lines = moments(&[&run[..], &range[..]].concat());
    for wanted in ["runs vm 0 on cpu", "runs vm 2 on cpu"] {
        assert!(
            lines.iter().any(|line| line.starts_with(wanted)),
            "no '{wanted}'"
        );
    }
    assert!(lines.iter().any(|line| line.contains("cpu 1 vm")));
}

#[test]
fn of_a_time_behind_the_end_it_is_told_when_the_end_was() {
    let output = lab(&["step", "v1", "--guest", "halt", "--from", "99999"]);
    assert_eq!(output.status.code(), Some(0));
    assert!(text(&output.stderr).contains("the run is over at time"));
}

#[test]
fn what_cannot_be_stepped_through_is_refused_with_a_reason() {
    for (arguments, reason) in [
        (&["step", "v6", "--order", "threads"][..], "no way back"),
        (
            &["step", "v2", "--from", "5", "--to", "4"],
            "nothing between them",
        ),
        (&["step", "v2", "--engine", "kvm"], "Step on interp"),
        (&["step", "v2", "--trace"], "every moment is shown anyway"),
        (&["step", "v2", "--at", "5", "--at", "6"], "where to begin"),
    ] {
        let output = lab(arguments);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        assert!(text(&output.stderr).contains(reason), "{output:?}");
    }
}

/// A terminal of this size with the stepper in it; `None` where there is no tmux.
struct Terminal {
    socket: String,
}

impl Terminal {
    fn with(name: &str, (columns, rows): (u16, u16), step: &str) -> Option<Terminal> {
        let there = Command::new("tmux").arg("-V").output().is_ok();
        let required = std::env::var("HEPTAVISOR_REQUIRE").unwrap_or_default();
        assert!(
            there || !required.contains("tmux"),
            "HEPTAVISOR_REQUIRE names tmux, but there is none"
        );
        if !there {
            eprintln!("skipped: there is no tmux");
            return None;
        }
        let terminal = Terminal {
            socket: format!("heptavisor-{name}-{}", std::process::id()),
        };
        let lab = Path::new(env!("CARGO_BIN_EXE_lab")).display();
        let shell = format!("'{lab}' step {step}; echo \"left with $?\"; sleep 60");
        let size = [columns.to_string(), rows.to_string()];
        terminal.tmux(&["new-session", "-d", "-x", &size[0], "-y", &size[1], &shell]);
        Some(terminal)
    }

    fn tmux(&self, arguments: &[&str]) -> String {
        let mut command = Command::new("tmux");
        command.args(["-L", &self.socket]).args(arguments);
        text(&command.output().expect("tmux").stdout)
    }

    /// Presses keys, one after the other.
    fn press(&self, keys: &[&str]) {
        for key in keys {
            self.tmux(&["send-keys", key]);
        }
    }

    /// Presses a key that asks for a line, types the line, and ends it.
    fn answer(&self, key: &str, line: &str) {
        self.press(&[key]);
        self.tmux(&["send-keys", "-l", line]);
        self.press(&["Enter"]);
    }

    /// Waits until all of this is to be seen.
    fn sees(&self, wanted: &[&str]) -> String {
        let begin = Instant::now();
        loop {
            let screen = self.tmux(&["capture-pane", "-p"]);
            if wanted.iter().all(|words| screen.contains(words)) {
                return screen;
            }
            assert!(
                begin.elapsed() < Duration::from_secs(120),
                "no {wanted:?}:\n{screen}"
            );
            thread::sleep(Duration::from_millis(50));
        }
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        self.tmux(&["kill-server"]);
    }
}

#[test]
fn in_a_terminal_one_goes_forwards_and_back_changes_something_and_leaves() {
    let Some(terminal) = Terminal::with("walk", (110, 34), "v2") else {
        return;
    };
    terminal.sees(&["v2   time 0 ", "▶ start", "mode kernel"]);
    terminal.press(&["i"]);
    terminal.sees(&["time 20,302", "▶ tick ", "inject  vector 32"]);
    terminal.press(&["n"]);
    terminal.sees(&["time 20,303", "▶ tick+0x02"]);
    terminal.press(&["p"]);
    terminal.sees(&["time 20,302", "▶ tick "]);
    terminal.press(&["c", "r", "a", "x", "=", "0", "x", "7", "7", "Enter"]);
    terminal.sees(&["CHANGED", "*rax 77 "]);
    terminal.press(&["l"]);
    let screen = terminal.sees(&["time 20,302", "*rax c300"]);
    assert!(!screen.contains("CHANGED"), "{screen}");
    terminal.press(&["g", "5", ",", "0", "0", "0", "Enter"]);
    terminal.sees(&["time 5,000"]);
    terminal.press(&["a", "t", "i", "c", "k", "Enter"]);
    terminal.sees(&["time 20,302", "▶ tick "]);
    terminal.press(&["m", "t", "i", "c", "k", "Enter"]);
    terminal.sees(&["level 4", "guest-physical 0x10", "kernel: read"]);
    terminal.press(&["x", "?"]);
    terminal.sees(&["leave the change"]);
    terminal.press(&["x", "q"]);
    terminal.sees(&["left with 0"]);
}

#[test]
fn a_run_that_never_ends_stops_at_a_key() {
    let Some(terminal) = Terminal::with("endless", (90, 30), "v1 --guest endless --limit never")
    else {
        return;
    };
    terminal.sees(&["v1   time 0 ", "▶ start"]);
    terminal.press(&["r"]);
    thread::sleep(Duration::from_secs(2));
    terminal.press(&["x"]);
    let begin = Instant::now();
    while terminal.sees(&["v1   time"]).contains("time 0 ") {
        assert!(begin.elapsed() < Duration::from_secs(60), "it runs on");
        thread::sleep(Duration::from_millis(50));
    }
    terminal.press(&["q"]);
    terminal.sees(&["left with 0"]);
}

#[test]
#[cfg(target_os = "linux")]
fn who_loses_the_terminal_ends() {
    let Some(terminal) = Terminal::with("lost", (90, 30), "v1") else {
        return;
    };
    terminal.sees(&["v1   time 0 ", "▶ start"]);
    let shell = terminal.tmux(&["display-message", "-p", "#{pane_pid}"]);
    let shell = shell.trim();
    let children = std::fs::read_to_string(format!("/proc/{shell}/task/{shell}/children"));
    let lab = Path::new("/proc").join(children.expect("the stepper").trim());
    assert!(lab.exists());
    drop(terminal);
    let begin = Instant::now();
    while lab.exists() {
        assert!(
            begin.elapsed() < Duration::from_secs(30),
            "it is still there"
        );
        thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn a_terminal_that_is_too_small_says_how_large_it_must_be() {
    let Some(terminal) = Terminal::with("small", (60, 10), "v1") else {
        return;
    };
    terminal.sees(&["60 x 10", "80 x 24 or larger"]);
    terminal.press(&["?"]);
    thread::sleep(Duration::from_millis(500));
    let screen = terminal.sees(&["60 x 10", "80 x 24 or larger"]);
    assert!(!screen.contains("the next instruction"), "{screen}");
    terminal.press(&["x", "C-c"]);
    terminal.sees(&["left with 0"]);
}

#[test]
fn where_the_guest_is_can_be_asked_for_as_rip_in_any_case() {
    let Some(terminal) = Terminal::with("rip", (110, 34), "v3") else {
        return;
    };
    terminal.sees(&["v3   time 0 "]);
    terminal.answer("a", "user_code");
    terminal.sees(&["▶ user_code", "mode user"]);
    terminal.answer("m", "RIP");
    terminal.sees(&["level 1", "kernel: read", "user: read, execute"]);
    terminal.press(&["x", "q"]);
}

#[test]
fn what_is_not_found_is_said_and_the_place_is_not_lost() {
    let Some(terminal) = Terminal::with("stay", (110, 34), "v2") else {
        return;
    };
    terminal.sees(&["v2   time 0 "]);
    terminal.press(&["i"]);
    terminal.sees(&["time 20,302"]);
    for (key, line, said) in [
        (
            "/",
            "lock",
            "'lock' does not happen any more: this is where",
        ),
        (
            "a",
            "start",
            "the guest does not come there any more: this is",
        ),
        ("A", "0x7", "the guest was not there before: this is where"),
    ] {
        terminal.answer(key, line);
        terminal.sees(&["time 20,302", "▶ tick ", said]);
    }
    terminal.press(&["s"]);
    let none = "there is none after this moment: this is where";
    terminal.sees(&["time 20,302", "▶ tick ", none]);
    terminal.answer("/", "closed");
    terminal.sees(&[
        "refuses vector 32: the guest has interrupts closed",
        "q quit",
    ]);
    terminal.press(&["q"]);
}

#[test]
fn what_the_virtual_cpu_refuses_makes_no_branch() {
    let Some(terminal) = Terminal::with("refuse", (110, 34), "v2") else {
        return;
    };
    terminal.sees(&["v2   time 0 ", "IF 0"]);
    terminal.answer("c", "inject 32");
    let screen = terminal.sees(&["inject vector 32: the virtual cpu refuses; nothing has changed"]);
    assert!(!screen.contains("CHANGED"), "{screen}");
    terminal.press(&["q"]);
}

#[test]
fn of_many_vcpus_it_is_told_who_holds_the_lock_who_has_ended_and_whose_a_name_is() {
    let Some(terminal) = Terminal::with("lock", (80, 24), "v7") else {
        return;
    };
    terminal.sees(&["v7   time 0 ", "vm 0 vcpu "]);
    terminal.answer("g", "400000");
    // The lines break between items: nobody is cut in two.
    terminal.sees(&[
        "time 400,000",
        " cpu 0: vm 0 vcpu 2, wants the lock   cpu 1: vm 0 vcpu 1\n",
        " vm 0 vcpu 0 waits, has the lock   vm 0 vcpu 3 waits, wants the lock\n",
        " vm 2 vcpu 0 waits   vm 1 ended\n",
    ]);
    terminal.press(&["s"]);
    terminal.sees(&["   vm 2 vcpu 0\n"]);
    terminal.answer("m", "lock_owner");
    terminal.sees(&["vm 2's guest has no 'lock_owner'; vm 0's has"]);
    terminal.press(&["r"]);
    terminal.sees(&[
        "over",
        "cpu 0: nobody",
        "vm 0 ended   vm 1 ended   vm 2 ended",
    ]);
    terminal.press(&["q"]);
}

#[test]
fn a_register_is_whole_where_there_is_room_and_has_a_mark_where_there_is_none() {
    for (name, size, shown) in [
        ("narrow", (80, 24), "*r8  fed…76543210"),
        ("wide", (110, 40), "*r8  fedcba9876543210"),
    ] {
        let Some(terminal) = Terminal::with(name, size, "v2") else {
            return;
        };
        terminal.sees(&["v2   time 0 ", "q quit"]);
        terminal.answer("c", "r8=0xfedcba9876543210");
        terminal.sees(&["CHANGED", shown]);
        terminal.press(&["q"]);
    }
}
