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

mod support;

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
fn a_breakpoint_on_a_symbol_stops_where_the_plain_run_passes_it_and_steps_follow_it() {
    let Some(debugged) = Debugged::run(&["v2"]) else {
        return;
    };
    let said = debugged.gdb(&[
        "break tick",
        "continue",
        REGISTERS,
        "stepi",
        REGISTERS,
        "stepi",
        REGISTERS,
        "continue",
        REGISTERS,
    ]);
    let mut session = ticks();
    let tick = at(&session, "tick");
    session.run(tick.clone()).expect("a way");
    let mut expected = vec![here(&mut session)];
    for _ in 0..2 {
        session.step(1).expect("a step");
        expected.push(here(&mut session));
    }
    session.run(tick).expect("a way");
    expected.push(here(&mut session));
    assert_eq!(lines(&said, "registers"), expected, "{said}");
    assert!(
        said.contains("Breakpoint 1, 0x") && said.contains("in tick ()"),
        "{said}"
    );
}

#[test]
fn the_way_back_is_the_way_there() {
    let Some(debugged) = Debugged::run(&["v2", "--at", "5000"]) else {
        return;
    };
    let there = [
        "break tick",
        "continue",
        REGISTERS,
        "continue",
        REGISTERS,
        "stepi",
        "stepi",
    ];
    let back = [
        "reverse-stepi",
        "reverse-stepi",
        REGISTERS,
        "reverse-continue",
        REGISTERS,
        "reverse-continue",
        "monitor time",
    ];
    let said = debugged.gdb(&[&there[..], &back[..]].concat());
    let found = lines(&said, "registers");
    let [first, second, again, back_at_first] = found[..] else {
        panic!("{said}");
    };
    assert_eq!((second, first), (again, back_at_first), "{said}");
    assert_ne!(first, second);
    assert!(said.contains("No more reverse-execution history"), "{said}");
    assert!(said.contains("time 0, cpu 0"), "{said}");
}

#[test]
fn a_watchpoint_stops_behind_a_change_and_on_the_way_back_before_it() {
    let Some(debugged) = Debugged::run(&["v2"]) else {
        return;
    };
    let mut session = ticks();
    session.run(at(&session, "tick")).expect("a way");
    let rsp = session
        .registers_of(None)
        .expect("registers")
        .registers
        .get(Gpr::Rsp);
    // The first instruction of the handler pushes a zero there; the frame of an
    // interrupt had its place elsewhere before.
    let watch = format!("watch *(unsigned long *){:#x}", rsp);
    let said = debugged.gdb(&[
        &watch,
        "continue",
        REGISTERS,
        "monitor time",
        "reverse-continue",
        REGISTERS,
        "stepi",
        REGISTERS,
    ]);
    assert!(said.contains("Hardware watchpoint 1"), "{said}");
    let found = lines(&said, "registers");
    let [changed, before, again] = found[..] else {
        panic!("{said}");
    };
    assert_eq!(changed, again, "{said}");
    assert_ne!(changed, before);
    let values = [lines(&said, "Old value = "), lines(&said, "New value = ")];
    let value = |line: &str| line.rsplit(' ').next().map(str::to_string);
    assert_eq!(value(values[0][0]), value(values[1][1]), "{said}");
    assert_eq!(value(values[1][0]), value(values[0][1]), "{said}");
}

#[test]
fn a_change_by_the_instruction_at_a_breakpoint_is_not_missed() {
    let Some(debugged) = Debugged::run(&["v2"]) else {
        return;
    };
    // The first instruction of the handler pushes a zero.
    let watch = "watch -l *(unsigned long *)($rsp - 8)";
    let fill = "set *(unsigned long *)($rsp - 8) = 7";
    let said = debugged.gdb(&["break tick", "continue", fill, watch, "continue"]);
    assert!(said.contains("Hardware watchpoint 2"), "{said}");
    assert_eq!(lines(&said, "New value = "), ["New value = 0"], "{said}");
}

#[test]
fn a_read_watchpoint_is_refused_with_a_reason() {
    let Some(mut debugged) = Debugged::run(&["v2"]) else {
        return;
    };
    let said = debugged.gdb(&["rwatch *(long *)0x5000", "continue"]);
    assert!(said.contains("Could not insert hardware"), "{said}");
    let line = debugged.says("refused");
    assert!(line.contains("no read watchpoints"), "{line}");
}

