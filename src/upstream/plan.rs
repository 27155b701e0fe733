//! Who is asked in which order for one request.
//!
//! The order is not made beforehand: each time that somebody is to be asked, the best of those who have not been is looked
//! for as things stand then. A target can be asked with each key of its provider; each such way is a lane.

use std::cmp::Reverse;
use std::hash::{DefaultHasher, Hash, Hasher};

use tokio::time::Instant;

use super::dice;
use super::health::{Readiness, Ticket};
use super::routing::{Route, Target};
use crate::config::model::Strategy;

/// A way to ask.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Lane {
    /// The target's place in the route.
    pub(super) target: usize,
    /// The number of the key, from 0.
    pub(super) key: usize,
}

/// What is left to be asked. See the [module documentation](self).
#[derive(Debug)]
pub(super) struct Plan<'a> {
    route: &'a Route,
    /// What the client's session is called, as a number.
    session: Option<u64>,
    /// One bit for each lane that is left. The configuration allows no more lanes than that.
    left: u64,
}

impl<'a> Plan<'a> {
    pub(super) fn new(route: &'a Route, session: Option<u64>) -> Self {
        Self { route, session, left: u64::MAX }
    }

    /// The best lane that is left, which then is not any more. Healthy ones first, of these the lowest tier, of this what the
    /// strategy says.
    pub(super) fn next(&mut self, now: Instant) -> Option<(Lane, Ticket)> {
        loop {
            let (readiness, tier) = self.standings(now).map(|(_, standing)| standing).min()?;
            let peers =
                self.standings(now).filter(|(_, standing)| *standing == (readiness, tier)).map(|(index, _)| index);
            let chosen = self.choose(peers, now);
            let admitted = chosen.and_then(|target| Some((target, self.admit(target, readiness, now)?)));
            if let Some((target, (key, ticket))) = admitted {
                let lane = Lane { target, key };
                self.left &= !self.bit(lane);
                return Some((lane, ticket));
            }
            // Between two looks another request changed how things stand.
        }
    }

    /// The best lane that is left at another target than `busy`, if it is at one that is well; then it is not left any more.
    pub(super) fn next_beside(&mut self, busy: usize, now: Instant) -> Option<(Lane, Ticket)> {
        let kept = self.left & self.bits(busy);
        self.left &= !kept;
        let next = self.next(now);
        self.left |= kept;
        let (lane, ticket) = next?;
        if ticket.is_last_hope() {
            self.put_back(lane);
            return None;
        }
        Some((lane, ticket))
    }

    /// `lane` was not asked after all.
    pub(super) fn put_back(&mut self, lane: Lane) {
        self.left |= self.bit(lane);
    }

    /// Asks nobody at this target any more.
    pub(super) fn leave(&mut self, target: usize) {
        self.left &= !self.bits(target);
    }

    /// Asks nobody but this target any more.
    pub(super) fn stay(&mut self, target: usize) {
        self.left &= self.bits(target);
    }

    /// The targets that are left, each with how it stands.
    fn standings(&self, now: Instant) -> impl Iterator<Item = (usize, (Readiness, u32))> + Clone {
        self.route.targets.iter().enumerate().filter_map(move |(index, target)| {
            let keys = self.keys(index).map(|key| target.terms.breakers[key].readiness(now));
            Some((index, (keys.min()?, target.terms.tier)))
        })
    }

    /// One of `peers`, which stand alike.
    fn choose(&self, mut peers: impl Iterator<Item = usize> + Clone, now: Instant) -> Option<usize> {
        let terms = |index: usize| &self.route.targets[index].terms;
        if let Some(session) = self.session {
            return peers.max_by_key(|&index| score(session, &self.route.targets[index]));
        }
        match self.route.strategy {
            Strategy::Priority => peers.next(),
            Strategy::Weighted => {
                let total: u64 = peers.clone().map(|index| u64::from(terms(index).weight)).sum();
                let mut left = dice::any() % total.max(1);
                peers.find(|&index| {
                    let weight = u64::from(terms(index).weight);
                    let is_meant = left < weight;
                    left = left.saturating_sub(weight);
                    is_meant
                })
            }
            Strategy::LeastInFlight => peers.min_by_key(|&index| {
                let load = (terms(index).vitals.capacity.in_flight() as u64 + 1) << 16;
                (load / u64::from(terms(index).weight), dice::any())
            }),
            Strategy::Fastest => {
                let quickest = peers.min_by_key(|&index| terms(index).vitals.pace.rank(now))?;
                terms(quickest).vitals.pace.choose(now);
                Some(quickest)
            }
        }
    }

    /// The next key of a target that lets the request through.
    fn admit(&self, target: usize, readiness: Readiness, now: Instant) -> Option<(usize, Ticket)> {
        let Target { upstream, terms, .. } = &self.route.targets[target];
        let turn = upstream.next_key();
        let is_left = |key: &usize| self.left & self.bit(Lane { target, key: *key }) != 0;
        let mut keys = (0..terms.breakers.len()).map(|step| (turn + step) % terms.breakers.len()).filter(is_left);
        match readiness {
            Readiness::Ready => keys.find_map(|key| Some((key, terms.breakers[key].admit(now)?))),
            // Who will be ready first.
            Readiness::Resting => {
                let key = keys.min_by_key(|&key| terms.breakers[key].open_for(now))?;
                Some((key, terms.breakers[key].admit_last_hope(now)))
            }
        }
    }

    fn keys(&self, target: usize) -> impl Iterator<Item = usize> {
        let left = self.left;
        let first = self.route.targets[target].terms.first_lane;
        (0..self.route.targets[target].terms.breakers.len()).filter(move |key| left >> (first as usize + key) & 1 == 1)
    }

    fn bit(&self, lane: Lane) -> u64 {
        1 << (self.route.targets[lane.target].terms.first_lane as usize + lane.key)
    }

    fn bits(&self, target: usize) -> u64 {
        let keys = 0..self.route.targets[target].terms.breakers.len();
        keys.map(|key| self.bit(Lane { target, key })).sum()
    }
}

/// The number of a session that a client calls so.
pub(super) fn session(name: &[u8]) -> u64 {
    let mut hasher = DefaultHasher::new();
    name.hash(&mut hasher);
    hasher.finish()
}

/// How much a session is drawn to a target: when one target goes, only its own sessions move (rendezvous hashing). Heavier
/// ones draw more.
fn score(session: u64, target: &Target) -> (u64, Reverse<u64>) {
    let mut hasher = DefaultHasher::new();
    (session, &*target.upstream.name, &*target.model).hash(&mut hasher);
    let chance = (hasher.finish() >> 11) as f64 / (1_u64 << 53) as f64;
    // -w / ln(chance), which is never negative, so its bits are in its order.
    let score = -f64::from(target.terms.weight) / chance.max(f64::MIN_POSITIVE).ln();
    (score.to_bits(), Reverse(hasher.finish()))
}
