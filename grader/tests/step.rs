//! Stepping through a run: it is the plain run, whatever somebody looks at, and
//! however often they go back.
#![cfg(unix)]

mod support;

use common::Time;
use evidence::session::{Gone, Kind, Order as Wish, Place, Register, Stop, Until, What, Why};
use evidence::{Evidence, Frame, host};
use lab::compile::{Compiled, compile};
use lab::guest::Guest;
use lab::host_order::{HostOrder, VmOrder, observe_host};
use lab::observation::{Order, observe};
use lab::session::Session;
use lab::stages::Stage;
use std::collections::BTreeMap;
use std::path::PathBuf;
use support::scratch::Scratch;
use support::{stage, workspace};

fn runner(stage: &Stage) -> PathBuf {
    match compile(stage, &workspace()).expect("a build") {
        Compiled::Runner(runner) => runner,
        Compiled::Rejected(rejection) => panic!("{}", rejection.diagnostics),
    }
}

/// The versions with one VM. `HEPTAVISOR_STAGE=v2` asks for one of them.
fn stages() -> Vec<&'static Stage> {
    let only = std::env::var("HEPTAVISOR_STAGE").unwrap_or_default();
    let names = ["v1", "v2", "v3", "v4"].into_iter();
    names
        .filter(|name| name.contains(&only))
        .map(stage)
        .collect()
}

fn order(stage: &Stage, guest: &str) -> Order {
    let mut order = Guest::find(guest, stage).expect("a guest").order(1);
    order.scenario.records = u64::MAX;
    order
}

fn begin(stage: &Stage, guest: &str) -> Session {
    Session::begin(&runner(stage), &order(stage, guest)).expect("a session")
}

/// A repeatable choice: Steele, Lea and Flood's SplitMix64.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ self.0 >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ mixed >> 31) % bound.max(1)
    }
}

/// What was told, as the evidence of a plain run.
fn evidence(session: &Session) -> Evidence {
    let mut evidence = Evidence::default();
    for news in session.news() {
        match &news.what {
            What::One(Frame::Prepared(prepared)) => evidence.prepared = Some(*prepared.clone()),
            What::One(Frame::Record(record)) => evidence.records.push(*record),
            What::One(Frame::Console(bytes)) => evidence.console.extend(&bytes.0),
            What::One(Frame::End(end)) => evidence.end = Some(*end.clone()),
            _ => {}
        }
    }
    evidence
}

#[test]
fn a_run_that_is_stopped_often_is_the_plain_run() {
    for stage in stages() {
        for guest in Guest::made_for(stage) {
            let mut order = order(stage, guest.name());
            // Some never end, and two have a record for nearly every instruction.
            order.scenario.limit = match guest.name() {
                "flood" | "masked" => Time(100_000),
                _ => Time(1_000_000),
            };
            let plain = observe(&runner(stage), &order, |_| {}).expect("a run");
            let mut session = Session::begin(&runner(stage), &order).expect("a session");
            wander(&mut session);
            assert_eq!(evidence(&session), plain.evidence, "{}", guest.name());
        }
    }
}

/// Orders of the versions with many VMs: with sleepers, on several physical CPUs,
/// in both orders, with locks.
fn host_orders() -> Vec<(&'static Stage, HostOrder)> {
    let only = std::env::var("HEPTAVISOR_STAGE").unwrap_or_default();
    let vms = |stage, names: &[&str]| {
        let vm = |name: &&str| VmOrder::new(Guest::find(name, stage).expect("a guest"), 1);
        let mut order = HostOrder::new(names.iter().map(vm)).limit(1_000_000);
        order.scenario.records = u64::MAX;
        order
    };
    let [v5, v6, v7] = ["v5", "v6", "v7"].map(stage);
    let orders = vec![
        (v5, vms(v5, &["talker", "hog", "ticks"])),
        (v6, vms(v6, &["talker", "hog", "ticks"]).pcpus(2)),
        (
            v6,
            vms(v6, &["talker", "hog", "ticks"])
                .pcpus(3)
                .order(host::Order::Adversarial(5)),
        ),
        (v7, vms(v7, &["contended", "talker"]).pcpus(2)),
        (
            v7,
            vms(v7, &["contended", "hog"])
                .pcpus(2)
                .policy(host::Policy::SpinExits),
        ),
    ];
    orders
        .into_iter()
        .filter(|(stage, _)| stage.name.contains(&only))
        .collect()
}

