//! `cargo lab debug` with the real gdb, in batch mode.
#![cfg(unix)]

use common::trace::VcpuName;
use common::{Gpr, Time};
use evidence::session::{RegisterSet, Until, Why};
use lab::compile::{Compiled, compile};
use lab::guest::Guest;
use lab::host_order::{HostOrder, VmOrder};
use lab::observation::Order;
use lab::session::Session;
use lab::stages::Stage;
use std::io::{BufRead, BufReader, Read};
use std::net::TcpListener;
use std::path::PathBuf;
use std::process::{Child, ChildStderr, Command, Output, Stdio};
use std::time::{Duration, Instant};

mod going;
mod leaving;
#[path = "../support/mod.rs"]
mod support;
mod vms;

use support::{stage, workspace};

/// Nothing here takes longer.
const PATIENCE: Duration = Duration::from_secs(120);

/// Whether there is such a program. If not, says so; with its name in
/// `HEPTAVISOR_REQUIRE` that is a failure.
fn is_there(program: &str) -> bool {
    let there = Command::new(program).arg("-V").output().is_ok();
    let required = std::env::var("HEPTAVISOR_REQUIRE").unwrap_or_default();
    assert!(
        there || !required.split(',').any(|word| word == program),
        "HEPTAVISOR_REQUIRE names {program}, but there is none"
    );
    if !there {
        eprintln!("skipped: there is no {program}");
    }
    there
}

/// A run that waits for gdb.
struct Debugged {
    process: Child,
    stderr: BufReader<ChildStderr>,
    port: u16,
    commands: PathBuf,
}

impl Debugged {
    /// `cargo lab debug` with these arguments; `None` where there is no gdb.
    fn run(arguments: &[&str]) -> Option<Debugged> {
        if !is_there("gdb") {
            return None;
        }
        let mut command = Command::new(env!("CARGO_BIN_EXE_lab"));
        command.arg("debug").args(arguments).stdin(Stdio::null());
        command.current_dir(&workspace().root);
        command.stdout(Stdio::null()).stderr(Stdio::piped());
        let mut process = command.spawn().expect("the lab command");
        let stderr = BufReader::new(process.stderr.take().expect("its errors"));
        let mut debugged = Debugged {
            process,
            stderr,
            port: 0,
            commands: PathBuf::new(),
        };
        let line = debugged.says("the run waits for gdb at 127.0.0.1:");
        let port = line.split(&[':', ';'][..]).nth(1).expect("a port");
        debugged.port = port.parse().expect("a port");
        let line = debugged.says("  gdb -x ");
        debugged.commands = workspace()
            .root
            .join(line.trim_start_matches("  gdb -x ").trim_end());
        Some(debugged)
    }

    /// Waits until it says something that begins like this.
    fn says(&mut self, beginning: &str) -> String {
        let mut all = String::new();
        loop {
            let mut line = String::new();
            let length = self.stderr.read_line(&mut line).expect("its errors");
            assert!(length > 0, "it never said '{beginning}', but: {all}");
            if line.starts_with(beginning) {
                return line;
            }
            all += &line;
        }
    }

    /// A gdb that comes to it and carries out these commands.
    fn gdb_with(&self, commands: &[&str]) -> Child {
        let mut gdb = Command::new("gdb");
        gdb.args(["-nx", "--batch", "-x"]).arg(&self.commands);
        for command in commands {
            gdb.args(["-ex", command]);
        }
        gdb.stdin(Stdio::null());
        gdb.stdout(Stdio::piped()).stderr(Stdio::piped());
        gdb.spawn().expect("gdb")
    }

    /// What such a gdb says.
    fn gdb(&self, commands: &[&str]) -> String {
        said_by(self.gdb_with(commands))
    }
}

impl Drop for Debugged {
    fn drop(&mut self) {
        signal(self.process.id(), "TERM");
        let _ = self.process.wait();
    }
}

/// All that a gdb says, on both of its streams, until it ends.
fn said_by(mut gdb: Child) -> String {
    let begin = Instant::now();
    let mut stdout = gdb.stdout.take().expect("its output");
    let reader = std::thread::spawn(move || {
        let mut text = String::new();
        stdout.read_to_string(&mut text).map(|_| text)
    });
    while gdb.try_wait().expect("gdb").is_none() {
        if begin.elapsed() > PATIENCE {
            gdb.kill().expect("killed");
            panic!("gdb does not come to an end");
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    let mut text = reader.join().expect("read").expect("text");
    let mut stderr = gdb.stderr.take().expect("its errors");
    stderr.read_to_string(&mut text).expect("text");
    text
}

fn signal(process: u32, name: &str) {
    let kill = Command::new("kill")
        .args(["-s", name, &process.to_string()])
        .status();
    assert!(kill.expect("kill").success());
}

fn runner(stage: &Stage) -> PathBuf {
    match compile(stage, &workspace()).expect("a build") {
        Compiled::Runner(runner) => runner,
        Compiled::Rejected(rejection) => panic!("{}", rejection.diagnostics),
    }
}

fn order(stage: &Stage, guest: &str) -> Order {
    let mut order = Guest::find(guest, stage).expect("a guest").order(1);
    order.scenario.records = u64::MAX;
    order
}

/// The run of version 2's guest, without gdb.
fn ticks() -> Session {
    let stage = stage("v2");
    Session::begin(&runner(stage), &order(stage, "ticks")).expect("a session")
}

fn at(session: &Session, name: &str) -> Until {
    let address = session.symbols().address_of(name).expect("a symbol");
    Until {
        addresses: vec![address],
        ..Until::default()
    }
}

/// Has gdb say what is in the registers.
const REGISTERS: &str =
    "printf \"registers %lx %lx %lx %lx %lx\\n\", $rip, $rsp, $rax, $r15, $eflags & 0xcd5";

fn registers(set: &RegisterSet) -> String {
    let of = |register| set.registers.get(register);
    format!(
        "registers {:x} {:x} {:x} {:x} {:x}",
        set.registers.rip,
        of(Gpr::Rsp),
        of(Gpr::Rax),
        of(Gpr::R15),
        set.registers.flags & 0xcd5
    )
}

/// The registers of whoever is about to run.
fn here(session: &mut Session) -> String {
    registers(&session.registers_of(None).expect("registers"))
}

/// The lines that begin like this.
fn lines<'a>(text: &'a str, beginning: &str) -> Vec<&'a str> {
    let lines = text.lines();
    lines.filter(|line| line.starts_with(beginning)).collect()
}

