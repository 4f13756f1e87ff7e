//! All that a vCPU is, outside KVM: to look at, to keep, to go on from elsewhere.
//!
//! KVM finishes an access to a device at the *next* entry. A state that was read
//! before that is half an instruction old, and one that is written is lost in the
//! rest. So a vCPU is settled first: see [`Vcpu::state`].

#![allow(unsafe_code)]

use super::check::check;
use super::error::Error;
use super::vcpu::Vcpu;
use common::{Gpr, Registers};
use kvm_bindings::{
    KVM_VCPUEVENT_VALID_SHADOW, Msrs, kvm_debugregs, kvm_msr_entry, kvm_regs, kvm_sregs,
    kvm_vcpu_events, kvm_xcrs, kvm_xsave,
};
use kvm_ioctls::VcpuFd;

/// The general registers, RIP and RFLAGS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct General {
    /// The sixteen registers.
    pub registers: Registers,
    /// Address of the next instruction.
    pub rip: u64,
    /// All of RFLAGS.
    pub flags: u64,
}

impl From<kvm_regs> for General {
    fn from(regs: kvm_regs) -> General {
        let mut registers = Registers::default();
        for (register, value) in [
            (Gpr::Rax, regs.rax),
            (Gpr::Rcx, regs.rcx),
            (Gpr::Rdx, regs.rdx),
            (Gpr::Rbx, regs.rbx),
            (Gpr::Rsp, regs.rsp),
            (Gpr::Rbp, regs.rbp),
            (Gpr::Rsi, regs.rsi),
            (Gpr::Rdi, regs.rdi),
            (Gpr::R8, regs.r8),
            (Gpr::R9, regs.r9),
            (Gpr::R10, regs.r10),
            (Gpr::R11, regs.r11),
            (Gpr::R12, regs.r12),
            (Gpr::R13, regs.r13),
            (Gpr::R14, regs.r14),
            (Gpr::R15, regs.r15),
        ] {
            registers[register] = value;
        }
        General {
            registers,
            rip: regs.rip,
            flags: regs.rflags,
        }
    }
}

/// The machine-specific registers of a 64-bit guest, beside those that KVM counts
/// among the system registers: SYSENTER, PAT, STAR, LSTAR, CSTAR, FMASK,
/// KERNEL_GS_BASE.
const MSRS: [u32; 9] = [
    0x174,
    0x175,
    0x176,
    0x277,
    0xc000_0081,
    0xc000_0082,
    0xc000_0083,
    0xc000_0084,
    0xc000_0102,
];

/// All that a vCPU is between two instructions, with an interrupt that was
/// injected and not taken yet. The time is not in it.
#[derive(Clone)]
pub struct State {
    /// The general registers.
    pub general: kvm_regs,
    /// Segments, tables, control registers, EFER.
    pub system: kvm_sregs,
    debug: kvm_debugregs,
    events: kvm_vcpu_events,
    msrs: Vec<kvm_msr_entry>,
    extended: Box<[u32; 1024]>,
    controls: kvm_xcrs,
}

impl State {
    /// Sets a general register.
    pub fn set(&mut self, register: Gpr, value: u64) {
        let general = &mut self.general;
        *match register {
            Gpr::Rax => &mut general.rax,
            Gpr::Rcx => &mut general.rcx,
            Gpr::Rdx => &mut general.rdx,
            Gpr::Rbx => &mut general.rbx,
            Gpr::Rsp => &mut general.rsp,
            Gpr::Rbp => &mut general.rbp,
            Gpr::Rsi => &mut general.rsi,
            Gpr::Rdi => &mut general.rdi,
            Gpr::R8 => &mut general.r8,
            Gpr::R9 => &mut general.r9,
            Gpr::R10 => &mut general.r10,
            Gpr::R11 => &mut general.r11,
            Gpr::R12 => &mut general.r12,
            Gpr::R13 => &mut general.r13,
            Gpr::R14 => &mut general.r14,
            Gpr::R15 => &mut general.r15,
        } = value;
    }

    /// Has it go on in user mode.
    pub(super) fn enter_user_mode(&mut self, code: u16, data: u16) {
        (self.system.cs.selector, self.system.cs.dpl) = (code, 3);
        (self.system.ss.selector, self.system.ss.dpl) = (data, 3);
    }

    /// Opens interrupts, as if `sti` had just been executed.
    pub(super) fn open_interrupts(&mut self) {
        const SHADOW_OF_STI: u8 = 2;
        self.general.rflags |= IF;
        self.events.interrupt.shadow = SHADOW_OF_STI;
        self.events.flags |= KVM_VCPUEVENT_VALID_SHADOW;
    }

