//! The machine-specific registers that `syscall` and the segment bases need.

use common::{Context, Fault, Gpr, is_canonical};

/// EFER: long mode, no-execute and `syscall` switched on or off.
const EFER: u32 = 0xc000_0080;
/// STAR: the selectors of `syscall` and `sysret`.
const STAR: u32 = 0xc000_0081;
/// LSTAR: where `syscall` goes.
const LSTAR: u32 = 0xc000_0082;
/// FMASK: the flags that `syscall` clears.
const FMASK: u32 = 0xc000_0084;
const FS_BASE: u32 = 0xc000_0100;
const GS_BASE: u32 = 0xc000_0101;
/// What `swapgs` exchanges with the base of GS.
const KERNEL_GS_BASE: u32 = 0xc000_0102;
/// Where the local APIC is, and that it is switched on.
const APIC_BASE: u32 = 0x1b;

/// EFER.SCE: `syscall` is allowed.
const SYSCALL_ENABLE: u64 = 1 << 0;
/// EFER.LME, LMA, NXE: always set here, since the guest starts in long mode.
const LONG_MODE: u64 = 1 << 8 | 1 << 10 | 1 << 11;
/// The boot CPU's APIC, at its usual address.
const APIC_AT_RESET: u64 = 0xfee0_0900;

/// The registers that the raw CPU does not hold (SDM vol. 4, 2.1).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Msrs {
    syscall_enabled: bool,
    /// Selectors: the kernel's code in bits 32-47, the base for user code in
    /// bits 48-63.
    pub star: u64,
    /// Where `syscall` goes.
    pub lstar: u64,
    /// The flags that `syscall` clears.
    pub fmask: u64,
    kernel_gs_base: u64,
}

impl Msrs {
    /// Whether the guest has switched `syscall` on.
    pub fn syscall_enabled(&self) -> bool {
        self.syscall_enabled
    }

    /// `rdmsr`: ECX names the register, EDX:EAX take its value.
    ///
    /// # Errors
    /// #GP(0) if there is no such register.
    pub fn read(&self, context: &mut Context) -> Result<(), Fault> {
        let value = match context.registers[Gpr::Rcx] as u32 {
            EFER => LONG_MODE | u64::from(self.syscall_enabled),
            STAR => self.star,
            LSTAR => self.lstar,
            FMASK => self.fmask,
            FS_BASE => context.fs_base,
            GS_BASE => context.gs_base,
            KERNEL_GS_BASE => self.kernel_gs_base,
            APIC_BASE => APIC_AT_RESET,
            _ => return Err(Fault::GeneralProtection(0)),
        };
        context.registers[Gpr::Rax] = value & 0xffff_ffff;
        context.registers[Gpr::Rdx] = value >> 32;
        Ok(())
    }

    /// `wrmsr`: ECX names the register, EDX:EAX hold its new value.
    ///
    /// # Exercise v3-E2: the machine-specific registers
    ///
    /// The bases of FS and GS are the raw CPU's own: the context has them. The
    /// others are kept here. Addresses must be canonical. In EFER only the
    /// lowest bit may change; the mode bits are what they are.
    ///
    /// # Errors
    /// #GP(0) if there is no such register or the value is not allowed; nothing
    /// changes then.
    pub fn write(&mut self, context: &mut Context) -> Result<(), Fault> {
        // BEGIN SOLUTION
        let value = context.registers[Gpr::Rdx] << 32 | context.registers[Gpr::Rax] & 0xffff_ffff;
        let register = context.registers[Gpr::Rcx] as u32;
        let is_address = matches!(register, LSTAR | FS_BASE | GS_BASE | KERNEL_GS_BASE);
        if is_address && !is_canonical(value) {
            return Err(Fault::GeneralProtection(0));
        }
        match register {
            EFER if value & !SYSCALL_ENABLE == LONG_MODE => {
                self.syscall_enabled = value & SYSCALL_ENABLE != 0;
            }
            STAR => self.star = value,
            LSTAR => self.lstar = value,
            FMASK => self.fmask = value & 0xffff_ffff,
            FS_BASE => context.fs_base = value,
            GS_BASE => context.gs_base = value,
            KERNEL_GS_BASE => self.kernel_gs_base = value,
            APIC_BASE if value == APIC_AT_RESET => {}
            _ => return Err(Fault::GeneralProtection(0)),
        }
        Ok(())
        // END SOLUTION
        // STUB: todo!("v3-E2: write a machine-specific register")
    }

    /// `swapgs`: the kernel's first instruction after `syscall`, which gives it
    /// an address that user code could not touch.
    pub fn swap_gs(&mut self, context: &mut Context) {
        // BEGIN SOLUTION
        std::mem::swap(&mut self.kernel_gs_base, &mut context.gs_base);
        // END SOLUTION
        // STUB: todo!("v3-E2: exchange the bases of GS")
    }
}
