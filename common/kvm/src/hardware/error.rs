//! What can go wrong before a guest runs, and what to do about it.

use std::io;

/// KVM cannot be had, or refuses what is asked of it.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// There is no such device.
    #[error("there is no {0} on this host")]
    NoDevice(String),
    /// The device is there, for others.
    #[error("no permission to open {0}")]
    NoPermission(String),
    /// The device cannot be opened for another reason.
    #[error("{0} cannot be opened: {1}")]
    Open(String, io::Error),
    /// What was opened is something else.
    #[error("{0} is there, but it is not kvm")]
    NotKvm(String),
    /// What was opened does not speak KVM's language.
    #[error("{0} says that its api version is {1}: must be 12")]
    Version(String, i32),
    /// KVM lacks something that every KVM since 2017 has.
    #[error("this kvm lacks {0}")]
    Lacks(&'static str),
    /// KVM makes no VM.
    #[error("kvm makes no vm: {0}")]
    NoVm(io::Error),
    /// The host refuses to give this memory to a VM.
    #[error("kvm does not take {0} bytes as guest memory: {1}")]
    Memory(u64, io::Error),
    /// There can be no such vCPU.
    #[error("kvm makes no vcpu {number}: {source} (this host allows {most}, numbered from 0)")]
    Vcpu {
        /// Its number.
        number: u64,
        /// How many vCPUs a VM of this host can have.
        most: usize,
        /// What KVM says.
        source: io::Error,
    },
    /// KVM refuses another request.
    #[error("kvm refuses to {0}: {1}")]
    Refused(&'static str, io::Error),
    /// A state that no CPU can have.
    #[error("{field} is {value:#x}: {rule}")]
    State {
        /// The register.
        field: &'static str,
        /// What it would be.
        value: u64,
        /// What is wrong with that.
        rule: &'static str,
    },
    /// The state cannot be read or changed in the middle of an instruction that
    /// still waits for a device.
    #[error("the vcpu stands in the middle of an access to a device: {0}")]
    NotSettled(&'static str),
}

impl Error {
    /// What to do about it, in one sentence; nothing if there is nothing to do.
    pub fn mend(&self) -> Option<&'static str> {
        match self {
            Error::NoDevice(_) => Some(
                "load the kernel's module (`modprobe kvm_intel` or `kvm_amd`); in a virtual \
                 machine, switch nested virtualisation on at its host; on real hardware, switch \
                 VT-x or SVM on in the firmware",
            ),
            Error::NoPermission(_) => Some(
                "join the group that owns it (`sudo usermod -aG kvm $USER`, then log in again); \
                 if root owns it alone, a udev rule helps: `KERNEL==\"kvm\", GROUP=\"kvm\", \
                 MODE=\"0660\"`",
            ),
            Error::NoVm(_) => Some(
                "look into the kernel's log (`dmesg | grep -i kvm`): another hypervisor may own \
                 the hardware, or the firmware may have switched it off",
            ),
            Error::NotKvm(_) => Some(
                "look what stands in its place: a container may hide the device so, and must be \
                 given the host's own",
            ),
            Error::Version(..) | Error::Lacks(_) => Some("use a newer kernel"),
            Error::Memory(..) => Some("give the guest less memory, or the host more"),
            _ => None,
        }
    }
}