    /// Switches `syscall` on: it goes to `entry`, with these code segments for the
    /// kernel and, less 16, for user code.
    pub(super) fn set_system_call(&mut self, kernel: u16, user: u16, entry: u64) {
        const SYSCALL_ENABLE: u64 = 1;
        const STAR: u32 = 0xc000_0081;
        const LSTAR: u32 = 0xc000_0082;
        self.system.efer |= SYSCALL_ENABLE;
        for msr in &mut self.msrs {
            match msr.index {
                STAR => msr.data = u64::from(user) << 48 | u64::from(kernel) << 32,
                LSTAR => msr.data = entry,
                _ => {}
            }
        }
    }
}

fn refused<E: Into<std::io::Error>>(what: &'static str) -> impl Fn(E) -> Error {
    move |error| Error::Refused(what, error.into())
}

impl Vcpu {
    /// The general registers, as they are between two instructions.
    ///
    /// # Errors
    /// As [`state`](Self::state).
    pub fn general(&mut self) -> Result<General, Error> {
        self.settle()?;
        let regs = self.fd().get_regs();
        regs.map(General::from)
            .map_err(refused("give its registers"))
    }

    /// All that it is. What the last exit reported is finished in it.
    ///
    /// # Errors
    /// [`Error::NotSettled`] if the last exit still waits for an answer, or if
    /// more exits of the same instruction come first; otherwise if KVM refuses.
    pub fn state(&mut self) -> Result<State, Error> {
        self.settle()?;
        self.expect_no_early_exit()?;
        let fd = self.fd();
        let extended = fd
            .get_xsave()
            .map_err(refused("give its vector registers"))?;
        Ok(State {
            general: fd.get_regs().map_err(refused("give its registers"))?,
            system: fd
                .get_sregs()
                .map_err(refused("give its system registers"))?,
            debug: fd
                .get_debug_regs()
                .map_err(refused("give its debug registers"))?,
            events: fd.get_vcpu_events().map_err(refused("give its events"))?,
            msrs: read_msrs(fd)?,
            extended: Box::new(extended.region),
            controls: fd
                .get_xcrs()
                .map_err(refused("give its extended control"))?,
        })
    }

    /// Makes it what `state` says: one of its own, or of another vCPU over the
    /// same memory.
    ///
    /// # Errors
    /// [`Error::State`] if no CPU can be in this state, with the register that is
    /// wrong. Nothing has changed then, unless it is a machine-specific one. Otherwise as [`state`](Self::state).
    pub fn set_state(&mut self, state: &State) -> Result<(), Error> {
        check(&state.system)?;
        self.settle()?;
        let fd = self.fd();
        fd.set_sregs(&state.system)
            .map_err(refused("take system registers"))?;
        fd.set_regs(&state.general)
            .map_err(refused("take registers"))?;
        fd.set_xcrs(&state.controls)
            .map_err(refused("take the extended control"))?;
        let mut extended = kvm_xsave {
            region: *state.extended,
            ..Default::default()
        };
        // Which parts there are: the FPU's and SSE's always, or they would be those
        // of a CPU after reset.
        extended.region[XSTATE_BV] |= 0b11;
        // SAFETY: the structure is as long as KVM reads, since no bigger state
        // was asked for (`arch_prctl`).
        unsafe { fd.set_xsave(&extended) }.map_err(refused("take vector registers"))?;
        let msrs = Msrs::from_entries(&state.msrs).expect("a handful of registers");
        let written = fd
            .set_msrs(&msrs)
            .map_err(refused("take machine-specific registers"))?;
        if let Some(left) = state.msrs.get(written) {
            return Err(Error::State {
                field: "a machine-specific register",
                value: left.index.into(),
                rule: "kvm refuses its value",
            });
        }
        fd.set_debug_regs(&state.debug)
            .map_err(refused("take debug registers"))?;
        fd.set_vcpu_events(&state.events)
            .map_err(refused("take events"))?;
        self.state_was_set(takes_interrupts(state));
        Ok(())
    }
}

/// The interrupt flag's place in RFLAGS.
const IF: u64 = 1 << 9;

/// Where XSTATE_BV is in the area, in dwords (SDM vol. 1, 13.4.2).
const XSTATE_BV: usize = 512 / 4;

/// Whether an interrupt would be taken in this state: KVM says so only after a
/// run.
fn takes_interrupts(state: &State) -> bool {
    let events = &state.events;
    let nothing_on_its_way = events.interrupt.injected == 0 && events.exception.injected == 0;
    state.general.rflags & IF != 0 && events.interrupt.shadow == 0 && nothing_on_its_way
}

fn read_msrs(fd: &VcpuFd) -> Result<Vec<kvm_msr_entry>, Error> {
    let wanted = MSRS.map(|index| kvm_msr_entry {
        index,
        ..Default::default()
    });
    let mut msrs = Msrs::from_entries(&wanted).expect("a handful of registers");
    let read = fd
        .get_msrs(&mut msrs)
        .map_err(refused("give its machine-specific registers"))?;
    Ok(msrs.as_slice()[..read].to_vec())
}
