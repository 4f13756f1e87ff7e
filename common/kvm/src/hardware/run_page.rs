//! The page that a vCPU shares with KVM: what it wants, and why it came back
//! (`struct kvm_run` in `Documentation/virt/kvm/api.rst`, section 5).
//!
//! KVM, a signal handler and we use the page at once, so there is never a Rust
//! reference to it: each field is read and written by itself, through a raw
//! pointer, and one that a signal handler writes is an atomic.

#![allow(unsafe_code)]

use common::Size;
use kvm_bindings::{kvm_run, kvm_run__bindgen_ty_1__bindgen_ty_4};
use kvm_ioctls::VcpuFd;
use std::io;
use std::os::fd::AsRawFd;
use std::ptr::{NonNull, null_mut};
use std::sync::atomic::AtomicU8;

/// A mapping of the page, and of the page behind it, which holds what goes
/// through ports.
///
/// Invariant: `base` points to `length` bytes, readable and writable, aligned to
/// a page, at least as many as a `kvm_run` has, until this is dropped.
pub struct RunPage {
    base: NonNull<kvm_run>,
    length: usize,
}

// SAFETY: the mapping belongs to the process, not to a thread, and this is its
// only name.
unsafe impl Send for RunPage {}

/// What KVM says of an access to a port.
pub type PortAccess = kvm_run__bindgen_ty_1__bindgen_ty_4;

/// What KVM says of an access outside RAM.
#[derive(Clone, Copy)]
pub struct MemoryAccess {
    pub gpa: u64,
    pub length: usize,
    pub is_write: bool,
}

/// Reads one field of the page.
macro_rules! read {
    ($page:expr, $($field:tt)+) => {{
        let base = $page.base.as_ptr();
        // SAFETY: by the invariant the field is in the mapping; every pattern of
        // bits is a value of its type.
        unsafe { (&raw const (*base).$($field)+).read_volatile() }
    }};
}

impl RunPage {
    /// Maps the `length` bytes that `vcpu` shares.
    pub fn map(vcpu: &VcpuFd, length: usize) -> io::Result<RunPage> {
        if length < size_of::<kvm_run>() {
            let text = format!("kvm shares {length} bytes: too few for its own structure");
            return Err(io::Error::other(text));
        }
        let protection = libc::PROT_READ | libc::PROT_WRITE;
        // SAFETY: a new mapping, at an address that the host chooses.
        let base = unsafe {
            let fd = vcpu.as_raw_fd();
            libc::mmap(null_mut(), length, protection, libc::MAP_SHARED, fd, 0)
        };
        if base == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        let base = NonNull::new(base.cast()).expect("the host maps nothing at 0");
        Ok(RunPage { base, length })
    }

    /// The flag that makes `KVM_RUN` return at once. It stays until cleared.
    pub fn immediate_exit(&self) -> &AtomicU8 {
        let base = self.base.as_ptr();
        // SAFETY: by the invariant the field is in the mapping. KVM reads it, and
        // we use it in no other way than as this atomic.
        unsafe { AtomicU8::from_ptr(&raw mut (*base).immediate_exit) }
    }

    /// Asks for an exit when the guest takes interrupts.
    pub fn request_window(&self, on: bool) {
        let base = self.base.as_ptr();
        // SAFETY: by the invariant the field is in the mapping.
        unsafe { (&raw mut (*base).request_interrupt_window).write_volatile(on.into()) };
    }

    /// Whether an interrupt would be taken now, as of the last return.
    pub fn takes_interrupts(&self) -> bool {
        read!(self, ready_for_interrupt_injection) != 0 && read!(self, if_flag) != 0
    }

    /// Why `KVM_RUN` returned.
    pub fn exit_reason(&self) -> u32 {
        read!(self, exit_reason)
    }

    /// After `KVM_EXIT_IO`.
    pub fn port_access(&self) -> PortAccess {
        read!(self, __bindgen_anon_1.io)
    }

    /// After `KVM_EXIT_MMIO`.
    pub fn memory_access(&self) -> MemoryAccess {
        MemoryAccess {
            gpa: read!(self, __bindgen_anon_1.mmio.phys_addr),
            length: (read!(self, __bindgen_anon_1.mmio.len) as usize).min(8),
            is_write: read!(self, __bindgen_anon_1.mmio.is_write) != 0,
        }
    }

    /// Where the data of an access outside RAM are, as [`load`](Self::load)
    /// counts.
    pub fn memory_data(&self) -> usize {
        std::mem::offset_of!(kvm_run, __bindgen_anon_1.mmio.data)
    }

    /// After `KVM_EXIT_INTERNAL_ERROR`: the kind, and what KVM adds.
    pub fn internal_error(&self) -> (u32, Vec<u64>) {
        let count = read!(self, __bindgen_anon_1.internal.ndata) as usize;
        let data = read!(self, __bindgen_anon_1.internal.data);
        let suberror = read!(self, __bindgen_anon_1.internal.suberror);
        (suberror, data[..count.min(data.len())].to_vec())
    }

    /// After `KVM_EXIT_FAIL_ENTRY`: the hardware's reason.
    pub fn entry_failure(&self) -> u64 {
        read!(
            self,
            __bindgen_anon_1.fail_entry.hardware_entry_failure_reason
        )
    }

    /// After `KVM_EXIT_DEBUG`: where the guest is.
    pub fn debug_address(&self) -> u64 {
        read!(self, __bindgen_anon_1.debug.arch.pc)
    }

    /// The value of `size` that is `offset` bytes from the beginning.
    ///
    /// # Panics
    /// If it is not in the mapping: then KVM has lied.
    pub fn load(&self, offset: usize, size: Size) -> u64 {
        let mut value = [0; 8];
        for (at, byte) in value[..size.bytes() as usize].iter_mut().enumerate() {
            // SAFETY: `byte_at` gives a place in the mapping.
            *byte = unsafe { self.byte_at(offset + at).read_volatile() };
        }
        u64::from_le_bytes(value)
    }

    /// Writes the low `size` of `value` there.
    ///
    /// # Panics
    /// As [`load`](Self::load).
    pub fn store(&self, offset: usize, size: Size, value: u64) {
        for (at, byte) in value.to_le_bytes()[..size.bytes() as usize]
            .iter()
            .enumerate()
        {
            // SAFETY: `byte_at` gives a place in the mapping.
            unsafe { self.byte_at(offset + at).write_volatile(*byte) };
        }
    }

    fn byte_at(&self, offset: usize) -> *mut u8 {
        assert!(offset < self.length, "kvm's data are outside its page");
        self.base.as_ptr().cast::<u8>().wrapping_add(offset)
    }
}

impl Drop for RunPage {
    fn drop(&mut self) {
        // SAFETY: by the invariant this is the mapping, and nobody has it any more.
        unsafe { libc::munmap(self.base.as_ptr().cast(), self.length) };
    }
}
