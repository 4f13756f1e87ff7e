//! What a KVM's own emulator may lack and the versions' guests need: `int3`.
//!
//! On hardware KVM emulates next to nothing. PVM carries out a guest's kernel
//! that way, and does not know this instruction.

use common::{Memory, Size};
use kvm_ioctls::VcpuFd;

/// Carries out the instruction at RIP, which KVM could not, and says whether it
/// did. The vCPU may simply run on then.
pub fn emulate(vcpu: &VcpuFd, memory: &Memory) -> bool {
    const INT3: u64 = 0xcc;
    let Ok(mut registers) = vcpu.get_regs() else {
        return false;
    };
    let found = vcpu.translate_gva(registers.rip).ok();
    let place = found.filter(|found| found.valid != 0);
    let code = place.and_then(|found| memory.load(found.physical_address, Size::Byte));
    if code != Some(INT3) {
        return false;
    }
    registers.rip = registers.rip.wrapping_add(1);
    vcpu.set_regs(&registers).is_ok() && raise_breakpoint(vcpu)
}

/// Has the guest take #BP as the first thing at the next entry.
fn raise_breakpoint(vcpu: &VcpuFd) -> bool {
    const BREAKPOINT: u8 = 3;
    let Ok(mut events) = vcpu.get_vcpu_events() else {
        return false;
    };
    events.exception.injected = 1;
    events.exception.nr = BREAKPOINT;
    events.exception.has_error_code = 0;
    vcpu.set_vcpu_events(&events).is_ok()
}
