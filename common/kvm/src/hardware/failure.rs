//! Why a vCPU cannot go on: all that KVM says, for people.

use common::{Gpr, Memory, Mmio, MmioOperation, Size, SystemInstruction, Trap};
use iced_x86::{Decoder, DecoderOptions, Formatter, IntelFormatter};
use kvm_bindings::{
    KVM_INTERNAL_ERROR_DELIVERY_EV, KVM_INTERNAL_ERROR_EMULATION, KVM_INTERNAL_ERROR_SIMUL_EX,
    KVM_INTERNAL_ERROR_UNEXPECTED_EXIT_REASON,
};
use kvm_ioctls::VcpuFd;
use std::fmt;
use std::io;

use super::state::General;

/// Why a vCPU cannot go on, and where it was.
#[derive(Debug)]
pub struct Failure {
    /// What KVM says.
    pub cause: Cause,
    /// The registers, if KVM still gives them. After a shutdown they may be those
    /// of a CPU that was just reset.
    pub registers: Option<General>,
    /// The bytes at RIP, up to 15; none if they are not in RAM.
    pub code: Vec<u8>,
    /// Where RIP is in guest-physical memory, if it is mapped.
    pub place: Option<u64>,
}

/// What KVM says.
#[derive(Debug)]
pub enum Cause {
    /// `KVM_EXIT_INTERNAL_ERROR`: KVM itself cannot go on, mostly since it cannot
    /// emulate an instruction.
    Internal {
        /// Which kind (`KVM_INTERNAL_ERROR_*`).
        suberror: u32,
        /// What KVM adds to it.
        data: Vec<u64>,
    },
    /// `KVM_EXIT_FAIL_ENTRY`: the hardware refuses the guest's state.
    Entry(u64),
    /// `KVM_EXIT_SHUTDOWN`: the triple fault.
    Shutdown,
    /// An exit that this engine does not know.
    Unknown(u32),
    /// The request to run failed.
    Run(io::Error),
    /// The host gives the thread no timer.
    Timer(io::Error),
}

impl Failure {
    /// Asks the vCPU where it is.
    pub(super) fn of(cause: Cause, vcpu: &VcpuFd, memory: &Memory) -> Failure {
        let registers = vcpu.get_regs().ok().map(General::from);
        let translate = |rip| {
            vcpu.translate_gva(rip)
                .ok()
                .filter(|found| found.valid != 0)
        };
        let place = registers
            .and_then(|registers| translate(registers.rip))
            .map(|found| found.physical_address);
        Failure {
            cause,
            registers,
            code: place.map_or(Vec::new(), |place| code_at(memory, place)),
            place,
        }
    }

    /// What this is in the terms of the versions, if the guest has done something
    /// that this KVM does not support.
    pub(super) fn unsupported(&self, memory: &Memory) -> Option<Trap> {
        if !matches!(
            self.cause,
            Cause::Internal {
                suberror: KVM_INTERNAL_ERROR_EMULATION,
                ..
            }
        ) {
            return None;
        }
        match self.place {
            Some(gpa) if !memory.contains(gpa, 1) => Some(Trap::Mmio(Mmio {
                gpa,
                size: Size::Byte,
                operation: MmioOperation::Fetch,
            })),
            _ => Some(Trap::System {
                instruction: SystemInstruction::Other,
                length: self.instruction().map_or(0, |(_, length)| length as u8),
            }),
        }
    }

    /// The instruction at RIP as text, and its length.
    fn instruction(&self) -> Option<(String, usize)> {
        let rip = self.registers?.rip;
        let mut decoder = Decoder::with_ip(64, &self.code, rip, DecoderOptions::NONE);
        let instruction = decoder.decode();
        if instruction.is_invalid() {
            return None;
        }
        let mut text = String::new();
        IntelFormatter::new().format(&instruction, &mut text);
        Some((text, instruction.len()))
    }
}