#[test]
fn gdb_can_ask_where_rip_is_mapped_and_is_told_when_nothing_has_changed() {
    let Some(debugged) = Debugged::run(&["v2"]) else {
        return;
    };
    let said = debugged.gdb(&[
        "monitor walk $RIP",
        "monitor inject 32",
        "monitor time",
        "monitor walk nowhere",
    ]);
    for wanted in [
        "kernel: read, write, execute",
        "inject vector 32: the virtual cpu refuses",
        "nothing has changed",
        "'nowhere': must be a number",
    ] {
        assert!(said.contains(wanted), "no '{wanted}': {said}");
    }
    assert!(!said.contains("this is a branch"), "{said}");
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
fn from_the_end_of_a_run_there_is_a_way_back() {
    let Some(debugged) = Debugged::run(&["v2"]) else {
        return;
    };
    let said = debugged.gdb(&[
        "continue",
        REGISTERS,
        "stepi",
        "reverse-stepi",
        "stepi",
        REGISTERS,
        "monitor time",
    ]);
    let mut session = ticks();
    session.run(Until::default()).expect("a way");
    let end = here(&mut session);
    assert_eq!(lines(&said, "registers"), [&end[..], &end[..]], "{said}");
    assert!(
        said.contains("end: the guest exited with success"),
        "{said}"
    );
    assert!(said.contains("tick 10\n"), "the console: {said}");
    let console = String::from_utf8(session.console()).expect("text");
    assert!(said.contains(console.trim_end()), "{said}");
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

#[test]
fn ctrl_c_stops_a_guest_that_never_ends() {
    let Some(debugged) = Debugged::run(&["v1", "--guest", "endless", "--limit", "never"]) else {
        return;
    };
    let gdb = debugged.gdb_with(&["continue", "x/i $rip", "reverse-stepi", "monitor time"]);
    let process = gdb.id();
    let interrupter = std::thread::spawn(move || {
        std::thread::sleep(Duration::from_secs(3));
        signal(process, "INT");
    });
    let said = said_by(gdb);
    interrupter.join().expect("the signal");
    assert!(said.contains("received signal SIGINT"), "{said}");
    assert!(
        said.contains("=> 0x") && lines(&said, "time ").len() == 1,
        "{said}"
    );
}

#[test]
fn in_a_terminal_gdb_is_started_and_ctrl_c_is_its_own() {
    if !is_there("gdb") || !is_there("tmux") {
        return;
    }
    let socket = format!("heptavisor-debug-{}", std::process::id());
    let tmux = |arguments: &[&str]| {
        let mut command = Command::new("tmux");
        let output = command.args(["-L", &socket]).args(arguments).output();
        String::from_utf8(output.expect("tmux").stdout).expect("text")
    };
    let wait_for = |wanted: &str| {
        let begin = Instant::now();
        while !tmux(&["capture-pane", "-p"]).contains(wanted) {
            let screen = tmux(&["capture-pane", "-p"]);
            if begin.elapsed() > PATIENCE {
                tmux(&["kill-server"]);
                panic!("no '{wanted}': {screen}");
            }
            std::thread::sleep(Duration::from_millis(100));
        }
    };
    let lab = env!("CARGO_BIN_EXE_lab");
    let debug = format!("'{lab}' debug v1 --guest endless --limit never");
    let shell = format!("{debug}; echo left with $?; sleep 60");
    tmux(&["new-session", "-d", "-x", "120", "-y", "40", &shell]);
    wait_for("(gdb)");
    tmux(&["send-keys", "continue", "Enter"]);
    wait_for("Continuing.");
    std::thread::sleep(Duration::from_secs(1));
    tmux(&["send-keys", "C-c"]);
    wait_for("received signal SIGINT");
    tmux(&["send-keys", "monitor time", "Enter"]);
    wait_for("time ");
    tmux(&["send-keys", "detach", "Enter", "quit", "Enter"]);
    wait_for("left with 0");
    tmux(&["kill-server"]);
}

#[test]
fn after_a_gdb_that_was_killed_the_next_one_finds_the_run_where_it_was() {
    let Some(mut debugged) = Debugged::run(&["v2"]) else {
        return;
    };
    let mut gdb = debugged.gdb_with(&["break tick", "continue", REGISTERS, "shell sleep 60"]);
    let mut stdout = BufReader::new(gdb.stdout.take().expect("its output")).lines();
    let there = stdout.find_map(|line| line.ok().filter(|line| line.starts_with("registers")));
    gdb.kill().expect("killed");
    gdb.wait().expect("killed");
    debugged.says("gdb is gone; the run stays at time");
    debugged.says("the run waits for gdb");
    let said = debugged.gdb(&[REGISTERS, "continue"]);
    assert_eq!(
        lines(&said, "registers"),
        [there.expect("registers")],
        "{said}"
    );
    assert!(
        said.contains("the guest exited with success"),
        "its breakpoint is gone: {said}"
    );
    debugged.says("gdb has let go of the run");
}

#[test]
fn killing_the_run_from_gdb_or_by_a_signal_leaves_nothing_behind() {
    for how in ["kill", "TERM"] {
        let Some(mut debugged) = Debugged::run(&["v2"]) else {
            return;
        };
        let image = debugged.gdb(&["info files"]);
        assert!(
            image.contains(&format!("guest-{}.elf", debugged.port)),
            "{image}"
        );
        match how {
            "kill" => drop(debugged.gdb(&["kill"])),
            signal_name => signal(debugged.process.id(), signal_name),
        }
        let status = debugged.process.wait().expect("its end");
        assert_eq!(status.code(), Some(0), "{how}");
        assert!(!debugged.commands.exists(), "{how}");
        // What its process number was is nobody's now, so that dropping it is safe.
        debugged.process = Command::new("sleep").arg("60").spawn().expect("a process");
    }
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

/// Two VMs on two physical CPUs, the first with several vCPUs.
const VMS: [&str; 7] = ["v7", "--vm", "contended", "--vm", "talker", "--pcpus", "2"];

fn vms() -> Session {
    let stage = stage("v7");
    let vm = |name: &&str| VmOrder::new(Guest::find(name, stage).expect("a guest"), 1);
    let order = HostOrder::new([VMS[2], VMS[4]].iter().map(vm)).pcpus(2);
    Session::begin_host(&runner(stage), &order).expect("a session")
}

#[test]
fn every_vcpu_is_a_thread_with_the_registers_that_it_left() {
    let Some(debugged) = Debugged::run(&[&VMS[..], &["--at", "60000"]].concat()) else {
        return;
    };
    let each = format!("thread apply all -q -s {REGISTERS}");
    let said = debugged.gdb(&["info threads", "monitor time", &each]);
    let mut session = vms();
    session.go_to_time(Time(60_000)).expect("a way");
    let mut expected = Vec::new();
    for name in session.vcpus().to_vec() {
        let described = format!("vm {} vcpu {}, ", name.vm, name.vcpu);
        assert!(said.contains(&described), "no '{described}': {said}");
        expected.push(registers(
            &session.registers_of(Some(name)).expect("registers"),
        ));
    }
    let mut found = lines(&said, "registers");
    found.sort_unstable();
    expected.sort_unstable();
    assert_eq!(found, expected, "{said}");
    assert!(
        said.contains("on cpu 0") && said.contains("on cpu 1"),
        "{said}"
    );
    let current = session.stop().vcpu.expect("somebody");
    let described = format!("vm {} vcpu {}, on cpu", current.vm, current.vcpu);
    let star = lines(&said, "* ");
    assert!(star[0].contains(&described), "{said}");
}

#[test]
fn a_step_of_a_thread_is_one_instruction_of_its_own_and_back() {
    let Some(mut debugged) = Debugged::run(&[&VMS[..], &["--at", "60000"]].concat()) else {
        return;
    };
    let mut session = vms();
    session.go_to_time(Time(60_000)).expect("a way");
    let current = session.stop().vcpu;
    let others: Vec<_> = session.vcpus().to_vec();
    let others = others.into_iter();
    let other = others
        .clone()
        .find(|name| Some(*name) != current && name.vm == 0);
    let other = other.expect("another vcpu");
    // gdb counts threads in the order in which it hears of them: the current one first.
    let rest = others.filter(|name| Some(*name) != current);
    let number = 2 + rest
        .into_iter()
        .position(|name| name == other)
        .expect("its number");
    let before = registers(&session.registers_of(Some(other)).expect("registers"));
    session
        .run(Until {
            vcpu: Some(other),
            ..Until::default()
        })
        .expect("a way");
    assert_eq!(session.stop().why, Why::Turn);
    assert_eq!(session.stop().vcpu, Some(other));
    let turn = here(&mut session);
    session.step(1).expect("a step");
    let after = registers(&session.registers_of(Some(other)).expect("registers"));

    let thread = format!("thread {number}");
    let said = debugged.gdb(&[
        &thread,
        REGISTERS,
        "set $rax = 77",
        "stepi",
        REGISTERS,
        "reverse-stepi",
        REGISTERS,
    ]);
    assert_eq!(lines(&said, "registers"), [before, after, turn], "{said}");
    let line = debugged.says("refused");
    assert!(
        line.contains("not about to run cannot be changed"),
        "{line}"
    );
}

#[test]
fn a_breakpoint_counts_in_the_vm_whose_symbols_gdb_has() {
    let vms = ["v5", "--vm", "ticks", "--vm", "ticks", "--symbols", "1"];
    let Some(debugged) = Debugged::run(&vms) else {
        return;
    };
    let mut commands = vec!["break tick"];
    for _ in 0..5 {
        commands.extend(["continue", "monitor time"]);
    }
    let said = debugged.gdb(&commands);
    let times = lines(&said, "time ");
    assert_eq!(times.len(), 5, "{said}");
    let name = VcpuName { vm: 1, vcpu: 0 };
    assert!(
        times
            .iter()
            .all(|line| line.contains(&format!("{name} is about to run"))),
        "{said}"
    );
}

#[test]
fn at_the_end_of_many_vms_their_last_registers_are_there() {
    let Some(debugged) = Debugged::run(&VMS) else {
        return;
    };
    let said = debugged.gdb(&[
        "continue",
        "info threads",
        REGISTERS,
        "reverse-stepi",
        "monitor time",
    ]);
    assert!(
        said.contains("vm: vm 0 has ended") || said.contains("vm: 0 has ended"),
        "{said}"
    );
    assert_eq!(lines(&said, "registers").len(), 1, "{said}");
    assert!(said.contains("is about to run"), "{said}");
}
