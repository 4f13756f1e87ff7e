//! Interrupts that one vCPU sends to another (SDM vol. 3, 11.6).

/// The bits of the command register that are kept: vector, delivery mode,
/// destination mode, level, trigger mode, shorthand. The delivery status, bit
/// 12, is always "idle".
pub(super) const COMMAND_BITS: u32 = 0x000c_cfff;
const DELIVERY_MODE: u32 = 7 << 8;
const LOGICAL: u32 = 1 << 11;
/// The physical destination that means every APIC.
const BROADCAST: u8 = 0xff;

/// A fixed interrupt to other vCPUs, on its way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ipi {
    /// The vector to request.
    pub vector: u8,
    /// Where it goes.
    pub target: IpiTarget,
}

/// Whom an IPI is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IpiTarget {
    /// The APIC with this number.
    Id(u8),
    /// The sender.
    Myself,
    /// Everybody, the sender too.
    All,
    /// Everybody but the sender.
    Others,
}

impl Ipi {
    /// What a command sends; nothing if it is no fixed interrupt to a physical
    /// destination or its vector is one of the first 16.
    pub(super) fn from_command(command: u32, command_high: u32) -> Option<Ipi> {
        let vector = command as u8;
        let id = (command_high >> 24) as u8;
        let target = match command >> 18 & 3 {
            0 if command & LOGICAL != 0 => return None,
            0 if id == BROADCAST => IpiTarget::All,
            0 => IpiTarget::Id(id),
            1 => IpiTarget::Myself,
            2 => IpiTarget::All,
            _ => IpiTarget::Others,
        };
        let fixed = command & DELIVERY_MODE == 0;
        (fixed && vector >= super::FIRST_VECTOR).then_some(Ipi { vector, target })
    }

    /// Whether it reaches APIC number `id` when APIC number `sender` sent it.
    pub const fn reaches(self, sender: u8, id: u8) -> bool {
        match self.target {
            IpiTarget::Id(target) => target == id,
            IpiTarget::Myself => sender == id,
            IpiTarget::All => true,
            IpiTarget::Others => sender != id,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reached(command: u32, destination: u8) -> Vec<u8> {
        let high = u32::from(destination) << 24;
        Ipi::from_command(command, high).map_or(Vec::new(), |ipi| {
            (0..4).filter(|id| ipi.reaches(1, *id)).collect()
        })
    }

    #[test]
    fn the_shorthands_and_destinations_reach_whom_they_name() {
        assert_eq!(reached(0x0_0040, 2), [2]);
        assert_eq!(reached(0x0_0040, 0xff), [0, 1, 2, 3]);
        assert_eq!(reached(0x4_0040, 2), [1]);
        assert_eq!(reached(0x8_0040, 2), [0, 1, 2, 3]);
        assert_eq!(reached(0xc_0040, 2), [0, 2, 3]);
    }

    #[test]
    fn what_is_no_fixed_physical_interrupt_is_not_sent() {
        let init = 0x500;
        let startup = 0x610;
        let logical = 0x840;
        let reserved_vector = 0x0f;
        for command in [init, startup, logical, reserved_vector] {
            assert_eq!(Ipi::from_command(command, 0), None);
        }
    }
}