/// Up to 15 bytes, as long as an instruction can be, as far as there is RAM.
fn code_at(memory: &Memory, place: u64) -> Vec<u8> {
    let mut code = vec![0; 15];
    while !code.is_empty() && memory.read(place, &mut code).is_none() {
        code.pop();
    }
    code
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Cause::Internal { suberror, data } => {
                let what = match *suberror {
                    KVM_INTERNAL_ERROR_EMULATION => "kvm cannot emulate an instruction",
                    KVM_INTERNAL_ERROR_SIMUL_EX => "two exceptions at once",
                    KVM_INTERNAL_ERROR_DELIVERY_EV => "an event could not be delivered",
                    KVM_INTERNAL_ERROR_UNEXPECTED_EXIT_REASON => "the hardware's exit is unknown",
                    _ => "an error inside kvm",
                };
                let data: Vec<_> = data.iter().map(|word| format!("{word:#x}")).collect();
                let data = data.join(" ");
                write!(f, "{what} (internal error {suberror}, data: {data})")
            }
            Cause::Entry(reason) => write!(
                f,
                "the hardware refuses to enter the guest (reason {reason:#x})"
            ),
            Cause::Shutdown => f.write_str("the guest shut down (triple fault)"),
            Cause::Unknown(reason) => write!(f, "kvm reports exit {reason}, which is unknown here"),
            Cause::Run(error) => write!(f, "kvm refuses to run the vcpu: {error}"),
            Cause::Timer(error) => write!(f, "the host gives the thread no timer: {error}"),
        }
    }
}

impl fmt::Display for Failure {
    /// The cause in one line, then the instruction and the registers.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.cause)?;
        let Some(General {
            registers,
            rip,
            flags,
        }) = self.registers
        else {
            return Ok(());
        };
        write!(f, "\n  at {rip:#x}: ")?;
        match self.instruction() {
            Some((text, length)) => write!(f, "{text}  {:02x?}", &self.code[..length])?,
            None => write!(f, "no instruction  {:02x?}", self.code)?,
        }
        for (at, register) in Gpr::ALL.into_iter().enumerate() {
            f.write_str(if at % 4 == 0 { "\n  " } else { "  " })?;
            write!(f, "{:<3} {:016x}", register.name(), registers[register])?;
        }
        write!(f, "\n  flags {flags:#x}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hardware::{DEVICE, trial};
    use common::Exit;

    #[test]
    fn what_kvm_adds_to_an_internal_error_stands_in_one_line() {
        let cause = Cause::Internal {
            suberror: KVM_INTERNAL_ERROR_EMULATION,
            data: vec![2, 0xcc],
        };
        assert_eq!(
            cause.to_string(),
            "kvm cannot emulate an instruction (internal error 1, data: 0x2 0xcc)"
        );
    }

    /// CS is 64-bit and 32-bit code at once: KVM takes that, the hardware does not
    /// (APM vol. 2, 15.5.1; SDM vol. 3, 26.3.1.2). PVM has no hardware to ask.
    #[test]
    fn a_state_that_the_hardware_refuses_is_told_with_its_reason() {
        let skip = |reason: &str| {
            let required = std::env::var("HEPTAVISOR_REQUIRE").unwrap_or_default();
            assert!(!required.split(',').any(|name| name == "kvm"), "{reason}");
            eprintln!("skipped: {reason}");
        };
        const HLT: u8 = 0xf4;
        let (mut pcpu, mut vcpu) = match trial::guest(DEVICE, &[HLT]) {
            Ok(guest) => guest,
            Err(lack) => return skip(&lack.what),
        };
        let mut system = vcpu.fd().get_sregs().unwrap();
        system.cs.db = 1;
        vcpu.fd().set_sregs(&system).unwrap();
        let until = pcpu.now + 1_000_000;
        match pcpu.run(&mut vcpu, until) {
            Exit::Failed => {}
            Exit::Halted => return skip("this kvm enters the guest whatever its state is"),
            exit => panic!("{exit:?}"),
        }
        let failure = vcpu.failure().unwrap();
        assert!(matches!(failure.cause, Cause::Entry(_)), "{failure}");
        let text = failure.to_string();
        assert!(
            text.contains("refuses to enter the guest (reason 0x"),
            "{text}"
        );
        // Where RIP is then, QEMU does not keep.
        assert!(text.contains("rsp 0000000000090000"), "{text}");
    }
}
