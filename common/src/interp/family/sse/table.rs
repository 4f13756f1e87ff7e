//! Tables of instructions that differ only in the function they apply.

use iced_x86::Mnemonic;

/// A function of destination and source.
pub type Packed = fn(u128, u128) -> u128;
/// A function of destination and count.
pub type Shift = fn(u128, u64) -> u128;
/// A function of destination, source and immediate.
pub type Shuffle = fn(u128, u128, u8) -> u128;
/// A function of source and immediate, for memory or a general register.
pub type Extract = fn(u128, u8) -> u64;

/// Instructions that do the same to the bits, and what they do.
pub type Row<F> = (&'static [Mnemonic], F);

/// Finds an instruction in several tables: the table, and the row there.
pub fn row<F>(tables: &[&[Row<F>]], mnemonic: Mnemonic) -> Option<(u8, u8)> {
    (0..).zip(tables).find_map(|(number, table)| {
        let row = table
            .iter()
            .position(|(names, _)| names.contains(&mnemonic));
        row.map(|row| (number, row as u8))
    })
}

/// The function of an instruction.
#[cfg(test)]
pub fn find<F: Copy>(table: &[Row<F>], mnemonic: Mnemonic) -> Option<F> {
    row(&[table], mnemonic).map(|(_, row)| table[row as usize].1)
}
