//! The bare CPU: the upper bound of every engine.

#[cfg(not(target_arch = "x86_64"))]
pub use elsewhere::find;
#[cfg(target_arch = "x86_64")]
pub use x86_64::find;

#[cfg(not(target_arch = "x86_64"))]
mod elsewhere {
    use crate::engine::Engine;

    /// Always why it cannot take part.
    pub fn find() -> Result<Box<dyn Engine>, String> {
        Err("native: the kernels are x86-64 code, and this host is another".into())
    }
}

#[cfg(target_arch = "x86_64")]
mod x86_64 {
    #![allow(unsafe_code)] // calls bytes that guests::bench assembled

    use crate::cpu_time;
    use crate::engine::{Engine, Run};
    use dynasmrt::mmap::{ExecutableBuffer, MutableBuffer};
    use guests::bench::{Kernel, SCRATCH_SIZE};
    use std::io;

    /// The type of every kernel.
    type Function = extern "sysv64" fn(rounds: u64, scratch: *mut u8) -> u64;

    /// This process.
    struct Native;

    /// The bare CPU.
    pub fn find() -> Result<Box<dyn Engine>, String> {
        Ok(Box::new(Native))
    }

    impl Engine for Native {
        fn name(&self) -> &'static str {
            "native"
        }

        fn run(&self, kernel: &Kernel, rounds: u64) -> Result<Run, String> {
            let mut scratch = vec![0_u128; SCRATCH_SIZE / size_of::<u128>()];
            let code = executable(&kernel.code()).map_err(|error| error.to_string())?;
            // SAFETY: the buffer begins with a whole function of this type, by
            // the word of `guests::bench`, and outlives the call.
            let function = unsafe { std::mem::transmute::<*const u8, Function>(code.as_ptr()) };
            let before = cpu_time::own();
            // The kernel writes to its scratch memory and its stack only.
            let checksum = function(rounds, scratch.as_mut_ptr().cast());
            let seconds = cpu_time::own() - before;
            Ok(Run { seconds, checksum })
        }
    }

    fn executable(code: &[u8]) -> io::Result<ExecutableBuffer> {
        let mut buffer = MutableBuffer::new(code.len())?;
        buffer.set_len(code.len());
        buffer.copy_from_slice(code);
        buffer.make_exec()
    }
}
