//! The signal that calls a thread back from the guest, and the timer that sends
//! it.
//!
//! `KVM_RUN` returns with `EINTR` when a signal comes. One that comes just before
//! it would be lost, so the handler also sets the flag in the shared page that
//! makes `KVM_RUN` return at once. The handler runs in the very thread that it
//! calls, so it needs no lock: it touches what belongs to this thread only.

#![allow(unsafe_code)]

use std::cell::Cell;
use std::io;
use std::mem::MaybeUninit;
use std::ptr::{null, null_mut};
use std::sync::Once;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering, compiler_fence};

thread_local! {
    /// The flag of the vCPU that this thread runs; null if it runs none.
    static IMMEDIATE_EXIT: Cell<*const AtomicU8> = const { Cell::new(null()) };
    /// A signal came that nobody has looked at.
    static CALLED: AtomicBool = const { AtomicBool::new(false) };
    /// The physical CPU that used this thread last; 0 if none.
    static USER: Cell<u64> = const { Cell::new(0) };
    /// The kernel's number for this thread; 0 if it was not asked.
    static THREAD: Cell<i32> = const { Cell::new(0) };
    /// A number that no other thread of this process has or had; 0 if it was not
    /// asked.
    static OWN_NUMBER: Cell<u64> = const { Cell::new(0) };
}

/// The signal. Real-time signals have no meaning of their own; the C library
/// keeps the first ones for itself.
fn number() -> libc::c_int {
    libc::SIGRTMIN() + 5
}

extern "C" fn handle(_: libc::c_int) {
    CALLED.with(|called| called.store(true, Ordering::Relaxed));
    let flag = IMMEDIATE_EXIT.get();
    if !flag.is_null() {
        // SAFETY: it is a vCPU's that this thread runs at this moment, and that
        // `Entry` borrows.
        unsafe { (*flag).store(1, Ordering::Relaxed) };
    }
}

/// Calls this thread itself, as if a signal had come.
pub fn call() {
    CALLED.with(|called| called.store(true, Ordering::Relaxed));
}

/// Calls a thread of this process. Should it be gone, nothing happens; should
/// another have its number, that one looks up once in vain.
pub fn send(thread: i32) {
    // SAFETY: the request takes numbers only, and there is a handler.
    unsafe { libc::syscall(libc::SYS_tgkill, libc::getpid(), thread, number()) };
}

/// Physical CPU `number` uses this thread from now on. Says whether somebody
/// else did before.
pub fn enter_thread(number: u64) -> bool {
    USER.replace(number) != number
}

/// The kernel's number for the calling thread.
pub fn this_thread() -> i32 {
    if THREAD.get() == 0 {
        // SAFETY: the request has no argument.
        THREAD.set(unsafe { libc::gettid() });
    }
    THREAD.get()
}

/// A number for the calling thread that is never given again. The kernel's number
/// is: once a thread has ended, another may have it, but not the timers.
fn own_number() -> u64 {
    static NUMBERS: AtomicU64 = AtomicU64::new(1);
    if OWN_NUMBER.get() == 0 {
        OWN_NUMBER.set(NUMBERS.fetch_add(1, Ordering::Relaxed));
    }
    OWN_NUMBER.get()
}

/// Nanoseconds of the host's monotonic clock.
pub fn host_clock() -> u64 {
    let mut time = MaybeUninit::<libc::timespec>::uninit();
    // SAFETY: the clock exists, so the structure is filled.
    let time = unsafe {
        libc::clock_gettime(libc::CLOCK_MONOTONIC, time.as_mut_ptr());
        time.assume_init()
    };
    time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64
}

/// While this lives, a signal to this thread sets the flag.
pub struct Entry<'a> {
    flag: &'a AtomicU8,
}

