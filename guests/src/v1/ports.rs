//! `ports`: every form of `in` and `out`, and what they do to RAX.
//!
//! The rules, which a hypervisor that emulates port access has to keep (SDM
//! volume 2, IN and OUT):
//!
//! - `in al` changes the lowest 8 bits of RAX and `in ax` the lowest 16; the
//!   bits above stay. `in eax` clears the upper 32, as every 32-bit result does.
//! - `out` sends 8, 16 or 32 bits, never what stands above them in RAX, and
//!   changes no register.
//! - The port is an immediate byte or DX; the bits of RDX above DX mean nothing.
//!
//! RAX and RDX are filled with garbage before each access. Two kinds of ports
//! answer in a known way: those that no device claims read as all ones, and the
//! scratch register of the 16550 reads as what was written to it. At the end
//! the guest writes 0 to the exit port in a width that the seed picks, with
//! garbage above.

use crate::asm::Asm;
use crate::catalogue::{Expected, Guest};
use crate::image::Image;
use crate::random::Random;
use crate::{console, program, x64};

/// The catalogue's entry.
pub(super) const GUEST: Guest = Guest {
    name: "ports",
    about: "reads and writes ports in all widths and prints what that does to RAX",
    vcpus: 1,
    build,
    expected,
};

/// Two ports that no device claims, neither here nor on QEMU's PCs: one for the
/// immediate form, which reaches ports up to 0xff, one for DX.
const UNCLAIMED_IMMEDIATE: u8 = 0xe0;
const UNCLAIMED: u16 = 0x240;

/// How many bytes are written to the scratch register and read back.
const SCRATCH_BYTES: usize = 4;

/// One access, and what the registers hold before it.
#[derive(Clone, Copy)]
struct Access {
    form: Form,
    rax: u64,
    /// DX is the port; the rest is garbage.
    rdx: u64,
}

/// The forms of the two instructions.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Form {
    InByte,
    InWord,
    InDoubleword,
    OutByte,
    OutWord,
    OutDoubleword,
}

/// Each form with its name in the output and what it leaves in RAX when the
/// port reads as all ones.
const FORMS: [(Form, &str); 6] = [
    (Form::InByte, "in al"),
    (Form::InWord, "in ax"),
    (Form::InDoubleword, "in eax"),
    (Form::OutByte, "out al"),
    (Form::OutWord, "out ax"),
    (Form::OutDoubleword, "out eax"),
];

/// All that the guest does, in order.
struct Plan {
    /// Accesses to the unclaimed ports: immediate form, then DX.
    accesses: Vec<Access>,
    /// Writes to the scratch register, each with the read behind it.
    scratch: Vec<(Access, Access)>,
    /// The last access, to the exit port.
    exit: Access,
}

impl Plan {
    fn new(seed: u64) -> Self {
        let mut random = Random::new(seed);
        let mut access = |form, port: u16| Access {
            form,
            rax: random.next(),
            rdx: random.next() & !0xffff | u64::from(port),
        };
        let accesses = FORMS.map(|(form, _)| access(form, UNCLAIMED)).to_vec();
        let scratch = (0..SCRATCH_BYTES)
            .map(|_| {
                let write = access(Form::OutByte, console::SCRATCH);
                (write, access(Form::InByte, console::SCRATCH))
            })
            .collect();
        let exits = [Form::OutByte, Form::OutWord, Form::OutDoubleword];
        let form = exits[(seed % 3) as usize];
        let mut exit = access(form, u16::from(program::EXIT_PORT));
        exit.rax &= match form {
            Form::OutByte => !0xff,
            Form::OutWord => !0xffff,
            _ => !0xffff_ffff,
        };
        Self {
            accesses,
            scratch,
            exit,
        }
    }
}

