//! The guests of versions 1 to 5, each alone, print on hardware what their models
//! say, under the versions' own monitors.
//!
//! What is different there, and has to be: a guest that does what version 1
//! refuses may live on, since the hardware does support it.

#![cfg(all(target_os = "linux", target_arch = "x86_64"))]

mod support;

use common::devices::Apic;
use common::{Bus, Ending, Exit, HostTimer, Time};
use guests::catalogue::{self, Cause, Expected, SURVIVED};
use kvm::{Ability, HostCpu};
use support::{Console, can, can_run, vcpu};

/// The host's timer, in ticks.
const PERIOD: u64 = 2_000;
/// The time of a guest that ends, and of one that does not.
const LIMIT: Time = Time(60_000_000);
const SHORT: Time = Time(300_000);

/// Runs a guest under the monitor of `version`; it must do what is expected.
fn check(version: u8, name: &str, elf: &[u8], expected: &Expected) {
    let begin = std::time::Instant::now();
    let console = Console::default();
    let mut vcpu = vcpu(elf);
    let mut pcpu = HostCpu::pcpu(0, HostCpu::TICK);
    let mut bus = Bus::new(Box::new(console.clone()));
    let limit = match expected.ending {
        catalogue::Ending::Never { .. } => SHORT,
        _ => LIMIT,
    };
    let mut host = HostTimer::new(PERIOD, limit);
    let ending = match version {
        1 => v1::monitor::run(&mut vcpu, &mut pcpu, &mut bus, &mut host),
        _ => {
            let mut apic = Apic::new(0);
            v2::monitor::run(&mut vcpu, &mut pcpu, &mut bus, &mut apic, &mut host)
        }
    };
    let took = begin.elapsed();
    eprintln!("v{version} {name}: {ending} after {took:.1?}");
    let console = console.text();
    let why = vcpu.failure().map(ToString::to_string).unwrap_or_default();
    assert!(
        ends_as(ending, &expected.ending),
        "{name} should have ended with {:?}, but {ending:?}\n{why}\n{}",
        expected.ending,
        String::from_utf8_lossy(&console)
    );
    let printed = match &expected.ending {
        catalogue::Ending::Never { repeats } => is_repeated(&console, expected, repeats),
        // One that lives on says so.
        catalogue::Ending::Death(_) => console.starts_with(&expected.console),
        _ => console == expected.console,
    };
    assert!(printed, "{name}: {}", String::from_utf8_lossy(&console));
}

fn ends_as(ending: Ending, expected: &catalogue::Ending) -> bool {
    match expected {
        catalogue::Ending::Exit(code) => ending == Ending::Exited(*code),
        catalogue::Ending::Halt => ending == Ending::Halted,
        catalogue::Ending::Death(Cause::Privileged(_) | Cause::Unimplemented(_)) => {
            matches!(ending, Ending::Died(_)) || ending == Ending::Exited(SURVIVED.into())
        }
        catalogue::Ending::Death(_) => matches!(ending, Ending::Died(_)),
        catalogue::Ending::TripleFault(_) => matches!(ending, Ending::Died(Exit::Shutdown(_))),
        catalogue::Ending::Never { .. } => ending == Ending::OutOfTime,
    }
}

/// Whether a guest that never ends has printed its beginning and then the same
/// again and again.
fn is_repeated(console: &[u8], expected: &Expected, repeats: &[u8]) -> bool {
    let Some(rest) = console.strip_prefix(&expected.console[..]) else {
        return false;
    };
    match repeats.is_empty() {
        true => rest.is_empty(),
        false => rest.iter().eq(repeats.iter().cycle().take(rest.len())),
    }
}

/// What single guests need of a KVM, beside what their version needs. The last one needs
/// a CPU that refuses values, and the emulated one that forgets the number of a gate
/// does not.
const NEEDS: [(&str, Ability); 3] = [
    ("no-gate", Ability::GateNumber),
    ("double-fault", Ability::MissingGate),
    ("reserved-values", Ability::GateNumber),
];

fn check_all<'a>(version: u8, guests: impl Iterator<Item = &'a catalogue::Guest>) {
    if !can_run(version) {
        return;
    }
    for guest in guests.filter(|guest| guest.vcpus == 1) {
        let mut needs = NEEDS.iter().filter(|need| need.0 == guest.name);
        if needs.all(|need| can(need.1, guest.name)) {
            let elf = guest.build(1).elf();
            check(version, guest.name, &elf, &guest.expected(1));
        }
    }
}

#[test]
fn the_guests_of_version_1_do_what_their_models_say() {
    check_all(1, guests::v1::guests());
}

#[test]
fn the_guests_of_version_2_do_what_their_models_say() {
    check_all(2, guests::v2::guests());
}

#[test]
fn the_guests_of_version_3_do_what_their_models_say() {
    check_all(3, guests::v3::guests());
}

/// They need no scheduler: each is a whole VM's guest.
#[test]
fn the_tenants_of_version_5_do_alone_what_their_models_say() {
    check_all(5, guests::v5::guests());
}

#[test]
fn the_thread_kernels_of_version_4_do_what_their_models_say() {
    if can_run(4) {
        for guest in guests::v4::guests() {
            let elf = guest.build(&v4::THREADS, 1).elf();
            check(4, guest.name, &elf, &guest.expected(1));
        }
    }
}
