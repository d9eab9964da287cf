//! Random numbers that need nothing.

/// A sequence of its own for each thread and task (xorshift).
#[derive(Debug, Clone)]
pub(crate) struct Dice(u64);

impl Dice {
    pub(crate) fn new(seed: u64) -> Dice {
        // Never 0, and neighbours far apart.
        Dice((seed + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }

    pub(crate) fn roll(&mut self, sides: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 8) % sides
    }

    pub(crate) fn one_in(&mut self, chance: u64) -> bool {
        self.roll(chance) == 0
    }

    /// One for somebody else.
    pub(crate) fn another(&mut self) -> Dice {
        Dice::new(self.roll(u64::MAX))
    }
}
