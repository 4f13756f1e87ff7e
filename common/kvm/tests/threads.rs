//! Kicks, and vCPUs in several threads: nothing is lost whoever is faster.

#![cfg(all(target_os = "linux", target_arch = "x86_64"))]

mod support;

use common::{Boot, Exit, Kick, Memory, Size, Time};
use kvm::{HostCpu, Machine, Vcpu};
use std::hint::black_box;
use std::sync::Barrier;
use std::sync::mpsc::channel;
use std::time::Duration;
use support::{Bare, CODE, can_run};

/// `jmp` to itself.
const FOREVER: [u8; 2] = [0xeb, 0xfe];
/// `out 0x70, al; inc al; jmp` to the beginning.
const COUNT: [u8; 6] = [0xe6, 0x70, 0xfe, 0xc0, 0xeb, 0xfa];
const ROUNDS: u32 = 300;

const fn counted(value: u32) -> Exit {
    let (port, size) = (0x70, Size::Byte);
    Exit::PortOut { port, size, value }
}

/// Kicks once in each round, after a wait that is another each time: some kicks
/// find the CPU before it enters, some within, some on its way out. The next
/// round begins when the kick has arrived, which `run` waits for.
fn kick_in_every_round(kick: &Kick, mut run: impl FnMut(u32)) {
    let kick = kick.clone();
    let (begins, rounds) = channel();
    std::thread::scope(|scope| {
        scope.spawn(move || {
            for round in rounds {
                // No `pause`: where QEMU emulates the hardware, it waits too long.
                for turn in 0..round * 7919 % 10_000 {
                    black_box(turn);
                }
                kick.kick();
            }
        });
        // Ours here, so that the other thread ends if this one panics.
        let begins = begins;
        for round in 1..=ROUNDS {
            begins.send(round).unwrap();
            run(round);
        }
    });
}

#[test]
fn no_kick_is_lost_while_the_guest_does_nothing_for_us() {
    if !can_run(1) {
        return;
    }
    let mut guest = Bare::new(&FOREVER);
    let kick = guest.pcpu.kick.clone();
    kick_in_every_round(&kick, |round| {
        assert_eq!(guest.run(), Exit::Kicked, "in round {round}");
    });
    assert!(!guest.pcpu.kick.take(), "a kick is taken once");
}

#[test]
fn no_kick_is_lost_among_exits_and_no_exit_among_kicks() {
    if !can_run(1) {
        return;
    }
    let mut guest = Bare::new(&COUNT);
    let mut next = 0;
    let kick = guest.pcpu.kick.clone();
    kick_in_every_round(&kick, |round| {
        let begin = guest.pcpu.now;
        loop {
            match guest.run() {
                Exit::Kicked => break,
                exit => assert_eq!(exit, counted(next), "in round {round}"),
            }
            next = (next + 1) % 256;
            let waited = guest.pcpu.now.since(begin);
            assert!(waited < 5_000_000, "the kick of round {round} is lost");
        }
    });
}

/// A signal that one vCPU of a thread has taken must not stop another, or the same
/// one later, for ever.
#[test]
fn vcpus_that_take_turns_on_one_cpu_all_go_on_after_kicks() {
    if !can_run(1) {
        return;
    }
    let mut guests = [0; 3].map(|_| Bare::new(&COUNT));
    let mut pcpu = HostCpu::pcpu(0, HostCpu::TICK);
    let mut next = [0; 3];
    let kick = pcpu.kick.clone();
    kick_in_every_round(&kick, |round| {
        let mut kicked = false;
        let begin = pcpu.now;
        for turn in 0.. {
            let guest = turn % guests.len();
            let until = pcpu.now + 5_000_000;
            match pcpu.run(&mut guests[guest].vcpu, until) {
                Exit::Kicked => kicked = true,
                exit => {
                    assert_eq!(exit, counted(next[guest]), "in round {round}");
                    next[guest] = (next[guest] + 1) % 256;
                    if kicked && guest + 1 == guests.len() {
                        break;
                    }
                }
            }
            let waited = pcpu.now.since(begin);
            assert!(waited < 5_000_000, "the kick of round {round} is lost");
        }
    });
}

