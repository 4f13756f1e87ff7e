//! The machine under every version of the hypervisor.
