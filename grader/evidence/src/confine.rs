//! Takes away from a process what it does not need: files, networks, other
//! processes.
//!
//! A runner confines itself before it calls the version's code, and so does the
//! program that starts the compiler on a submission. Safe Rust has no life before
//! `main`, so nothing of a submission has run by then. What a process has given up
//! it never gets back, and neither do its threads and children.
//!
//! On Linux this stands on Landlock (which files) and seccomp (which system
//! calls). Other hosts have nothing like it: there [`lacks`] says so.

use std::path::{Path, PathBuf};

/// What a process keeps.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Confinement {
    /// Folders and files that it may read, with all that is in them, and programs
    /// there that it may run.
    pub read: Vec<PathBuf>,
    /// The same, to be written, too.
    pub write: Vec<PathBuf>,
    /// Whether it may start other programs.
    pub programs: bool,
}

/// Where hosts keep programs and libraries: all that a compiler and a linker need
/// beside their own. No home folder is among it.
pub const PROGRAMS: &[&str] = &[
    "/usr",
    "/bin",
    "/sbin",
    "/lib",
    "/lib32",
    "/lib64",
    "/opt",
    "/nix/store",
    "/gnu/store",
    "/etc/alternatives",
    "/etc/ld.so.cache",
    "/etc/ld.so.conf",
    "/etc/ld.so.conf.d",
];

impl Confinement {
    /// What a runner keeps: the folder of its scenario, and KVM. It needs no other
    /// file, since its libraries are loaded by now; above all it must not open its
    /// own memory in `/proc`.
    pub fn of_runner(folder: PathBuf) -> Confinement {
        Confinement {
            read: Vec::new(),
            write: vec![folder, PathBuf::from("/dev/kvm")],
            programs: false,
        }
    }

    /// What the compiler keeps: it starts programs, reads what lies in `read`, and
    /// writes into `folder` only.
    pub fn of_compiler(folder: PathBuf, read: Vec<PathBuf>) -> Confinement {
        Confinement {
            read,
            write: vec![folder, PathBuf::from("/dev/null")],
            programs: true,
        }
    }

    /// From now on this thread, and all that it starts, keeps no more than this. A
    /// host that cannot enforce a part of it goes without.
    ///
    /// # Errors
    /// If a host that can does not.
    pub fn enter(&self) -> Result<(), String> {
        host::enter(self).map(drop)
    }
}

/// Confines a runner to the folder that a file of it lies in.
///
/// # Errors
/// If a host that can confine does not.
pub fn within_folder_of(file: &Path) -> Result<(), String> {
    let folder = file.parent().unwrap_or(Path::new("."));
    Confinement::of_runner(folder.to_path_buf()).enter()
}

/// What is missing on this host, in words; empty if all can be enforced. It is
/// tried, in a thread that is given up for it.
pub fn lacks() -> Vec<String> {
    let tried = std::thread::spawn(|| {
        let nothing = Confinement::default();
        host::enter(&nothing)
    });
    match tried.join() {
        Ok(Ok(lacks)) => lacks,
        Ok(Err(why)) => vec![why],
        Err(_) => vec![String::from("the thread that tried it broke down")],
    }
}

#[cfg(all(
    target_os = "linux",
    any(target_arch = "x86_64", target_arch = "aarch64")
))]
mod host {
    use super::Confinement;
    use landlock::{
        ABI, Access, AccessFs, Ruleset, RulesetAttr, RulesetCreatedAttr, RulesetError,
        RulesetStatus, path_beneath_rules,
    };
    use nix::libc;
    use seccompiler::{
        SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter,
        SeccompRule, TargetArch,
    };
    use std::collections::BTreeMap;

    /// What nobody needs here: the network, other processes' memory, and what
    /// changes the ground that files stand on.
    const NEVER: &[i64] = &[
        libc::SYS_socket,
        libc::SYS_connect,
        libc::SYS_bind,
        libc::SYS_ptrace,
        libc::SYS_process_vm_readv,
        libc::SYS_process_vm_writev,
        libc::SYS_pidfd_open,
        libc::SYS_pidfd_getfd,
        libc::SYS_io_uring_setup,
        libc::SYS_bpf,
        libc::SYS_perf_event_open,
        libc::SYS_userfaultfd,
        libc::SYS_unshare,
        libc::SYS_setns,
        libc::SYS_mount,
        libc::SYS_umount2,
        libc::SYS_pivot_root,
        libc::SYS_chroot,
        libc::SYS_keyctl,
        libc::SYS_add_key,
    ];

    /// Enforces what can be enforced, and says what cannot.
    pub(super) fn enter(confinement: &Confinement) -> Result<Vec<String>, String> {
        let mut lacks = Vec::new();
        let status = files(confinement).map_err(|error| format!("landlock: {error}"))?;
        if status == RulesetStatus::NotEnforced {
            lacks.push(String::from(
                "landlock, which keeps a submission from files: it needs Linux 5.13 or newer with \
                 `landlock` among its security modules",
            ));
        }
        if let Err(why) = calls(confinement.programs) {
            lacks.push(format!(
                "seccomp, which keeps a submission from networks and other processes: {why}"
            ));
        }
        Ok(lacks)
    }

    fn files(confinement: &Confinement) -> Result<RulesetStatus, RulesetError> {
        let abi = ABI::V5;
        let all = AccessFs::from_all(abi);
        let rules = Ruleset::default()
            .handle_access(all)?
            .create()?
            .add_rules(path_beneath_rules(
                &confinement.read,
                AccessFs::from_read(abi),
            ))?
            .add_rules(path_beneath_rules(&confinement.write, all))?;
        Ok(rules.restrict_self()?.ruleset)
    }