/// Stops often, goes back now and then, and comes to the end.
fn wander(session: &mut Session) {
    let mut random = Random(1);
    for stride in (0..).map(|stop| 1 << (stop / 6).min(20)) {
        session.step(1 + random.below(stride)).expect("a step");
        if random.below(16) == 0 {
            session.step_back().expect("a step back");
        }
        if session.is_over() {
            return;
        }
    }
}

#[test]
fn a_run_of_many_vms_that_is_stopped_often_is_the_plain_run() {
    for (stage, order) in host_orders() {
        let plain = observe_host(&runner(stage), order.clone(), |_| {}).expect("a run");
        let plain = &plain.evidence.runs[0];
        let mut session = Session::begin_host(&runner(stage), &order).expect("a session");
        wander(&mut session);
        let mut end = None;
        let mut records = Vec::new();
        let mut consoles = BTreeMap::<u32, Vec<u8>>::new();
        for news in session.news() {
            match &news.what {
                What::Many(host::Frame::Record(record)) => records.push(*record),
                What::Many(host::Frame::Console { vm, bytes }) => {
                    consoles.entry(*vm).or_default().extend(&bytes.0);
                }
                What::Many(host::Frame::End(is)) => end = Some(is.clone()),
                _ => {}
            }
        }
        assert!(records == plain.records, "{}", stage.name);
        assert_eq!(consoles, plain.consoles, "{}", stage.name);
        assert_eq!(end, plain.end, "{}", stage.name);
    }
}

/// What is the same whenever a run stands at the same position.
fn state(session: &mut Session) -> (Stop, Vec<u8>, usize) {
    let mut stop = session.stop().clone();
    (stop.why, stop.depth, stop.from) = (Why::Arrived, 0, 0);
    let memory = session.read(Place::Physical(0), 1 << 20);
    (stop, memory.unwrap_or_default(), session.news().len())
}

#[test]
fn at_equal_positions_the_run_is_in_equal_states_however_it_came_there() {
    let mut sessions: Vec<_> = stages()
        .into_iter()
        .map(|stage| (stage, begin(stage, Guest::made_for(stage)[0].name())))
        .collect();
    sessions.extend(host_orders().into_iter().map(|(stage, order)| {
        let session = Session::begin_host(&runner(stage), &order);
        (stage, session.expect("a session"))
    }));
    for (stage, mut session) in sessions {
        session.run(Until::default()).expect("a run");
        let end = session.stop().position;
        let mut random = Random(7);
        let positions: Vec<_> = (0..25).map(|_| random.below(end)).collect();
        let mut seen = BTreeMap::new();
        for _ in 0..100 {
            let position = positions[random.below(25) as usize];
            session.go_to(position).expect("a way");
            let now = state(&mut session);
            let before = seen.entry(position).or_insert_with(|| now.clone());
            assert!(
                now.0 == before.0,
                "{}: {:?} {:?}",
                stage.name,
                now.0,
                before.0
            );
            assert!(now.1 == before.1, "{} at {position}: memory", stage.name);
            assert_eq!(now.2, before.2, "{} at {position}", stage.name);
        }
    }
}

#[test]
fn what_happened_can_be_gone_through_in_both_directions() {
    let mut session = begin(stage("v2"), "ticks");
    let mut there = Vec::new();
    for _ in 0..40 {
        session.next(Kind::Injection).expect("a way");
        there.push(session.stop().position);
    }
    let mut back = vec![session.stop().position];
    while session.previous(Kind::Injection).expect("a way") {
        back.push(session.stop().position);
    }
    back.reverse();
    assert_eq!(there, back);
}

