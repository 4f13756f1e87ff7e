//! The guest's code, read and disassembled after the fact.

use crate::{
    Access, Context, Ending, Exit, Fault, Gpr, MmioOperation, Size, Space, Symbols, Translation,
    Trap, View, translate,
};
use iced_x86::{
    Decoder, DecoderOptions, Formatter, Instruction, InstructionInfoFactory, IntelFormatter,
    Mnemonic, OpKind, Register, SymbolResolver, SymbolResult,
};

/// No x86 instruction is longer.
const LONGEST: usize = 15;
/// How far back the start of a function is looked for.
const FARTHEST: u64 = 16 << 10;

/// Guest memory as a source of instructions.
pub(super) struct Code<'a> {
    context: &'a Context,
    symbols: &'a Symbols,
    /// The guest's address space with the kernel's rights: we may look at
    /// whatever is mapped.
    space: Space,
}

impl<'a> Code<'a> {
    pub(super) fn new(context: &'a Context, symbols: &'a Symbols) -> Code<'a> {
        let mut space = context.space.clone();
        space.view = View::Kernel;
        Code {
            context,
            symbols,
            space,
        }
    }

    pub(super) fn symbols(&self) -> &'a Symbols {
        self.symbols
    }

    /// The address of the instruction that led to `ending`: at RIP, or before
    /// it, where the instruction was already finished.
    pub(super) fn instruction_of(&self, ending: Ending) -> u64 {
        let rip = self.context.rip;
        let finished = match ending {
            Ending::Died(Exit::Mmio(mmio) | Exit::Unsupported(Trap::Mmio(mmio))) => {
                matches!(mmio.operation, MmioOperation::Write(_))
            }
            Ending::Died(Exit::Unsupported(Trap::Fault(fault))) => fault == Fault::Breakpoint,
            Ending::Died(Exit::Shutdown(chain)) => chain.first == Fault::Breakpoint,
            _ => false,
        };
        let before = self.before(rip).filter(|instruction| match ending {
            Ending::Halted => instruction.mnemonic() == Mnemonic::Hlt,
            Ending::Exited(_) => instruction.mnemonic() == Mnemonic::Out,
            _ => finished,
        });
        before.map_or(rip, |instruction| instruction.ip())
    }

    /// What the page of `address` allows, if one is mapped.
    pub(super) fn rights(&self, address: u64) -> Option<Translation> {
        translate(&self.space, address, Access::Read).ok()
    }

    /// As many bytes at `address` as are mapped to RAM, `LONGEST` at most.
    pub(super) fn bytes(&self, address: u64) -> Vec<u8> {
        let byte = |offset| {
            let address = address.wrapping_add(offset);
            let found = self.rights(address)?;
            let mut byte = [0];
            self.space.memory.read(found.gpa, &mut byte)?;
            Some(byte[0])
        };
        (0..LONGEST as u64).map_while(byte).collect()
    }

    /// The instruction at `address`, if there is one.
    pub(super) fn decode(&self, address: u64) -> Option<Instruction> {
        let bytes = self.bytes(address);
        let mut decoder = Decoder::with_ip(64, &bytes, address, DecoderOptions::NONE);
        let instruction = decoder.decode();
        (!instruction.is_invalid()).then_some(instruction)
    }

    /// The instruction that ends where `address` begins. x86 cannot be read
    /// backwards, so this reads forwards from the name before, and believes
    /// what it finds if an instruction ends exactly there.
    pub(super) fn before(&self, address: u64) -> Option<Instruction> {
        let (_, offset) = self.symbols.locate(address.checked_sub(1)?)?;
        let mut at = (address - 1).checked_sub(offset)?;
        if offset > FARTHEST {
            return None;
        }
        loop {
            let instruction = self.decode(at)?;
            at = instruction.next_ip();
            if at >= address {
                return (at == address).then_some(instruction);
            }
        }
    }

    /// The instruction at `address` as text; else its bytes; else why not.
    pub(super) fn text(&self, address: u64) -> String {
        let bytes = self.bytes(address);
        match self.decode(address) {
            Some(instruction) => self.format(&instruction),
            None if bytes.is_empty() => "no memory here to read the instruction from".to_string(),
            None => {
                let bytes: Vec<_> = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
                format!("no instruction in the bytes {}", bytes.join(" "))
            }
        }
    }

    pub(super) fn format(&self, instruction: &Instruction) -> String {
        format(instruction, self.symbols)
    }

    /// The general registers that the instruction at `address` uses, in the
    /// order of its operands.
    pub(super) fn registers_used(&self, address: u64) -> Vec<Gpr> {
        let Some(instruction) = self.decode(address) else {
            return Vec::new();
        };
        let mut factory = InstructionInfoFactory::new();
        let mut used = Vec::new();
        for register in factory.info(&instruction).used_registers() {
            if let Some(register) = general(register.register())
                && !used.contains(&register)
            {
                used.push(register);
            }
        }
        used
    }

    /// The value of an operand that is a register or memory, and its width.
    pub(super) fn operand(&self, instruction: &Instruction, operand: u32) -> Option<u64> {
        match instruction.op_kind(operand) {
            OpKind::Register => self.register(instruction.op_register(operand)),
            OpKind::Memory => {
                let address = self.address(instruction, operand)?;
                let size = instruction.memory_size().size() as u64;
                let size = Size::from_bytes(size)?;
                let mut bytes = self.bytes(address);
                bytes.resize(8, 0);
                let value = u64::from_le_bytes(bytes.try_into().ok()?);
                Some(size.truncate(value))
            }
            _ => None,
        }
    }

    /// The guest-virtual address of a memory operand.
    pub(super) fn address(&self, instruction: &Instruction, operand: u32) -> Option<u64> {
        instruction.virtual_address(operand, 0, |register, _, _| match register {
            Register::FS => Some(self.context.fs_base),
            Register::GS => Some(self.context.gs_base),
            Register::CS | Register::DS | Register::ES | Register::SS => Some(0),
            _ => self.register(register),
        })
    }

    /// What a register of any width holds.
    fn register(&self, register: Register) -> Option<u64> {
        let full = self.context.registers[general(register)?];
        let high_byte = [Register::AH, Register::CH, Register::DH, Register::BH];
        let value = if high_byte.contains(&register) {
            full >> 8
        } else {
            full
        };
        Some(Size::from_bytes(register.size() as u64)?.truncate(value))
    }
}

