//! A second target beside one that is slow.
//!
//! Where the route says so, a target that is silent for too long gets a rival: the next attempt, begun early. The first of the
//! two that yields something ends the other; the failure of one is for the other no reason to end.

use std::pin::pin;
use std::time::Duration;

use tokio::time::Instant;

use super::{Asked, Attempt, Attempts, Done, Goal};
use crate::config::hedge::{After, Hedge};
use crate::error::Error;
use crate::upstream::health::Ticket;
use crate::upstream::plan::Lane;
use crate::upstream::question::Translated;
use crate::upstream::request::UpstreamRequest;
use crate::upstream::routing::Target;
use crate::upstream::trail::Outcome;

impl<'a> Attempts<'a> {
    /// What `attempt` yields, or the one that is made beside it when it is slow.
    pub(super) async fn see_through<G: Goal>(&mut self, goal: &G, attempt: Attempt<'a>) -> Option<Done<G::Yield>> {
        let (target, patience) = (attempt.lane.target, self.patience(attempt.target));
        let mut first = pin!(ask(goal, attempt));
        if let Some(patience) = patience {
            match tokio::time::timeout(patience, first.as_mut()).await {
                Ok(asked) => return self.settle(asked),
                Err(_) => {
                    if let Some(rival) = self.rival_of(target) {
                        return self.race(first, Box::pin(ask(goal, rival))).await;
                    }
                }
            }
        }
        let asked = first.await;
        self.settle(asked)
    }

    /// What the first of two attempts yields that yields something.
    async fn race<T>(
        &mut self,
        mut first: impl Future<Output = Asking<'a, T>> + Unpin,
        mut second: impl Future<Output = Asking<'a, T>> + Unpin,
    ) -> Option<Done<T>> {
        let (asked, is_first) = tokio::select! {
            biased;
            asked = &mut first => (asked, true),
            asked = &mut second => (asked, false),
        };
        let done = self.settle(asked);
        if done.is_some() {
            return done;
        }
        let asked = if is_first { second.await } else { first.await };
        self.settle(asked)
    }

    /// How long `target` may be silent before another is asked beside it; `None` if none is.
    fn patience(&self, target: &Target) -> Option<Duration> {
        match self.hedge?.after {
            After::Time(time) => Some(time),
            After::P95 => target.terms.vitals.pace.p95(),
        }
    }

    /// An attempt beside that at `busy`: at a target that is well and has room, if the process has asked two at once seldom
    /// enough, and not asked again too often.
    fn rival_of(&mut self, busy: usize) -> Option<Attempt<'a>> {
        if !self.may_go_on() {
            return None;
        }
        let now = Instant::now();
        let (lane, ticket, way) = loop {
            let (lane, ticket) = self.plan.next_beside(busy, now)?;
            if let Some(way) = self.way(lane.target) {
                break (lane, ticket, way);
            }
        };
        let rival = self.enter_rival(lane, ticket, way, now);
        if rival.is_none() {
            self.plan.put_back(lane);
        }
        rival
    }

    fn enter_rival(
        &mut self,
        lane: Lane,
        ticket: Ticket,
        (request, translated): (&'a UpstreamRequest, Option<&'a Translated>),
        now: Instant,
    ) -> Option<Attempt<'a>> {
        let target = &self.question.route.targets[lane.target];
        let permit = target.terms.vitals.capacity.try_enter(&target.terms.limits)?;
        let is_seldom = |hedge: Hedge| self.question.route.policy.fleet.hedges.withdraw(hedge.max_percent, now);
        if !self.hedge.is_some_and(is_seldom) || !self.may_spend(now) {
            return None;
        }
        self.made += 1;
        self.rival = Some(Asked { target, lane, since: now });
        Some(Attempt { target, key: lane.key, request, translated, lane, times: 0, begun: now, ticket, permit })
    }

    /// Notes who is given up because another was quicker. That is no failure; but who was waited for is known to be slow.
    pub(super) fn lose(&mut self, now: Instant) {
        if let Some(Asked { target, since, .. }) = &self.current {
            target.terms.vitals.pace.record(now - *since, now);
        }
        for Asked { target, since, .. } in self.current.take().into_iter().chain(self.rival.take()) {
            self.trail.add(target, Outcome::Word("hedge_lost"), now - since);
        }
    }
}

/// An attempt and what came of it.
type Asking<'a, T> = (Attempt<'a>, Result<T, Error>);

/// What came of `attempt`, which holds on to all that it has taken until it is settled.
async fn ask<'a, G: Goal>(goal: &G, attempt: Attempt<'a>) -> Asking<'a, G::Yield> {
    let asked = goal.attempt(&attempt).await;
    (attempt, asked)
}
