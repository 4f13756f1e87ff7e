//! The CPUs of the host, and who may use which.

#[cfg(target_os = "linux")]
pub(super) use linux::HostCpus;
#[cfg(not(target_os = "linux"))]
pub(super) use other::HostCpus;

#[cfg(target_os = "linux")]
mod linux {
    use nix::sched::{CpuSet, sched_getaffinity, sched_setaffinity};
    use nix::unistd::Pid;

    /// The CPUs that the calling thread may use. Threads that it makes later
    /// inherit them, so this must be asked before any of them is pinned.
    pub(in super::super) struct HostCpus(Vec<usize>);

    /// A thread stays on one CPU until this is dropped.
    pub(in super::super) struct Pin(Option<CpuSet>);

    const THIS_THREAD: Pid = Pid::from_raw(0);

    impl HostCpus {
        /// Those that the host allows; none if it does not say.
        pub(in super::super) fn allowed() -> HostCpus {
            let allowed = |set: &CpuSet, cpu: &usize| set.is_set(*cpu).unwrap_or(false);
            HostCpus(sched_getaffinity(THIS_THREAD).map_or(Vec::new(), |set| {
                (0..CpuSet::count())
                    .filter(|cpu| allowed(&set, cpu))
                    .collect()
            }))
        }

        /// Keeps the calling thread on one of them, so that its caches stay warm
        /// for the guest. Where the host does not let us, it runs anywhere.
        pub(in super::super) fn pin(&self, number: usize) -> Pin {
            let before = sched_getaffinity(THIS_THREAD).ok();
            let mut one = CpuSet::new();
            let cpu = self.0.get(number % self.0.len().max(1));
            if cpu.is_some_and(|cpu| one.set(*cpu).is_ok()) {
                let _ = sched_setaffinity(THIS_THREAD, &one);
            }
            Pin(before)
        }
    }

    impl Drop for Pin {
        fn drop(&mut self) {
            if let Some(before) = &self.0 {
                let _ = sched_setaffinity(THIS_THREAD, before);
            }
        }
    }

    #[cfg(test)]
    mod tests {
        use super::*;

        #[test]
        fn a_thread_is_pinned_to_one_cpu_and_free_again_afterwards() {
            let cpus = HostCpus::allowed();
            for number in 0..2 * cpus.0.len() {
                let pin = cpus.pin(number);
                assert_eq!(HostCpus::allowed().0, [cpus.0[number % cpus.0.len()]]);
                drop(pin);
                assert_eq!(HostCpus::allowed().0, cpus.0);
            }
        }
    }
}

#[cfg(not(target_os = "linux"))]
mod other {
    /// The CPUs of a host that does not let us choose.
    pub(in super::super) struct HostCpus;

    impl HostCpus {
        /// Any.
        pub(in super::super) fn allowed() -> HostCpus {
            HostCpus
        }

        /// Leaves the calling thread where it is.
        pub(in super::super) fn pin(&self, _number: usize) {}
    }
}