#[test]
fn a_place_in_the_guest_is_found_forwards_and_backwards() {
    let mut session = begin(stage("v2"), "ticks");
    let handler = session.symbols().address_of("tick").expect("a handler");
    let until = Until {
        addresses: vec![handler],
        ..Until::default()
    };
    let mut there = Vec::new();
    for _ in 0..5 {
        session.run(until.clone()).expect("a way");
        assert_eq!(session.stop().why, Why::Address);
        there.push(session.stop().position);
    }
    let mut back = vec![session.stop().position];
    while session.back_until(&until).expect("a way") {
        back.push(session.stop().position);
    }
    back.reverse();
    assert_eq!(there, back);
}

#[test]
fn a_time_is_found_from_both_sides() {
    let mut session = begin(stage("v3"), "user");
    session.go_to_time(Time(50_000)).expect("a way");
    let here = state(&mut session);
    session.run(Until::default()).expect("a way");
    assert!(session.is_over());
    session.go_to_time(Time(50_000)).expect("a way");
    assert!(state(&mut session) == here);
    session.step_back().expect("a way");
    assert!(session.stop().time < Time(50_000));
}

#[test]
fn a_change_makes_a_branch_and_leaving_it_returns_to_the_recorded_run() {
    let mut session = begin(stage("v2"), "ticks");
    session.go_to_time(Time(30_000)).expect("a way");
    let here = state(&mut session);
    let rip = session
        .stop()
        .scene
        .as_ref()
        .expect("a guest")
        .registers
        .rip;

    session.set(Register::Rip, rip).expect("a change");
    session
        .write(Place::Physical(0x5000), vec![1, 2, 3])
        .expect("a change");
    let bytes = session.read(Place::Virtual(0x5000), 3).expect("memory");
    assert_eq!(bytes, [1, 2, 3]);
    session.step(1_000).expect("a step");
    let bytes = session.read(Place::Physical(0x5000), 3).expect("memory");
    assert_eq!(bytes, [1, 2, 3]);
    session.go_to(session.stop().position - 500).expect("a way");
    let bytes = session.read(Place::Physical(0x5000), 3).expect("memory");
    assert_eq!(
        bytes,
        [1, 2, 3],
        "going back inside the branch keeps the change"
    );
    assert!(session.is_branch());

    session.leave_branch().expect("a way");
    assert!(!session.is_branch());
    assert!(state(&mut session) == here);
    let plain = observe(&runner(stage("v2")), &order(stage("v2"), "ticks"), |_| {});
    session.run(Until::default()).expect("a way");
    assert_eq!(evidence(&session), plain.expect("a run").evidence);
}

/// The value of one item of the virtual state.
fn item(session: &Session, name: &str) -> String {
    let scene = session.stop().scene.as_ref().expect("a guest");
    let found = scene.state.iter().find(|(known, _)| known == name);
    found.expect("an item of the state").1.clone()
}

#[test]
fn the_virtual_state_and_an_interrupt_out_of_nowhere_can_be_seen() {
    let mut session = begin(stage("v2"), "ticks");
    while item(&session, "IF") != "1" || item(&session, "shadow") != "0" {
        session.step(1).expect("a step");
    }
    let handler = session.symbols().address_of("tick").expect("a handler");
    let before = session.stop().position;
    session.order(Wish::Inject(32)).expect("an order");
    assert!(session.stop().position <= before + 1);
    let scene = session.stop().scene.as_ref().expect("a guest");
    assert_eq!(scene.registers.rip, handler);
    assert_eq!(
        item(&session, "IF"),
        "0",
        "an interrupt gate closes interrupts"
    );

    session.leave_branch().expect("a way");
    session.order(Wish::SetInterrupts(false)).expect("an order");
    assert_eq!(item(&session, "IF"), "0");
}

