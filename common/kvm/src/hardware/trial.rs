//! The tiny guests with which KVM is tried, one for each ability.

use super::error::Error;
use super::host_cpu::HostCpu;
use super::machine::Machine;
use super::vcpu::Vcpu;
use crate::{Ability, Finding, Lack, Report};
use common::boot::selectors::{KERNEL_CODE, USER_CODE, USER_CODE_32, USER_DATA};
use common::{Boot, Exit, Memory, Pcpu, Size, Time};

/// Where a guest's code is, and the code that it enters.
const CODE: u64 = 0x10_0000;
const ENTERED: u64 = 0x10_0800;
/// Where its handler table is.
const IDT: u64 = 0x10_1000;
const SIZE: u64 = 2 << 20;

/// `out 0xf4, al`: the proof that code of the kernel runs.
const PROOF: [u8; 2] = [0xe6, 0xf4];
/// `mov eax, cs; and eax, 3; out 0xf4, al`: the same, with its privilege level.
const PROOF_OF_PRIVILEGE: [u8; 7] = [0x8c, 0xc8, 0x83, 0xe0, 0x03, PROOF[0], PROOF[1]];
const PROVEN: Exit = Exit::PortOut {
    port: 0xf4,
    size: Size::Byte,
    value: 0,
};

/// Nothing takes longer than this, in ticks of a microsecond, however busy the host
/// is. A KVM that can do what is asked comes back at once.
const PATIENCE: u64 = 3_000_000;

const USE_SOFTWARE: &str = "use the software cpu (`--engine interp`), or a host whose cpu \
                            virtualises in hardware";

/// Tries each ability with the KVM of `device`.
pub fn probe(device: &str) -> Report {
    let mut findings = Vec::new();
    for ability in Ability::ALL {
        let found = match ability {
            Ability::Vm => guest(device, &[]).map(drop),
            Ability::Kernel => kernel(device),
            Ability::Timer => timer(device),
            Ability::Interrupt => interrupt(device),
            Ability::Shadow => shadow(device),
            Ability::MissingGate => missing_gate(device),
            Ability::GateNumber => gate_number(device),
            Ability::SystemCall => system_call(device),
        };
        let goes_on = found.is_ok() || ability > Ability::Kernel;
        findings.push(Finding { ability, found });
        if !goes_on {
            break;
        }
    }
    Report { findings }
}

/// A guest with these bytes as its code, and the CPU to run it on.
pub(super) fn guest(device: &str, code: &[u8]) -> Result<(Pcpu<HostCpu>, Vcpu), Lack> {
    let lost = |what: &dyn std::fmt::Display| Lack {
        what: what.to_string(),
        mend: USE_SOFTWARE.to_string(),
    };
    let memory = Memory::new(SIZE).map_err(|error| lost(&error))?;
    let boot = Boot::prepare(&memory, CODE).map_err(|error| lost(&error))?;
    open_to_user(&memory);
    memory.write(CODE, code);
    memory.write(ENTERED, &PROOF_OF_PRIVILEGE);
    let vcpu = Machine::from_device(device, &memory)
        .and_then(|machine| machine.vcpu(&boot))
        .map_err(|error| lack_of(&error))?;
    Ok((HostCpu::pcpu(0, HostCpu::TICK), vcpu))
}

fn lack_of(error: &Error) -> Lack {
    Lack {
        what: error.to_string(),
        mend: error.mend().unwrap_or(USE_SOFTWARE).to_string(),
    }
}

/// Runs it, and compares.
fn expect(
    (pcpu, vcpu): &mut (Pcpu<HostCpu>, Vcpu),
    until: u64,
    expected: Exit,
    lack: &str,
) -> Result<(), Lack> {
    let until = pcpu.now + until;
    let exit = pcpu.run(vcpu, until);
    if exit == expected {
        return Ok(());
    }
    let seen = match vcpu.failure() {
        Some(failure) => failure.cause.to_string(),
        None => format!("{} came instead", exit.kind()),
    };
    Err(Lack {
        what: format!("{lack} ({seen})"),
        mend: USE_SOFTWARE.to_string(),
    })
}

