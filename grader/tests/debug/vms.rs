//! Many VMs, each vCPU a thread.

use super::*;

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