fn build(seed: u64) -> Image {
    let plan = Plan::new(seed);
    program::build(|asm| {
        for (access, (_, name)) in plan.accesses.iter().zip(FORMS) {
            load(asm, access);
            immediate_access(asm, access.form);
            print_rax(asm, &format!("{name}, immediate port"));
            load(asm, access);
            dx_access(asm, access.form);
            print_rax(asm, &format!("{name}, port in dx"));
        }
        for (write, read) in &plan.scratch {
            load(asm, write);
            dx_access(asm, write.form);
            load(asm, read);
            dx_access(asm, read.form);
            print_rax(asm, "scratch register");
        }
        load(asm, &plan.exit);
        dx_access(asm, plan.exit.form);
        x64!(asm ; jmp ->halted);
    })
}

/// Fills RAX and RDX.
fn load(asm: &mut Asm, access: &Access) {
    x64!(asm
        ; mov rax, QWORD access.rax as i64
        ; mov rdx, QWORD access.rdx as i64
    );
}

/// Accesses the port that DX names.
fn dx_access(asm: &mut Asm, form: Form) {
    match form {
        Form::InByte => x64!(asm ; in al, dx),
        Form::InWord => x64!(asm ; in ax, dx),
        Form::InDoubleword => x64!(asm ; in eax, dx),
        Form::OutByte => x64!(asm ; out dx, al),
        Form::OutWord => x64!(asm ; out dx, ax),
        Form::OutDoubleword => x64!(asm ; out dx, eax),
    }
}

/// Accesses the unclaimed port whose number stands in the instruction.
fn immediate_access(asm: &mut Asm, form: Form) {
    let port = UNCLAIMED_IMMEDIATE as i8;
    match form {
        Form::InByte => x64!(asm ; in al, port),
        Form::InWord => x64!(asm ; in ax, port),
        Form::InDoubleword => x64!(asm ; in eax, port),
        Form::OutByte => x64!(asm ; out port, al),
        Form::OutWord => x64!(asm ; out port, ax),
        Form::OutDoubleword => x64!(asm ; out port, eax),
    }
}

/// Prints what the access has left in RAX.
fn print_rax(asm: &mut Asm, what: &str) {
    x64!(asm ; mov rbx, rax);
    console::text(asm, &format!("ports: {what}: rax is "));
    x64!(asm ; mov rax, rbx);
    console::hexadecimal(asm, 16);
    console::text(asm, "\n");
}

fn expected(seed: u64) -> Expected {
    let plan = Plan::new(seed);
    let mut console = String::new();
    for (access, (_, name)) in plan.accesses.iter().zip(FORMS) {
        let rax = after(access.form, access.rax, u32::MAX);
        for port in ["immediate port", "port in dx"] {
            console += &format!("ports: {name}, {port}: rax is {rax:#018x}\n");
        }
    }
    for (write, read) in &plan.scratch {
        let rax = after(read.form, read.rax, write.rax as u32);
        console += &format!("ports: scratch register: rax is {rax:#018x}\n");
    }
    Expected::exit(console, 0)
}

/// RAX after an access to a port that reads as `answer`.
fn after(form: Form, rax: u64, answer: u32) -> u64 {
    let answer = u64::from(answer);
    match form {
        Form::InByte => rax & !0xff | answer & 0xff,
        Form::InWord => rax & !0xffff | answer & 0xffff,
        Form::InDoubleword => answer,
        Form::OutByte | Form::OutWord | Form::OutDoubleword => rax,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn narrow_reads_keep_the_upper_bits_and_wide_ones_clear_them() {
        let rax = 0x1122_3344_5566_7788;
        assert_eq!(after(Form::InByte, rax, 0xaaaa_aaaa), 0x1122_3344_5566_77aa);
        assert_eq!(after(Form::InWord, rax, 0xaaaa_aaaa), 0x1122_3344_5566_aaaa);
        assert_eq!(after(Form::InDoubleword, rax, 0xaaaa_aaaa), 0xaaaa_aaaa);
        assert_eq!(after(Form::OutDoubleword, rax, 0xaaaa_aaaa), rax);
    }

    #[test]
    fn three_seeds_exit_in_three_widths_with_garbage_above_the_zero() {
        for (seed, mask) in [(0, 0xff), (1, 0xffff), (2, 0xffff_ffff)] {
            let rax = Plan::new(seed).exit.rax;
            assert_eq!(rax & mask, 0);
            assert_ne!(rax, 0);
        }
    }
}