#[test]
fn what_is_refused_makes_no_branch_and_changes_nothing() {
    let mut session = begin(stage("v2"), "ticks");
    session.step(3).expect("a step");
    let here = state(&mut session);
    assert_eq!(item(&session, "IF"), "0");
    let told = session.order(Wish::Inject(32)).expect("an answer");
    assert!(!told.is_empty());
    assert!(!session.is_branch());
    assert!(state(&mut session) == here);

    let nowhere = Place::Virtual(1 << 46);
    session.write(nowhere, vec![1]).expect_err("no memory");
    assert!(!session.is_branch());
    assert!(state(&mut session) == here);

    session.set(Register::Flags, 0).expect("a change");
    session.order(Wish::Inject(32)).expect("an answer");
    session.write(nowhere, vec![1]).expect_err("no memory");
    assert!(session.is_branch(), "what was changed before stays");
}

#[test]
fn the_way_to_what_does_not_come_any_more_ends_where_it_began() {
    let mut session = begin(stage("v2"), "ticks");
    session.go_to_time(Time(250_000)).expect("a way");
    let here = state(&mut session);
    assert!(!session.next(Kind::Switch).expect("a way"));
    assert!(state(&mut session) == here);
    assert!(session.next(Kind::Injection).expect("a way"));
    while session.next(Kind::Exit).expect("a way") {}
    assert!(session.is_over(), "the last exit is the end");
}

/// Not a test: the controller that the next test kills. It says who its runner is
/// and then lets a guest run that never ends, or waits.
#[test]
#[ignore = "is killed by another test"]
fn a_controller() {
    let stage = stage("v1");
    let mut order = order(stage, "keeper");
    order.scenario.limit = Time::NEVER;
    let mut session = Session::begin(&runner(stage), &order).expect("a session");
    session.step(1_000_000).expect("a way");
    let rip = session
        .stop()
        .scene
        .as_ref()
        .expect("a guest")
        .registers
        .rip;
    let jump_to_itself = vec![0xeb, 0xfe];
    session
        .write(Place::Virtual(rip), jump_to_itself)
        .expect("a change");
    assert!(session.stop().depth >= 3);
    println!("\ngroup {}", session.process_group());
    match std::env::var_os("RUNS_ON") {
        Some(_) => drop(session.run(Until::default())),
        None => std::thread::sleep(std::time::Duration::from_secs(60)),
    }
}