impl<'a> Entry<'a> {
    /// The calling thread is about to run the vCPU with this flag.
    pub fn new(flag: &'a AtomicU8) -> Entry<'a> {
        IMMEDIATE_EXIT.set(flag);
        compiler_fence(Ordering::SeqCst);
        Entry { flag }
    }

    /// Whether a signal came since this was last asked. Only if not may the guest be
    /// entered.
    ///
    /// The flag is put back first, whoever set it: a signal that came while this
    /// thread ran another vCPU, or this one in another thread, has set a flag that
    /// nobody else would put back. In this order a signal in between is seen here;
    /// one that comes after is seen by `KVM_RUN`.
    pub fn was_called(&self) -> bool {
        self.flag.store(0, Ordering::Relaxed);
        compiler_fence(Ordering::SeqCst);
        CALLED.with(|called| {
            // Cheaper than to swap, and a signal in between is seen, too: as this one.
            let was_called = called.load(Ordering::Relaxed);
            if was_called {
                called.store(false, Ordering::Relaxed);
            }
            was_called
        })
    }
}

impl Drop for Entry<'_> {
    fn drop(&mut self) {
        IMMEDIATE_EXIT.set(null());
        compiler_fence(Ordering::SeqCst);
    }
}

/// A timer of the host that calls one thread.
pub struct Timer {
    timer: libc::timer_t,
    thread: u64,
}

// SAFETY: a timer's name means the same in every thread of the process.
unsafe impl Send for Timer {}

impl Timer {
    /// A timer for the calling thread.
    pub fn new() -> io::Result<Timer> {
        install_handler();
        let mut timer = null_mut();
        // SAFETY: all-zero bytes are a value of these structures, and the others
        // are numbers of this process; the name is only used if it was given.
        let made = unsafe {
            let mut wanted: libc::sigset_t = std::mem::zeroed();
            libc::sigemptyset(&mut wanted);
            libc::sigaddset(&mut wanted, number());
            libc::pthread_sigmask(libc::SIG_UNBLOCK, &wanted, null_mut());
            let mut event: libc::sigevent = std::mem::zeroed();
            event.sigev_notify = libc::SIGEV_THREAD_ID;
            event.sigev_signo = number();
            event.sigev_notify_thread_id = this_thread();
            libc::timer_create(libc::CLOCK_MONOTONIC, &mut event, &mut timer)
        };
        match made {
            0 => Ok(Timer {
                timer,
                thread: own_number(),
            }),
            _ => Err(io::Error::last_os_error()),
        }
    }

    /// Whether the calling thread is the one that it calls.
    pub fn is_ours(&self) -> bool {
        self.thread == own_number()
    }

    /// Has it ring once, at this moment of the host's clock.
    pub fn set(&self, nanoseconds: u64) {
        // SAFETY: all-zero bytes are a value of the structure, and the timer is ours.
        unsafe {
            let mut when: libc::itimerspec = std::mem::zeroed();
            when.it_value.tv_sec = (nanoseconds / 1_000_000_000) as i64;
            when.it_value.tv_nsec = (nanoseconds % 1_000_000_000) as i64;
            libc::timer_settime(self.timer, libc::TIMER_ABSTIME, &when, null_mut());
        }
    }
}

impl Drop for Timer {
    fn drop(&mut self) {
        // SAFETY: the timer is ours, and has no other name.
        unsafe { libc::timer_delete(self.timer) };
    }
}

fn install_handler() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        // SAFETY: all-zero bytes are a value of the structure; the handler keeps
        // to what a handler may do.
        let installed = unsafe {
            let mut action: libc::sigaction = std::mem::zeroed();
            action.sa_sigaction = handle as extern "C" fn(libc::c_int) as usize;
            action.sa_flags = libc::SA_RESTART;
            libc::sigaction(number(), &action, null_mut())
        };
        assert_eq!(installed, 0, "a real-time signal may have a handler");
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signal_makes_the_next_entry_look_up_once() {
        let flag = AtomicU8::new(0);
        let entry = Entry::new(&flag);
        handle(number());
        assert_eq!(flag.load(Ordering::Relaxed), 1);
        assert!(entry.was_called());
        assert!(!entry.was_called());
        assert_eq!(flag.load(Ordering::Relaxed), 0);
    }

    #[test]
    fn a_signal_that_another_vcpu_of_the_thread_has_seen_stops_nobody_else() {
        let (first, second) = (AtomicU8::new(0), AtomicU8::new(0));
        let entry = Entry::new(&first);
        handle(number());
        drop(entry);
        assert!(Entry::new(&second).was_called());
        assert!(!Entry::new(&first).was_called());
        assert_eq!(first.load(Ordering::Relaxed), 0);
    }
}
