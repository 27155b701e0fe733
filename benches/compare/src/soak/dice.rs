//! Chance that can be had again.

use std::ops::Range;
use std::time::Duration;

/// [SplitMix64](https://prng.di.unimi.it/splitmix64.c): small, and good enough to choose.
pub struct Dice(u64);

impl Dice {
    /// The dice of one of many players.
    pub fn new(seed: u64, player: u64) -> Self {
        let mut dice = Self(seed);
        dice.0 ^= Self(player).next().rotate_left(17);
        dice
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    pub fn number(&mut self, range: Range<u64>) -> u64 {
        range.start + self.next() % (range.end - range.start)
    }

    pub fn millis(&mut self, range: Range<u64>) -> Duration {
        Duration::from_millis(self.number(range))
    }

    /// True in so many of a hundred cases.
    pub fn percent(&mut self, percent: u64) -> bool {
        self.number(0..100) < percent
    }

    /// One of several, each as often as its weight says.
    pub fn weighted<T: Copy>(&mut self, choices: &[(u64, T)]) -> T {
        let mut at = self.number(0..choices.iter().map(|(weight, _)| weight).sum());
        for &(weight, choice) in choices {
            if at < weight {
                return choice;
            }
            at -= weight;
        }
        unreachable!("the number is below the sum of all weights")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_throws_the_same() {
        let throw = |seed, player| {
            let mut dice = Dice::new(seed, player);
            [dice.next(), dice.next()]
        };
        assert_eq!(throw(1, 2), throw(1, 2));
        assert_ne!(throw(1, 2), throw(2, 2));
        assert_ne!(throw(1, 2), throw(1, 3));
    }

    #[test]
    fn weights_are_kept() {
        let mut dice = Dice::new(7, 7);
        let heavy = (0..4000).filter(|_| dice.weighted(&[(3, true), (1, false)])).count();
        assert!((2800..3200).contains(&heavy), "{heavy}");
    }
}
