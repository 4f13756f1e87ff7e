//! Ctrl-C, and gdbs that go away.

use super::*;

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