#[test]
#[cfg(target_os = "linux")]
fn no_process_outlives_a_controller_that_is_killed() {
    use std::io::{BufRead, BufReader};
    use std::process::{Command, Stdio};
    use std::time::{Duration, Instant};
    for runs_on in [false, true] {
        let mut command = Command::new(std::env::current_exe().expect("this program"));
        command.args(["--exact", "a_controller", "--ignored", "--nocapture"]);
        if runs_on {
            command.env("RUNS_ON", "1");
        }
        let mut controller = command
            .stdout(Stdio::piped())
            .spawn()
            .expect("a controller");
        let mut lines = BufReader::new(controller.stdout.take().expect("its output")).lines();
        let group = lines.find_map(|line| Some(line.ok()?.strip_prefix("group ")?.to_string()));
        let group = group.expect("its group");
        std::thread::sleep(Duration::from_millis(200));
        assert!(alive(&group) >= 4, "{}", alive(&group));
        controller.kill().expect("killed");
        controller.wait().expect("killed");
        let begin = Instant::now();
        while alive(&group) > 0 {
            assert!(
                begin.elapsed() < Duration::from_secs(20),
                "somebody is left"
            );
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

/// How many processes of a group there are that have not ended.
#[cfg(target_os = "linux")]
fn alive(group: &str) -> usize {
    let stats = std::fs::read_dir("/proc").expect("processes");
    let stats =
        stats.filter_map(|entry| std::fs::read_to_string(entry.ok()?.path().join("stat")).ok());
    stats
        .filter(|stat| {
            let after_name = stat.rsplit_once(')').map_or("", |(_, rest)| rest);
            let fields: Vec<_> = after_name.split_whitespace().collect();
            matches!(fields[..], [state, _, of, ..] if state != "Z" && of == group)
        })
        .count()
}

/// What a version's code may do when its guest halts, and why the run stands then.
const MISDEEDS: [(&str, Why); 4] = [
    ("panic!(\"here\");", Why::Over),
    ("loop {}", Why::Back(Gone::Hung)),
    ("std::process::abort();", Why::Back(Gone::Signal(6))),
    ("std::process::exit(3);", Why::Back(Gone::Exited(3))),
];

#[test]
fn whatever_the_code_does_the_session_goes_on() {
    let scratch = Scratch::of(&workspace());
    let file = stage("v1").sources(&scratch.workspace).join("monitor.rs");
    let text = std::fs::read_to_string(&file).expect("the monitor");
    let halted = "return ControlFlow::Break(Ending::Halted);";
    assert!(text.contains(halted));
    for (misdeed, why) in MISDEEDS {
        std::fs::write(&file, text.replace(halted, misdeed)).expect("a change");
        let Ok(Compiled::Runner(runner)) = compile(stage("v1"), &scratch.workspace) else {
            panic!("{misdeed} does not compile");
        };
        let order = order(stage("v1"), "halt");
        let mut session = Session::begin(&runner, &order).expect("a session");
        session.run(Until::default()).expect("a way");
        assert_eq!(session.stop().why, why, "{misdeed}");
        let panics = |what: &What| matches!(what, What::One(Frame::Panic(_)));
        let panicked = session.news().iter().any(|news| panics(&news.what));
        assert_eq!(panicked, why == Why::Over, "{misdeed}");
        session.go_to(0).expect("a way");
        assert_eq!(session.stop().position, 0);
        assert!(session.stop().scene.is_some());
    }
}

/// Stepping back in a long run: `cargo test -p lab --test step -- --ignored
/// how_long --nocapture`.
#[test]
#[ignore = "a measurement"]
fn how_long_going_back_takes() {
    use std::time::Instant;
    let stage = stage("v2");
    let mut order = order(stage, "ticks");
    order.scenario.limit = Time(100_000_000);
    let mut session = Session::begin(&runner(stage), &order).expect("a session");
    session.step(300_000).expect("a way");
    let rip = session
        .stop()
        .scene
        .as_ref()
        .expect("a guest")
        .registers
        .rip;
    // xor loop for ever: lea rax, [rax+1]; jmp back
    session
        .write(
            Place::Virtual(rip),
            vec![0x48, 0x8d, 0x40, 0x01, 0xeb, 0xfa],
        )
        .expect("a change");
    let begin = Instant::now();
    session.run(Until::default()).expect("a way");
    println!(
        "there: {:?}, {} checkpoints, position {}",
        begin.elapsed(),
        session.stop().depth,
        session.stop().position
    );
    let end = session.stop().position;
    session.go_to(end - 10_000_000).expect("a way");
    let begin = Instant::now();
    let nowhere = Until {
        addresses: vec![1],
        position: Some(end),
        ..Until::default()
    };
    session.run(nowhere).expect("a way");
    println!(
        "to no address in 10,000,000 instructions: {:?}",
        begin.elapsed()
    );
    for _ in 0..4 {
        let begin = Instant::now();
        session.step_back().expect("a way");
        println!(
            "one back: {:?}, position {}",
            begin.elapsed(),
            session.stop().position
        );
    }
    for position in [99_000_000, 50_000_000, 80_000_000, 400_000] {
        let begin = Instant::now();
        session.go_to(position).expect("a way");
        println!(
            "to {position}: {:?}, {:?}",
            begin.elapsed(),
            session.stop().depth
        );
        let begin = Instant::now();
        session.step_back().expect("a way");
        println!("one back: {:?}", begin.elapsed());
    }
}
