//! The text that user code prints. It must lie in memory that user code may
//! read, so it is collected while the code is written, and placed into a page of
//! its own.

use crate::asm::Asm;
use crate::kernel::paging::PAGE;
use crate::x64;

/// Number of the system call that prints: text in RDI, length in RSI.
pub const WRITE: u32 = 1;

/// The text so far.
#[derive(Default)]
pub struct UserText {
    bytes: Vec<u8>,
}

impl UserText {
    /// No text.
    pub fn new() -> Self {
        Self::default()
    }

    /// User code prints `text`. Changes RAX, RCX, RDI, RSI, R11; RAX is the
    /// answer of the system call.
    pub fn print(&mut self, asm: &mut Asm, text: &str) {
        let offset = self.bytes.len() as isize;
        self.bytes.extend(text.bytes());
        x64!(asm
            ; lea rdi, [->user_text + offset]
            ; mov esi, text.len() as i32
            ; mov eax, WRITE as i32
            ; syscall
        );
    }

    /// Places the text at the symbol `user_text`.
    ///
    /// # Panics
    ///
    /// If it is longer than a page.
    pub fn place(mut self, asm: &mut Asm) {
        let length = self.bytes.len();
        assert!(length <= PAGE, "{length} bytes of text; a page has {PAGE}");
        self.bytes.resize(PAGE, 0);
        asm.data("user_text", PAGE, self.bytes);
    }
}

/// Emits the kernel's routine for [`WRITE`], at the label: prints the text if
/// user code may read it, and refuses otherwise.
pub fn write_routine(asm: &mut Asm, label: crate::asm::DynamicLabel) {
    use crate::kernel::interrupts::frame;
    use crate::kernel::user::BAD_ADDRESS;
    x64!(asm
        ; .align 16
        ; ->write:
        ; =>label
        ; mov rsi, [rbp + frame::RDI]
        ; mov rcx, [rbp + frame::RSI]
        ; call ->check_user
        ; jnz >refuse
        ; call ->console_text
        ; xor eax, eax
        ; ret
        ; refuse:
        ; mov rax, BAD_ADDRESS
        ; ret
    );
}