fn kernel(device: &str) -> Result<(), Lack> {
    const OUT_HLT: [u8; 3] = [PROOF[0], PROOF[1], 0xf4];
    let mut guest = guest(device, &OUT_HLT)?;
    let lack = "this kvm does not report what a kernel writes to a port";
    expect(&mut guest, PATIENCE, PROVEN, lack)?;
    let lack = "this kvm does not report hlt";
    expect(&mut guest, PATIENCE, Exit::Halted, lack)
}

fn timer(device: &str) -> Result<(), Lack> {
    const JUMP_TO_ITSELF: [u8; 2] = [0xeb, 0xfe];
    let mut guest = guest(device, &JUMP_TO_ITSELF)?;
    let lack = "this kvm does not give a busy guest's cpu back in time";
    (0..3).try_for_each(|_| expect(&mut guest, 1_000, Exit::Deadline, lack))
}

/// The vector of #UD.
const UNDEFINED: u64 = 6;

/// `lidt [IDT]`: the table's own descriptor stands in the gate of vector 0.
const LIDT: [u8; 8] = [0x0f, 0x01, 0x1c, 0x25, 0x00, 0x10, 0x10, 0x00];

/// Writes a handler table that has a gate for this vector only.
fn write_handlers(memory: &Memory, vector: u8) {
    memory.store(IDT, Size::Word, 0xfff);
    memory.store(IDT + 2, Size::Qword, IDT);
    const PRESENT_INTERRUPT_GATE: u64 = 0x8e << 40;
    let gate = ENTERED & 0xffff
        | u64::from(KERNEL_CODE) << 16
        | PRESENT_INTERRUPT_GATE
        | (ENTERED >> 16 & 0xffff) << 48;
    memory.store(IDT + u64::from(vector) * 16, Size::Qword, gate);
    memory.store(IDT + u64::from(vector) * 16 + 8, Size::Qword, 0);
}

fn interrupt(device: &str) -> Result<(), Lack> {
    const VECTOR: u8 = 32;
    const STI_NOP_LOOP: [u8; 4] = [0xfb, 0x90, 0xeb, 0xfe];
    let mut guest = guest(device, &[&LIDT[..], &STI_NOP_LOOP].concat())?;
    write_handlers(guest.1.machine().memory(), VECTOR);
    let lack = "this kvm does not say when a guest opens interrupts";
    common::Vcpu::want_window(&mut guest.1, true);
    expect(&mut guest, PATIENCE, Exit::WindowOpen, lack)?;
    let lack = "this kvm does not deliver an interrupt that is injected";
    // If it was not accepted, the guest loops on, and that shows.
    let (pcpu, vcpu) = &mut guest;
    let _accepted = pcpu.inject(vcpu, VECTOR);
    expect(&mut guest, PATIENCE, PROVEN, lack)
}

fn shadow(device: &str) -> Result<(), Lack> {
    const HLT: [u8; 1] = [0xf4];
    let mut guest = guest(device, &HLT)?;
    let refused = |error: Error| lack_of(&error);
    let mut state = guest.1.state().map_err(refused)?;
    state.open_interrupts();
    guest.1.set_state(&state).map_err(refused)?;
    common::Vcpu::want_window(&mut guest.1, true);
    let lack = "this kvm loses the shadow of sti at an exit";
    expect(&mut guest, PATIENCE, Exit::Halted, lack)
}

/// Raises #UD, which has no gate, where #NP has one; the handler's first code is
/// `code`.
fn without_gate(device: &str, code: &[u8]) -> Result<(Pcpu<HostCpu>, Vcpu), Lack> {
    const NOT_PRESENT: u8 = 11;
    const UD2: [u8; 2] = [0x0f, 0x0b];
    const ABSENT_INTERRUPT_GATE: u64 = 0x0e << 40;
    let guest = guest(device, &[&LIDT[..], &UD2].concat())?;
    let memory = guest.1.machine().memory();
    write_handlers(memory, NOT_PRESENT);
    memory.store(IDT + UNDEFINED * 16, Size::Qword, ABSENT_INTERRUPT_GATE);
    memory.write(ENTERED, code);
    Ok(guest)
}

