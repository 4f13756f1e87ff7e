//! A VM, as KVM knows it: its RAM, and what its CPUs say of themselves.

use super::error::Error;
use super::{boot, cpuid, ioctl, trial, vcpu::Vcpu};
use common::{Boot, Memory, PAGE_SIZE};
use kvm_bindings::{CpuId, KVM_MAX_CPUID_ENTRIES};
use kvm_ioctls::{Cap, Kvm, VmFd};
use std::ffi::CString;
use std::io;
use std::sync::{Arc, OnceLock};

/// Where Linux has KVM.
pub const DEVICE: &str = "/dev/kvm";

/// Three pages that Intel's hardware may ask for, outside RAM, in an address
/// range that PCs keep for the firmware.
const TASK_STATE: usize = 0xfffb_d000;

/// How many CPUs an APIC's number of eight bits can tell apart; the last number
/// means all of them.
const APIC_NUMBERS: usize = 255;

/// A VM without any vCPU yet. Clones are the same VM; it is closed when they and
/// its vCPUs are gone.
#[derive(Clone)]
pub struct Machine(Arc<Parts>);

struct Parts {
    /// Closed before `memory` can be given back.
    vm: VmFd,
    memory: Memory,
    supported: CpuId,
    page_length: usize,
    most_vcpus: usize,
    notices_windows_late: bool,
}

impl Machine {
    /// A VM whose RAM is `memory`.
    ///
    /// # Errors
    /// If there is no KVM here, or it refuses.
    pub fn new(memory: &Memory) -> Result<Machine, Error> {
        Machine::from_device(DEVICE, memory)
    }

    /// The same, from another device than the usual one.
    ///
    /// # Errors
    /// As [`new`](Self::new).
    pub fn from_device(path: &str, memory: &Memory) -> Result<Machine, Error> {
        static LATE: OnceLock<bool> = OnceLock::new();
        let mut parts = Parts::new(path, memory)?;
        // Asked of a VM of its own, and once: all VMs of a host are alike.
        parts.notices_windows_late = *LATE.get_or_init(|| {
            let bare = |memory: &Memory| Parts::new(path, memory).map(Machine::of);
            trial::notices_windows_late(bare)
        });
        Ok(Machine::of(parts))
    }

    fn of(parts: Parts) -> Machine {
        Machine(Arc::new(parts))
    }

    /// Whether KVM may overlook for a while that a guest takes interrupts.
    pub fn notices_windows_late(&self) -> bool {
        self.0.notices_windows_late
    }

    /// A vCPU that starts as `boot` says. Its number must be its alone.
    ///
    /// If this KVM gives a guest no pages of 1 GiB, the boot structures' page
    /// tables are first made to map the same by pages of 2 MiB.
    ///
    /// # Errors
    /// If KVM refuses.
    pub fn vcpu(&self, boot: &Boot) -> Result<Vcpu, Error> {
        let number = boot.vcpu;
        let refused = |source: io::Error| Error::Vcpu {
            number,
            most: self.0.most_vcpus,
            source,
        };
        let apic = match u8::try_from(number) {
            Ok(apic) if usize::from(apic) < APIC_NUMBERS => apic,
            _ => return Err(refused(io::ErrorKind::InvalidInput.into())),
        };
        let fd = self.0.vm.create_vcpu(number);
        let fd = fd.map_err(|error| refused(error.into()))?;
        fd.set_cpuid2(&cpuid::of_vcpu(&self.0.supported, apic))
            .map_err(|error| Error::Refused("set what the cpu says of itself", error.into()))?;
        if !cpuid::has_gibibyte_pages(&self.0.supported) {
            boot::split_map(&self.0.memory);
        }
        Vcpu::new(self.clone(), fd, self.0.page_length, boot)
    }

    /// Its RAM.
    pub fn memory(&self) -> &Memory {
        &self.0.memory
    }

    /// Has KVM note which pages the guest writes, or no longer. No vCPU may run
    /// meanwhile.
    ///
    /// # Errors
    /// If KVM refuses.
    pub fn log_writes(&self, on: bool) -> Result<(), Error> {
        ioctl::map_memory(&self.0.vm, &self.0.memory, on)
            .map_err(|error| Error::Refused("note which pages are written", error))
    }

    /// The pages that the guest has written since this was last asked, by their
    /// guest-physical addresses. Page tables are among them: the CPU notes there
    /// which pages were used.
    ///
    /// # Errors
    /// If KVM does not note them (see [`log_writes`](Self::log_writes)).
    pub fn take_written(&self) -> Result<Vec<u64>, Error> {
        let size = self.0.memory.size();
        let words = self.0.vm.get_dirty_log(0, size as usize).map_err(|error| {
            Error::Refused("say which pages were written", io::Error::from(error))
        })?;
        let is_set = |page: &u64| {
            let word = words.get((page / 64) as usize).copied().unwrap_or(0);
            word >> (page % 64) & 1 != 0
        };
        let pages = 0..size / PAGE_SIZE;
        Ok(pages.filter(is_set).map(|page| page * PAGE_SIZE).collect())
    }
}

impl Parts {
    fn new(path: &str, memory: &Memory) -> Result<Parts, Error> {
        let kvm = open(path)?;
        let vm = kvm.create_vm().map_err(|error| Error::NoVm(error.into()))?;
        let refused = |what| move |error: kvm_ioctls::Error| Error::Refused(what, error.into());
        vm.set_tss_address(TASK_STATE)
            .map_err(refused("set the address of the task state"))?;
        ioctl::map_memory(&vm, memory, false)
            .map_err(|error| Error::Memory(memory.size(), error))?;
        let supported = kvm
            .get_supported_cpuid(KVM_MAX_CPUID_ENTRIES)
            .map_err(refused("say what its cpus can do"))?;
        let page_length = kvm
            .get_vcpu_mmap_size()
            .map_err(refused("say how much a vcpu shares"))?;
        Ok(Parts {
            vm,
            memory: memory.clone(),
            supported,
            page_length,
            most_vcpus: kvm.get_max_vcpus().min(APIC_NUMBERS),
            notices_windows_late: false,
        })
    }
}

fn open(path: &str) -> Result<Kvm, Error> {
    let name = CString::new(path).map_err(|_| Error::NoDevice(path.into()))?;
    let kvm = Kvm::new_with_path(name).map_err(|error| {
        let error = io::Error::from(error);
        match error.kind() {
            io::ErrorKind::NotFound => Error::NoDevice(path.into()),
            io::ErrorKind::PermissionDenied => Error::NoPermission(path.into()),
            // The device is there, but nobody serves it.
            _ if error.raw_os_error() == Some(libc::ENXIO) => Error::NoDevice(path.into()),
            _ if error.raw_os_error() == Some(libc::ENODEV) => Error::NoDevice(path.into()),
            _ => Error::Open(path.into(), error),
        }
    })?;
    match kvm.get_api_version() {
        12 => {}
        -1 => return Err(Error::NotKvm(path.into())),
        other => return Err(Error::Version(path.into(), other)),
    }
    for (ability, name) in [
        (
            Cap::UserMemory,
            "memory of user space (KVM_CAP_USER_MEMORY)",
        ),
        (
            Cap::ImmediateExit,
            "the immediate exit (KVM_CAP_IMMEDIATE_EXIT)",
        ),
    ] {
        if !kvm.check_extension(ability) {
            return Err(Error::Lacks(name));
        }
    }
    Ok(kvm)
}
