//! What our virtual CPU adds to the cost of an exit: the bare `KVM_RUN` against
//! [`common::Vcpu::run`] on the same exit, in turns within one run. A ratio of
//! 1.05 is the most that is wanted.
//!
//! `cargo bench -p kvm` on a host with KVM; elsewhere it says why not.

#![allow(unsafe_code)]

#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
fn main() {
    bench::main();
}

#[cfg(not(all(target_os = "linux", target_arch = "x86_64")))]
fn main() {
    println!("skipped: kvm is not on this host");
}

#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
mod bench {
    use common::{Boot, Exit, Memory, Pcpu, Time, Vcpu as _};
    use kvm::{HostCpu, Machine, Vcpu};
    use kvm_bindings::{KVM_MAX_CPUID_ENTRIES, kvm_userspace_memory_region};
    use kvm_ioctls::{Kvm, VcpuExit, VcpuFd, VmFd};
    use std::time::Instant;

    const CODE: u64 = 0x10_0000;
    /// `sti; nop; cli; out 0x70, al; jmp` to the beginning: the window is told, then
    /// the write, at which it is closed. So every other exit is a window.
    const WINDOW: [u8; 7] = [0xfb, 0x90, 0xfa, 0xe6, 0x70, 0xeb, 0xf9];
    const ROUNDS: usize = 101;
    const EXITS: u32 = 500;

    pub fn main() {
        if let Some(lack) = kvm::probe().lack(1) {
            println!("skipped: {lack}");
            return;
        }
        compare("port", &[0xe6, 0x70, 0xeb, 0xfc], false);
        compare("hlt", &[0xf4, 0xeb, 0xfd], false);
        match Pair::new(&[]).ours.machine().notices_windows_late() {
            true => println!("window  skipped: this kvm notices windows late, so ours steps"),
            false => compare("window", &WINDOW, true),
        }
    }

    /// The same guest twice.
    struct Pair {
        ours: Vcpu,
        pcpu: Pcpu<HostCpu>,
        bare: VcpuFd,
        _vm: VmFd,
        _memory: Memory,
    }

    impl Pair {
        fn new(code: &[u8]) -> Pair {
            let memory = || {
                let memory = Memory::new(2 << 20).unwrap();
                let boot = Boot::prepare(&memory, CODE).unwrap();
                memory.write(CODE, code).unwrap();
                let vcpu = Machine::new(&memory).unwrap().vcpu(&boot).unwrap();
                (memory, vcpu)
            };
            let ((memory, mut model), (_, ours)) = (memory(), memory());
            let kvm = Kvm::new().unwrap();
            let vm = kvm.create_vm().unwrap();
            vm.set_tss_address(0xfffb_d000).unwrap();
            let region = kvm_userspace_memory_region {
                slot: 0,
                flags: 0,
                guest_phys_addr: 0,
                memory_size: memory.size(),
                userspace_addr: memory.host_address() as u64,
            };
            // SAFETY: the memory is kept beside the VM, and dropped after it.
            unsafe { vm.set_user_memory_region(region) }.unwrap();
            let bare = vm.create_vcpu(0).unwrap();
            let cpuid = kvm.get_supported_cpuid(KVM_MAX_CPUID_ENTRIES).unwrap();
            bare.set_cpuid2(&cpuid).unwrap();
            let state = model.state().unwrap();
            bare.set_sregs(&state.system).unwrap();
            bare.set_regs(&state.general).unwrap();
            Pair {
                ours,
                pcpu: HostCpu::pcpu(0, HostCpu::TICK),
                bare,
                _vm: vm,
                _memory: memory,
            }
        }

        /// Nanoseconds of a bare exit.
        fn bare(&mut self, window: bool) -> f64 {
            let begin = Instant::now();
            for exit in 0..EXITS {
                let wanted = window && exit % 2 == 0;
                self.bare.get_kvm_run().request_interrupt_window = wanted.into();
                match self.bare.run().unwrap() {
                    VcpuExit::IoOut(..) | VcpuExit::Hlt | VcpuExit::IrqWindowOpen => {}
                    exit => panic!("{exit:?}"),
                }
            }
            begin.elapsed().as_nanos() as f64 / f64::from(EXITS)
        }

        /// Nanoseconds of one of ours.
        fn ours(&mut self, window: bool) -> f64 {
            let begin = Instant::now();
            for exit in 0..EXITS {
                self.ours.want_window(window && exit % 2 == 0);
                match self.ours.run(&mut self.pcpu, Time(1 << 40)) {
                    Exit::PortOut { .. } | Exit::Halted | Exit::WindowOpen => {}
                    exit => panic!("{exit:?}"),
                }
            }
            begin.elapsed().as_nanos() as f64 / f64::from(EXITS)
        }
    }

    fn compare(name: &str, code: &[u8], window: bool) {
        let mut pair = Pair::new(code);
        let mut bare = Vec::new();
        let mut ratios = Vec::new();
        for _ in 0..ROUNDS {
            let cost = pair.bare(window);
            ratios.push(pair.ours(window) / cost);
            bare.push(cost);
        }
        println!(
            "{name:<7} bare {:>8.0} ns, ours {:.3} times that (median of {ROUNDS} rounds)",
            median(&mut bare),
            median(&mut ratios)
        );
    }

    fn median(values: &mut [f64]) -> f64 {
        values.sort_by(f64::total_cmp);
        values[values.len() / 2]
    }
}