fn missing_gate(device: &str) -> Result<(), Lack> {
    let mut guest = without_gate(device, &PROOF_OF_PRIVILEGE)?;
    let lack = "this kvm does not raise #NP for an exception without a gate";
    expect(&mut guest, PATIENCE, PROVEN, lack)
}

fn gate_number(device: &str) -> Result<(), Lack> {
    const POP_RAX: u8 = 0x58;
    let mut guest = without_gate(device, &[POP_RAX, PROOF[0], PROOF[1]])?;
    // The gate's number, and that it is one of the IDT's (SDM vol. 3, 6.13).
    let error_code = Exit::PortOut {
        port: 0xf4,
        size: Size::Byte,
        value: (UNDEFINED << 3 | 0b10) as u32,
    };
    let lack = "this kvm's #NP does not name the gate that is missing";
    expect(&mut guest, PATIENCE, error_code, lack)
}

fn system_call(device: &str) -> Result<(), Lack> {
    const SYSCALL: [u8; 2] = [0x0f, 0x05];
    let mut guest = guest(device, &SYSCALL)?;
    let refused = |error: Error| lack_of(&error);
    let mut state = guest.1.state().map_err(refused)?;
    state.enter_user_mode(USER_CODE, USER_DATA);
    state.set_system_call(KERNEL_CODE, USER_CODE_32, ENTERED);
    guest.1.set_state(&state).map_err(refused)?;
    let lack = "this kvm does not enter kernel mode on syscall";
    expect(&mut guest, PATIENCE, PROVEN, lack)
}

/// Whether KVM overlooks that a guest takes interrupts if it does so for two
/// instructions only. A KVM that cannot even be asked overlooks nothing.
pub fn notices_windows_late(machine: impl Fn(&Memory) -> Result<Machine, Error>) -> bool {
    const STI_NOP_NOP_CLI_HLT: [u8; 5] = [0xfb, 0x90, 0x90, 0xfa, 0xf4];
    let first_exit = || {
        let memory = Memory::new(SIZE).ok()?;
        let boot = Boot::prepare(&memory, CODE).ok()?;
        memory.write(CODE, &STI_NOP_NOP_CLI_HLT)?;
        let mut vcpu = machine(&memory).ok()?.vcpu(&boot).ok()?;
        common::Vcpu::want_window(&mut vcpu, true);
        let mut pcpu = HostCpu::pcpu(0, HostCpu::TICK);
        Some(pcpu.run(&mut vcpu, Time(PATIENCE)))
    };
    first_exit() == Some(Exit::Halted)
}

/// Lets user mode use the first gibibyte. It must be done before anything runs:
/// PVM does not see what we change in page tables that are in use.
fn open_to_user(memory: &Memory) {
    const USER: u64 = 1 << 2;
    memory.set_bits(common::boot::PML4, USER);
    memory.set_bits(common::boot::PDPT, USER);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_device_that_is_not_there_is_said_with_what_to_do() {
        let report = probe("/dev/no-such-kvm");
        let lack = report.lack(1).unwrap();
        assert_eq!(lack.what, "there is no /dev/no-such-kvm on this host");
        assert!(lack.mend.contains("modprobe"));
        assert_eq!(report.findings.len(), 1);
    }

    #[test]
    fn a_device_that_is_no_kvm_is_told_from_one() {
        let report = probe("/dev/null");
        let lack = report.lack(1).unwrap();
        assert_eq!(lack.what, "/dev/null is there, but it is not kvm");
        assert!(!lack.mend.contains("kernel"), "{}", lack.mend);
    }

    #[test]
    fn the_probe_says_something_of_the_first_ability() {
        let report = crate::probe();
        for Finding { ability, found } in &report.findings {
            match found {
                Ok(()) => eprintln!("this kvm can {ability}"),
                Err(lack) => eprintln!("{lack}; {}", lack.mend),
            }
        }
        assert_eq!(report.findings[0].ability, Ability::Vm);
    }
}