#[test]
fn a_vcpu_goes_from_thread_to_thread_and_back_and_counts_on() {
    if !can_run(1) {
        return;
    }
    let Bare { mut vcpu, .. } = Bare::new(&COUNT);
    let mut pcpus = [0, 1].map(|id| HostCpu::pcpu(id, HostCpu::TICK));
    let vcpu = std::sync::Mutex::new((&mut vcpu, 0));
    let barrier = Barrier::new(pcpus.len());
    std::thread::scope(|scope| {
        for pcpu in &mut pcpus {
            scope.spawn(|| {
                for _ in 0..ROUNDS {
                    let mut turn = vcpu.lock().unwrap();
                    let (vcpu, next) = &mut *turn;
                    let until = pcpu.now + 5_000_000;
                    assert_eq!(pcpu.run(*vcpu, until), counted(*next));
                    *next = (*next + 1) % 256;
                    drop(turn);
                    barrier.wait();
                }
            });
        }
    });
    assert_eq!(vcpu.into_inner().unwrap().1, 2 * ROUNDS % 256);
}

#[test]
fn a_cpu_that_goes_to_another_thread_and_back_still_has_its_deadlines() {
    if !can_run(1) {
        return;
    }
    let mut guest = Bare::new(&FOREVER);
    let kick = guest.pcpu.kick.clone();
    let (finished, waits) = channel();
    // Calls the guest back if nobody else does.
    std::thread::spawn(move || match waits.recv_timeout(Duration::from_secs(5)) {
        Ok(()) => {}
        Err(_) => kick.kick(),
    });
    let mut deadline = || {
        let until = guest.pcpu.now + 2_000;
        assert_eq!(guest.pcpu.run(&mut guest.vcpu, until), Exit::Deadline);
    };
    deadline();
    std::thread::scope(|scope| scope.spawn(&mut deadline).join().unwrap());
    deadline();
    finished.send(()).unwrap();
}

/// The vCPUs of one VM add to the same number, each in a thread of its own.
#[test]
fn vcpus_of_one_vm_run_at_once_and_share_its_memory() {
    if !can_run(1) {
        return;
    }
    // mov ecx, 10000; again: lock inc dword [0x200000]; loop again; hlt
    let code = [
        0xb9, 0x10, 0x27, 0, 0, 0xf0, 0xff, 0x04, 0x25, 0, 0, 0x20, 0, 0xe2, 0xf6, 0xf4,
    ];
    let memory = Memory::new(4 << 20).unwrap();
    memory.write(CODE, &code).unwrap();
    let boot = Boot::prepare(&memory, CODE).unwrap();
    let machine = Machine::new(&memory).unwrap();
    std::thread::scope(|scope| {
        for number in 0..4 {
            let mut vcpu = machine.vcpu(&boot.for_vcpu(number).unwrap()).unwrap();
            scope.spawn(move || assert_eq!(run_alone(&mut vcpu), Exit::Halted));
        }
    });
    assert_eq!(memory.load(0x20_0000, Size::Dword), Some(40_000));
}

#[test]
fn vms_in_threads_of_their_own_do_not_see_each_other() {
    if !can_run(1) {
        return;
    }
    // mov [0x200000], eax; mov eax, [0x200000]; out 0x70, eax; inc eax; jmp
    let code = [
        0x89, 0x04, 0x25, 0, 0, 0x20, 0, 0x8b, 0x04, 0x25, 0, 0, 0x20, 0, 0xe7, 0x70, 0xff, 0xc0,
        0xeb, 0xec,
    ];
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                let mut guest = Bare::new(&code);
                for value in 0..ROUNDS {
                    let (port, size) = (0x70, Size::Dword);
                    assert_eq!(guest.run(), Exit::PortOut { port, size, value });
                }
            });
        }
    });
}

fn run_alone(vcpu: &mut Vcpu) -> Exit {
    HostCpu::pcpu(0, HostCpu::TICK).run(vcpu, Time(5_000_000))
}
