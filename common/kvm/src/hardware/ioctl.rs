//! The three requests to KVM that kvm-ioctls lacks or makes differently.

#![allow(unsafe_code)]

use common::Memory;
use kvm_bindings::{KVM_MEM_LOG_DIRTY_PAGES, KVMIO, kvm_interrupt, kvm_userspace_memory_region};
use kvm_ioctls::{VcpuFd, VmFd};
use std::io;
use vmm_sys_util::ioctl::{ioctl, ioctl_with_ref};
use vmm_sys_util::{ioctl_io_nr, ioctl_iow_nr};

ioctl_io_nr!(KVM_RUN, KVMIO, 0x80);
ioctl_iow_nr!(KVM_INTERRUPT, KVMIO, 0x86, kvm_interrupt);

/// Enters the guest. Why it came back is in the page that it shares; an error
/// says that it was not the guest (a signal is `EINTR`).
///
/// kvm-ioctls has this too, but holds a reference to the shared page meanwhile.
#[inline]
pub fn run(vcpu: &VcpuFd) -> io::Result<()> {
    // SAFETY: the request takes no pointer; what it changes is the guest's memory,
    // which is never behind a Rust reference, and the shared page, likewise.
    match unsafe { ioctl(vcpu, KVM_RUN()) } {
        0.. => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

/// Has the guest take an interrupt as the first thing at the next entry, even
/// if it has them closed: ask first.
pub fn interrupt(vcpu: &VcpuFd, vector: u8) -> io::Result<()> {
    let interrupt = kvm_interrupt { irq: vector.into() };
    // SAFETY: KVM reads the structure, and no more of it than there is.
    match unsafe { ioctl_with_ref(vcpu, KVM_INTERRUPT(), &interrupt) } {
        0.. => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

/// Gives `memory` to a VM as its RAM, as the only slot.
pub fn map_memory(vm: &VmFd, memory: &Memory, log_dirty: bool) -> io::Result<()> {
    let region = kvm_userspace_memory_region {
        slot: 0,
        flags: if log_dirty {
            KVM_MEM_LOG_DIRTY_PAGES
        } else {
            0
        },
        guest_phys_addr: 0,
        memory_size: memory.size(),
        userspace_addr: memory.host_address() as u64,
    };
    // SAFETY: all of the RAM is mapped as long as `memory`, of which whoever owns
    // the VM keeps a clone until it is closed (see `Machine`).
    unsafe { vm.set_user_memory_region(region) }.map_err(io::Error::from)
}