    fn calls(programs: bool) -> Result<(), String> {
        let mut rules: BTreeMap<i64, Vec<SeccompRule>> = BTreeMap::new();
        rules.extend(NEVER.iter().map(|call| (*call, Vec::new())));
        if !programs {
            rules.extend(
                [libc::SYS_execve, libc::SYS_execveat, libc::SYS_kill]
                    .map(|call| (call, Vec::new())),
            );
            #[cfg(target_arch = "x86_64")]
            rules.extend([libc::SYS_fork, libc::SYS_vfork].map(|call| (call, Vec::new())));
            rules.insert(libc::SYS_clone, vec![no_thread().map_err(text)?]);
            // Its flags lie in memory, where no filter can look. Told that there is
            // no such call, the C library makes threads with the old one.
            let newer = [(libc::SYS_clone3, Vec::new())].into();
            apply(newer, libc::ENOSYS)?;
        }
        apply(rules, libc::EPERM)
    }

    /// Holds for a call of `clone` that makes a process and not a thread.
    fn no_thread() -> Result<SeccompRule, seccompiler::BackendError> {
        let flag = libc::CLONE_THREAD as u64;
        let unset = SeccompCmpOp::MaskedEq(flag);
        SeccompRule::new(vec![SeccompCondition::new(
            0,
            SeccompCmpArgLen::Dword,
            unset,
            0,
        )?])
    }

    fn apply(rules: BTreeMap<i64, Vec<SeccompRule>>, error: i32) -> Result<(), String> {
        let arch = TargetArch::try_from(std::env::consts::ARCH).map_err(text)?;
        let refuse = SeccompAction::Errno(error.cast_unsigned());
        let filter = SeccompFilter::new(rules, SeccompAction::Allow, refuse, arch);
        let program: seccompiler::BpfProgram = filter.map_err(text)?.try_into().map_err(text)?;
        seccompiler::apply_filter(&program).map_err(text)
    }

    fn text(error: impl std::fmt::Display) -> String {
        error.to_string()
    }
}

#[cfg(not(all(
    target_os = "linux",
    any(target_arch = "x86_64", target_arch = "aarch64")
)))]
mod host {
    use super::Confinement;

    pub(super) fn enter(_: &Confinement) -> Result<Vec<String>, String> {
        Ok(vec![String::from(
            "landlock and seccomp, which keep a submission from files, networks and other \
             processes: only Linux on x86-64 or aarch64 has them",
        )])
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;
    use std::fs;
    use std::net::TcpListener;
    use std::process::Command;
    use std::thread;

    /// What `look` gives in a thread that has entered a confinement; `None` where
    /// the host has none.
    fn within<T: Send + 'static>(
        confinement: Confinement,
        look: impl FnOnce() -> T + Send + 'static,
    ) -> Option<T> {
        if !lacks().is_empty() {
            println!("skipped: this host lacks {:?}", lacks());
            return None;
        }
        let thread = thread::spawn(move || {
            confinement.enter().unwrap();
            look()
        });
        Some(thread.join().unwrap())
    }

    #[test]
    fn a_runner_reads_and_writes_in_its_own_folder_and_nowhere_else() {
        let [own, other] = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
        fs::write(other.path().join("secret"), "x").unwrap();
        let (mine, secret) = (own.path().join("a"), other.path().join("secret"));
        let found = within(
            Confinement::of_runner(own.path().to_path_buf()),
            move || {
                [
                    fs::write(&mine, "x").is_ok(),
                    fs::read(&mine).is_ok(),
                    fs::read(&secret).is_ok(),
                    fs::write(&secret, "y").is_ok(),
                    fs::read("/proc/self/mem").is_ok(),
                    fs::read("/etc/passwd").is_ok(),
                ]
            },
        );
        assert!(found.is_none_or(|found| found == [true, true, false, false, false, false]));
        assert_eq!(fs::read(other.path().join("secret")).unwrap(), b"x");
    }

    #[test]
    fn a_runner_makes_threads_and_neither_processes_nor_connections() {
        let found = within(Confinement::of_runner(std::env::temp_dir()), || {
            [
                thread::spawn(|| 1).join().is_ok_and(|one| one == 1),
                Command::new("/bin/true").status().is_ok(),
                TcpListener::bind("127.0.0.1:0").is_ok(),
            ]
        });
        assert!(found.is_none_or(|found| found == [true, false, false]));
    }

    #[test]
    fn a_compiler_starts_programs_reads_what_it_needs_and_writes_in_its_own_folder_only() {
        let folders = [(); 3].map(|()| tempfile::tempdir().unwrap());
        let [own, library, other] = folders.each_ref().map(|one| one.path().to_path_buf());
        fs::write(library.join("a"), "x").unwrap();
        fs::write(other.join("a"), "x").unwrap();
        let programs = PROGRAMS.iter().map(PathBuf::from);
        let read = programs.chain([library.clone()]).collect();
        let found = within(Confinement::of_compiler(own.clone(), read), move || {
            [
                Command::new("true").status().is_ok_and(|one| one.success()),
                fs::write(own.join("a"), "x").is_ok(),
                fs::read(library.join("a")).is_ok(),
                fs::write(library.join("b"), "x").is_ok(),
                fs::read(other.join("a")).is_ok(),
                fs::write(other.join("b"), "x").is_ok(),
                fs::read("/etc/passwd").is_ok(),
                TcpListener::bind("127.0.0.1:0").is_ok(),
            ]
        });
        let right = [true, true, true, false, false, false, false, false];
        assert!(found.is_none_or(|found| found == right), "{found:?}");
    }
}