#[test]
fn a_change_makes_a_branch_and_leaving_it_brings_the_recorded_run_back() {
    let Some(debugged) = Debugged::run(&["v2", "--at", "30000"]) else {
        return;
    };
    let said = debugged.gdb(&[
        REGISTERS,
        "set $rax = 0x123",
        "set *(long *)0x5000 = 77",
        "p *(long *)0x5000",
        "p/x $rax",
        "monitor time",
        "monitor inject 300",
        "monitor interrupts off",
        "stepi",
        "monitor leave",
        REGISTERS,
        "p *(long *)0x5000",
        "monitor leave",
    ]);
    let found = lines(&said, "registers");
    assert_eq!(found.len(), 2, "{said}");
    assert_eq!(found[0], found[1], "{said}");
    let printed = lines(&said, "$");
    assert_eq!(printed[..2], ["$1 = 77", "$2 = 0x123"], "{said}");
    assert_ne!(printed[2], "$3 = 77", "{said}");
    for wanted in [
        "this is a branch",
        "inject and a vector, 0 to 255",
        "close interrupts: done",
        "back in the recorded run",
        "nothing was changed",
    ] {
        assert!(said.contains(wanted), "no '{wanted}': {said}");
    }
}

#[test]
fn the_virtual_interrupt_flag_is_among_the_flags_and_can_be_set() {
    let Some(debugged) = Debugged::run(&["v2", "--at", "30000"]) else {
        return;
    };
    let said = debugged.gdb(&[
        "set $eflags = $eflags & ~0x200",
        "p $eflags & 0x200",
        "monitor state",
        "set $eflags = $eflags | 0x200",
        "p $eflags & 0x200",
        "monitor state",
    ]);
    assert_eq!(lines(&said, "$"), ["$1 = 0", "$2 = 512"], "{said}");
    assert_eq!(lines(&said, "IF"), ["IF 0", "IF 1"], "{said}");
}

#[test]
fn the_run_under_gdb_is_the_plain_run() {
    let Some(debugged) = Debugged::run(&["v2"]) else {
        return;
    };
    let steps = [
        "stepi 50",
        "reverse-stepi",
        "tbreak tick",
        "continue",
        "stepi 7",
        "reverse-continue",
    ];
    let said = debugged.gdb(&[&steps[..], &["continue", "monitor news 300"]].concat());
    let mut session = ticks();
    session.run(Until::default()).expect("a way");
    let news = session.news().iter();
    let told = news.filter_map(|news| session.in_words(news));
    let told: Vec<_> = told.map(|(who, what)| format!("{who:<7} {what}")).collect();
    let last = said.lines().filter(|line| line.starts_with("  "));
    let without_time = |line: &str| {
        let words = line.trim_start_matches(|letter: char| !letter.is_alphabetic());
        words.to_string()
    };
    let last: Vec<_> = last.map(without_time).collect();
    assert_eq!(last, told[told.len() - 300..], "{said}");
}

fn refused(arguments: &[&str]) -> String {
    let mut command = Command::new(env!("CARGO_BIN_EXE_lab"));
    let Output { status, stderr, .. } = command
        .arg("debug")
        .args(arguments)
        .output()
        .expect("the lab command");
    assert_eq!(status.code(), Some(2), "{arguments:?}");
    String::from_utf8(stderr).expect("text")
}

#[test]
fn what_cannot_be_debugged_is_refused_with_a_reason() {
    let taken = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = taken.local_addr().expect("a port").port().to_string();
    for (arguments, reason) in [
        (&["v2", "--port", &port][..], "is in use"),
        (&["v2", "--engine", "kvm"], "it cannot take it back"),
        (&["v6", "--order", "threads"], "no way back"),
        (&["v5", "--symbols", "9"], "numbered from 0 to"),
        (&["v2", "--at", "5", "--at", "6"], "where to begin"),
    ] {
        let said = refused(arguments);
        assert!(said.contains(reason), "{arguments:?}: {said}");
    }
}

#[test]
fn version_4s_guest_has_the_symbols_of_the_students_pieces() {
    let Some(debugged) = Debugged::run(&["v4"]) else {
        return;
    };
    let said = debugged.gdb(&[
        "x/i pick_thread",
        "break pick_thread",
        "continue",
        "x/i $rip",
    ]);
    assert!(said.contains("in pick_thread ()"), "{said}");
    // The bytes in the file and in memory are the same, and no hole.
    let code = said.lines().filter(|line| line.contains("<pick_thread>:"));
    let code: Vec<_> = code
        .map(|line| line.trim_start_matches("=>").trim())
        .collect();
    assert_eq!(code.len(), 2, "{said}");
    assert_eq!(code[0], code[1], "{said}");
    assert!(!code[0].ends_with("ret"), "{said}");
}
