//! What user code tries, and what its own kernel hears of that.

use super::{in_user_code, is_instruction};
use crate::checks::Run;
use crate::predict::draw::Draw;
use crate::predict::question::Question;
use crate::predict::reading::{EXCEPTIONS, handler_behind};
use common::{Fault, SystemInstruction, Trap};

/// Something that user code tries, and how to know it in a trace.
#[derive(Clone, Copy)]
struct Attempt {
    words: &'static str,
    is: fn(&Run, Trap) -> bool,
}

const ATTEMPTS: [Attempt; 7] = [
    Attempt {
        words: "says `hlt`",
        is: |_, trap| is_instruction(trap, |one| one == SystemInstruction::Hlt),
    },
    Attempt {
        words: "says `cli`",
        is: |_, trap| is_instruction(trap, |one| one == SystemInstruction::Cli),
    },
    Attempt {
        words: "writes a port with `out`",
        is: |_, trap| is_instruction(trap, |one| matches!(one, SystemInstruction::Out { .. })),
    },
    Attempt {
        words: "says `swapgs`",
        is: |_, trap| is_instruction(trap, |one| one == SystemInstruction::Swapgs),
    },
    Attempt {
        words: "reads a word of its kernel, `secret`",
        is: |run, trap| touches(run, trap, "secret", |code| code & 2 == 0),
    },
    Attempt {
        words: "executes `ud2`",
        is: |_, trap| matches!(trap, Trap::Fault(Fault::InvalidOpcode { .. })),
    },
    Attempt {
        words: "divides by zero",
        is: |_, trap| trap == Trap::Fault(Fault::DivideError),
    },
];

/// Whether it is a page fault at a symbol, with such an error code.
fn touches(run: &Run, trap: Trap, symbol: &str, is: impl Fn(u32) -> bool) -> bool {
    let wanted = run.observation.image.symbols.address_of(symbol);
    match trap {
        Trap::Fault(fault @ Fault::PageFault { address, .. }) => {
            Some(address) == wanted && fault.error_code().is_some_and(is)
        }
        _ => false,
    }
}

pub(super) fn attempt(draw: &mut Draw) -> Question {
    let Attempt { words, is } = draw.one_of(&ATTEMPTS);
    let scene = draw.guest("intruder");
    let text = format!(
        "The user thread of `intruder` {words}. As which exception does its own kernel hear of \
         that?"
    );
    Question::name("attempt", scene, text, EXCEPTIONS, move |run: &Run| {
        let (at, trap) = in_user_code(run, |trap| is(run, trap))?;
        let name = crate::text::exception(handler_behind(run, at)?);
        let known = EXCEPTIONS.iter().find(|one| one.name == name)?;
        let how = match trap {
            Trap::Fault(_) => "an exception already, and only has to be delivered",
            _ => "a privileged instruction, which is not emulated in user mode but becomes #GP(0)",
        };
        let why = format!(
            "the trap is \"{trap}\": {how}. Behind it the guest goes on in its handler of {name}, \
             and the VM lives on"
        );
        Some((known.name, why))
    })
}

/// An access of user code that its kernel's page tables forbid.
#[derive(Clone, Copy)]
struct Forbidden {
    words: &'static str,
    symbol: &'static str,
    /// Whether such an error code belongs to it.
    is: fn(u32) -> bool,
}

const FORBIDDEN: [Forbidden; 4] = [
    Forbidden {
        words: "reads the kernel's word `secret`",
        symbol: "secret",
        is: |code| code & 2 == 0,
    },
    Forbidden {
        words: "writes the kernel's word `secret`",
        symbol: "secret",
        is: |code| code & 2 != 0,
    },
    Forbidden {
        words: "writes its own text, `user_text`, which it may only read",
        symbol: "user_text",
        is: |_| true,
    },
    Forbidden {
        words: "jumps to its own data, `user_memory`",
        symbol: "user_memory",
        is: |_| true,
    },
];

pub(super) fn error_code(draw: &mut Draw) -> Question {
    let Forbidden { words, symbol, is } = draw.one_of(&FORBIDDEN);
    let scene = draw.guest("intruder");
    let text = format!(
        "The user thread of `intruder` {words}. The page is there. Which error code comes with \
         the page fault? (SDM vol. 3, \"Page-Fault Exceptions\")"
    );
    Question::number("error-code", scene, text, move |run: &Run| {
        let (_, trap) = in_user_code(run, |trap| touches(run, trap, symbol, is))
            .or_else(|| in_data(run, symbol))?;
        let Trap::Fault(fault) = trap else {
            return None;
        };
        let code = fault.error_code()?;
        let why = format!(
            "the fault is \"{fault}\", and its code {code:#x}: bit 0, the page is there; bit 1, a \
             write ({}); bit 2, from user mode; bit 4, a fetch of code ({})",
            code >> 1 & 1,
            code >> 4 & 1
        );
        Some((code.into(), why))
    })
}

/// A fault with RIP at the symbol itself: the thread has jumped there.
fn in_data(run: &Run, symbol: &str) -> Option<(usize, Trap)> {
    let mut traps = run.traps();
    traps
        .find(|(.., trap)| touches(run, *trap, symbol, |code| code & 16 != 0))
        .map(|(at, _, trap)| (at, trap))
}