/// The general register that a register is a part of.
fn general(register: Register) -> Option<Gpr> {
    let full = register.full_register();
    full.is_gpr64().then(|| Gpr::ALL[full.number()])
}

/// The instruction that `bytes` begin with, as if it stood at `address`: its text
/// and its length; `None` if they are no instruction, or not all of one.
pub fn disassemble(bytes: &[u8], address: u64, symbols: &Symbols) -> Option<(String, usize)> {
    let mut decoder = Decoder::with_ip(64, bytes, address, DecoderOptions::NONE);
    let instruction = decoder.decode();
    (!instruction.is_invalid()).then(|| (format(&instruction, symbols), instruction.len()))
}

/// An instruction as text, with the guest's names.
fn format(instruction: &Instruction, symbols: &Symbols) -> String {
    let resolver = Box::new(Names(symbols.clone()));
    let mut formatter = IntelFormatter::with_options(Some(resolver), None);
    let options = formatter.options_mut();
    options.set_hex_prefix("0x");
    options.set_hex_suffix("");
    options.set_uppercase_hex(false);
    options.set_branch_leading_zeros(false);
    options.set_show_branch_size(false);
    options.set_space_after_operand_separator(true);
    let mut text = String::new();
    formatter.format(instruction, &mut text);
    text
}

/// Puts the guest's names in the place of addresses.
struct Names(Symbols);

impl SymbolResolver for Names {
    fn symbol(
        &mut self,
        instruction: &Instruction,
        _operand: u32,
        instruction_operand: Option<u32>,
        address: u64,
        _address_size: u32,
    ) -> Option<SymbolResult<'_>> {
        let (name, offset) = self.0.locate(address)?;
        let kind = instruction.op_kind(instruction_operand?);
        let is_address = matches!(kind, OpKind::NearBranch64 | OpKind::Memory);
        // Any number can lie in the image by chance; one that is a name's
        // address seldom does.
        (is_address || offset == 0).then(|| SymbolResult::with_str(address - offset, name))
    }
}
