//! Page tables that keep user code out of the kernel.
//!
//! Every address is mapped to itself, so that user code and kernel can be
//! written as one image, with symbols that mean the same in both modes. What
//! user code may touch is decided by one bit in each page's entry, U:
//!
//! ```text
//!   PML4[0] -> PDPT[0] -> PD[0] -> PT: 512 pages of 4 KiB, the first 2 MiB
//!                         PD[1..8]:    2 MiB each, the rest of memory
//!              PDPT[3]:                1 GiB, with the local APIC
//!
//!   ->user_code .. ->user_code_end     U     executed and read
//!   ->user_text, a page                U NX  read
//!   ->user_memory, some pages          U NX  read and written
//!   everything else                          the kernel's alone
//! ```
//!
//! On the way to a page the CPU asks for U in the tables of every level, so the
//! upper ones have it, and the last decides (SDM volume 3, "Determination of
//! Access Rights").

use crate::asm::Asm;
use crate::x64;

/// Bytes of a page.
pub const PAGE: usize = 4096;

/// Bits of an entry.
const PRESENT: i32 = 1 << 0;
const WRITABLE: i32 = 1 << 1;
const USER: i32 = 1 << 2;
/// On the upper levels: this is a page and no table.
const LARGE: i32 = 1 << 7;
/// Never execute.
const NO_EXECUTE: u64 = 1 << 63;

/// Guest memory ends here: 16 MiB, eight pages of 2 MiB.
const LARGE_PAGES: i32 = 8;

/// What user code may do with a range of pages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Access {
    Execute,
    Read,
    Write,
}

/// Builds the tables and switches to them. The guest must define the label
/// `user_code` and, on a page boundary, `user_code_end`; it must place a page
/// `user_text`, and [`user_memory`] of so many `pages`.
pub fn load(asm: &mut Asm, pages: usize) {
    for table in ["pml4", "pdpt", "pd", "pt"] {
        asm.zeroed(table, PAGE, PAGE);
    }
    x64!(asm
        ; lea rax, [->pdpt + (PRESENT | WRITABLE | USER) as isize]
        ; mov [->pml4], rax
        ; lea rax, [->pd + (PRESENT | WRITABLE | USER) as isize]
        ; mov [->pdpt], rax
        ; lea rax, [->pt + (PRESENT | WRITABLE | USER) as isize]
        ; mov [->pd], rax
        ; mov eax, 3 << 30 | PRESENT | WRITABLE | LARGE
        ; mov [->pdpt + 3 * 8], rax

        ; lea rdi, [->pd]
        ; mov ecx, 1
        ; large_page:
        ; mov eax, ecx
        ; shl eax, 21
        ; or eax, PRESENT | WRITABLE | LARGE
        ; mov [rdi + 8 * rcx], rax
        ; inc ecx
        ; cmp ecx, LARGE_PAGES
        ; jb <large_page

        ; lea rdi, [->pt]
        ; xor ecx, ecx
        ; small_page:
        ; mov eax, ecx
        ; shl eax, 12
        ; or eax, PRESENT | WRITABLE
        ; mov [rdi + 8 * rcx], rax
        ; inc ecx
        ; cmp ecx, 512
        ; jb <small_page

        ; lea rsi, [->user_code]
        ; lea rcx, [->user_code_end]
    );
    open_to_user(asm, Access::Execute);
    x64!(asm ; lea rsi, [->user_text] ; lea rcx, [->user_text + PAGE as isize]);
    open_to_user(asm, Access::Read);
    x64!(asm
        ; lea rsi, [->user_memory]
        ; lea rcx, [->user_memory + (pages * PAGE) as isize]
    );
    open_to_user(asm, Access::Write);
    x64!(asm
        ; lea rax, [->pml4]
        ; mov cr3, rax
    );
}

/// Opens the pages from RSI to before RCX to user code. Changes R8, too.
fn open_to_user(asm: &mut Asm, access: Access) {
    let never = if access == Access::Execute {
        0
    } else {
        NO_EXECUTE
    };
    let writable = if access == Access::Write { WRITABLE } else { 0 };
    x64!(asm
        ; lea rdi, [->pt]
        ; mov r8, QWORD never as i64
        ; page:
        ; mov rdx, rsi
        ; shr rdx, 12                   // RDX: the index of the entry
        ; mov rax, rsi
        ; or rax, PRESENT | USER | writable
        ; or rax, r8
        ; mov [rdi + 8 * rdx], rax
        ; add rsi, PAGE as i32
        ; cmp rsi, rcx
        ; jb <page
    );
}

/// Places memory of so many pages for user code, at the symbol `user_memory`.
pub fn user_memory(asm: &mut Asm, pages: usize) {
    asm.zeroed("user_memory", PAGE, pages * PAGE);
}

/// Emits the routine `check_user`: may user code read the RCX bytes from RSI
/// on? The zero flag is set if it may. It changes RAX, RDX and RDI.
///
/// A kernel may read everything. So if user code hands it a pointer and it does
/// not look where that points, user code reads the kernel's memory by way of
/// the kernel.
pub fn check_routine(asm: &mut Asm) {
    x64!(asm
        ; ->check_user:
        ; mov rdx, rsi
        ; mov rdi, rsi
        ; add rdi, rcx                  // RDI: the end
        ; jc >refuse                    // the range must not wrap around
        ; page:
        ; shr rdx, 12                   // RDX: the index of the page's entry
        ; cmp rdx, 512
        ; jae >refuse
        ; lea rax, [->pt]
        ; mov rax, [rax + 8 * rdx]
        ; and eax, PRESENT | USER
        ; cmp eax, PRESENT | USER
        ; jne >refuse
        ; inc rdx
        ; shl rdx, 12                   // the next page, if the range reaches it
        ; cmp rdx, rdi
        ; jb <page
        ; xor eax, eax                  // sets the zero flag
        ; ret
        ; refuse:
        ; or eax, 1                     // clears it
        ; ret
    );
}
