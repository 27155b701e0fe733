//! Choices that look random and never are.

/// A sequence of numbers that follows entirely from its seed.
///
/// FNV-1a turns the seed bytes into a state and splitmix64 walks on from there. Neither resists an attacker and neither
/// has to: the dice only pick passages and jitter.
#[derive(Debug, Clone, Copy)]
pub(super) struct Dice(u64);

impl Dice {
    pub(super) fn new(seed: &[u8]) -> Self {
        let hash = seed.iter().fold(0xcbf2_9ce4_8422_2325, |hash: u64, byte| {
            (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3)
        });
        Self(hash)
    }

    /// The next number of the sequence.
    pub(super) fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number from `low` to `high`, both included.
    pub(super) fn between(&mut self, low: u64, high: u64) -> u64 {
        low + self.roll() % (high - low + 1)
    }

    /// One of `choices`, which must not be empty.
    pub(super) fn pick<'a, T>(&mut self, choices: &'a [T]) -> &'a T {
        let last = choices.len() as u64 - 1;
        let index = usize::try_from(self.between(0, last)).unwrap_or(0);
        &choices[index]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_rolls_the_same_numbers() {
        let (mut one, mut two) = (Dice::new(b"hello"), Dice::new(b"hello"));
        assert!((0..20).all(|_| one.roll() == two.roll()));
    }

    #[test]
    fn another_seed_rolls_other_numbers() {
        assert_ne!(Dice::new(b"hello").roll(), Dice::new(b"hellp").roll());
    }

    #[test]
    fn between_reaches_both_ends_and_never_leaves_them() {
        let mut dice = Dice::new(b"seed");
        let rolls: Vec<u64> = (0..200).map(|_| dice.between(3, 7)).collect();
        assert!(rolls.iter().all(|roll| (3..=7).contains(roll)));
        assert!(rolls.contains(&3) && rolls.contains(&7));
    }
}
