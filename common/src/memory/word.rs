//! The widths that the host accesses atomically.

use crate::Size;
use std::sync::atomic::{AtomicU8, AtomicU16, AtomicU32, AtomicU64, Ordering};

/// An unsigned integer that guest memory holds, with the host's atomic of the
/// same width.
pub trait Word: Copy + Eq + Send + Sync + 'static {
    /// Its width.
    const SIZE: Size;
    /// Its width in bytes.
    const BYTES: usize;
    /// The host's atomic of this width.
    type Atomic;

    /// The low bits of `value`.
    fn of(value: u64) -> Self;
    /// The value, with zeros above it.
    fn wide(self) -> u64;
    /// Loads; other threads may store meanwhile.
    fn load(cell: &Self::Atomic) -> Self;
    /// Stores; other threads may load meanwhile.
    fn store(cell: &Self::Atomic, value: Self);
    /// Replaces the value by `f` of it in one step that no other thread can
    /// come between, and returns the old one. `f` may run several times.
    fn update(cell: &Self::Atomic, f: impl FnMut(Self) -> Self) -> Self;
}

macro_rules! word {
    ($int:ty, $atomic:ty, $size:expr) => {
        impl Word for $int {
            const SIZE: Size = $size;
            const BYTES: usize = size_of::<$int>();
            type Atomic = $atomic;

            #[inline(always)]
            fn of(value: u64) -> $int {
                value as $int
            }
            #[inline(always)]
            fn wide(self) -> u64 {
                self as u64
            }
            #[inline(always)]
            fn load(cell: &$atomic) -> $int {
                <$int>::from_le(cell.load(Ordering::Relaxed))
            }
            #[inline(always)]
            fn store(cell: &$atomic, value: $int) {
                cell.store(value.to_le(), Ordering::Relaxed);
            }
            #[inline]
            fn update(cell: &$atomic, mut f: impl FnMut($int) -> $int) -> $int {
                let mut old = cell.load(Ordering::Relaxed);
                loop {
                    let new = f(<$int>::from_le(old)).to_le();
                    match cell.compare_exchange_weak(old, new, Ordering::SeqCst, Ordering::Relaxed)
                    {
                        Ok(_) => return <$int>::from_le(old),
                        Err(seen) => old = seen,
                    }
                }
            }
        }
    };
}

word!(u8, AtomicU8, Size::Byte);
word!(u16, AtomicU16, Size::Word);
word!(u32, AtomicU32, Size::Dword);
word!(u64, AtomicU64, Size::Qword);
