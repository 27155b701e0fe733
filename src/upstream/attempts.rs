//! One question, asked until it is answered: the loop over attempts, whatever an attempt is to yield.
//!
//! An attempt is a value that holds all that it takes: a place at its target and the word of the target's breaker. Dropped,
//! it gives all of it back; so a client that leaves, in a queue, between two attempts or within one, leaves no trace.

mod hedge;

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use tokio::time::Instant;

use super::capacity::{NoRoom, Permit};
use super::failures::Failures;
use super::fleet::Policy;
use super::health::{Breaker, Ticket};
use super::plan::{Lane, Plan};
use super::question::{Question, Translated};
use super::request::UpstreamRequest;
use super::retry::{self, Verdict};
use super::routing::Target;
use super::trail::{Outcome, Trail};
use crate::config::hedge::Hedge;
use crate::error::{Error, Phase};

/// What is wanted of a target.
pub(super) trait Goal {
    /// What it is when it is had.
    type Yield;

    /// Whether a target's silence says that it is slow, so that another may be asked beside it.
    const MAY_BE_RACED: bool;

    /// Asks for it.
    fn attempt(&self, attempt: &Attempt<'_>) -> impl Future<Output = Result<Self::Yield, Error>> + Send;
}

/// One attempt: who is asked, and in which words.
#[derive(Debug)]
pub(super) struct Attempt<'a> {
    pub(super) target: &'a Target,
    /// The number of the key it is asked with.
    pub(super) key: usize,
    pub(super) request: &'a UpstreamRequest,
    /// What the request is, if it is in other words than the client's.
    pub(super) translated: Option<&'a Translated>,
    lane: Lane,
    /// How often the target was asked already.
    times: u32,
    begun: Instant,
    ticket: Ticket,
    permit: Permit,
}

/// What was wanted, where it is from, and who was asked before.
#[derive(Debug)]
pub(super) struct Done<T> {
    pub(super) value: T,
    pub(super) seat: Seat,
    pub(super) trail: Trail,
}

/// Why nobody answered a question, and who was asked.
#[derive(Debug)]
pub struct Failure {
    /// What the client is told.
    pub error: Error,
    /// The attempts.
    pub trail: Trail,
}

/// What a stream holds of the target that sends it, given back when dropped.
#[derive(Debug, Default)]
pub struct Seat {
    _permit: Permit,
    judge: Option<(Arc<Breaker>, Arc<Policy>)>,
}

impl Seat {
    /// A place at a target that nobody judges.
    pub fn of(permit: Permit) -> Self {
        Self { _permit: permit, judge: None }
    }

    /// The stream had begun and ended in `error`, which counts against the health of its target if that is to blame.
    pub fn failed(&self, error: &Error) {
        if let (Some((breaker, policy)), true) = (&self.judge, retry::verdict(error).blames_the_target()) {
            breaker.broke(&policy.health, Instant::now());
        }
    }
}

/// Asks `question`, which came at `started`, for `goal`: one target after the other, within `total` after it came.
pub(super) async fn until_answered<G: Goal>(
    question: &Question,
    goal: &G,
    started: Instant,
    total: Option<Duration>,
) -> Result<Done<G::Yield>, Failure> {
    let hedge = question.route.hedge.filter(|_| G::MAY_BE_RACED);
    let mut attempts = Attempts::new(question, started, hedge);
    let answered = attempts.until_answered(goal);
    let done = match total {
        None => answered.await,
        Some(limit) => match tokio::time::timeout_at(started + limit, answered).await {
            Ok(done) => done,
            Err(_) => {
                attempts.run_out_of_time(limit);
                None
            }
        },
    };
    done.ok_or_else(|| Failure { error: attempts.failures.into_error(), trail: attempts.trail })
}

/// The attempts at one question.
struct Attempts<'a> {
    question: &'a Question,
    plan: Plan<'a>,
    started: Instant,
    made: u32,
    /// Nobody else is to be asked.
    is_over: bool,
    /// Lanes that may be asked again, and when.
    repeats: Vec<Repeat>,
    hedge: Option<Hedge>,
    /// Who is being asked, or waited for.
    current: Option<Asked<'a>>,
    /// Who is being asked beside.
    rival: Option<Asked<'a>>,
    failures: Failures,
    trail: Trail,
}

/// Where a question is, and since when.
struct Asked<'a> {
    target: &'a Target,
    lane: Lane,
    since: Instant,
}

struct Repeat {
    lane: Lane,
    times: u32,
    at: Instant,
}

impl<'a> Attempts<'a> {
    fn new(question: &'a Question, started: Instant, hedge: Option<Hedge>) -> Self {
        let (fleet, now) = (&question.route.policy.fleet, Instant::now());
        fleet.budget.deposit(now);
        if hedge.is_some() {
            fleet.hedges.deposit(now);
        }
        Self {
            question,
            plan: Plan::new(&question.route, question.session),
            started,
            made: 0,
            is_over: false,
            repeats: Vec::new(),
            hedge,
            current: None,
            rival: None,
            failures: Failures::default(),
            trail: Trail::default(),
        }
    }

    /// What an attempt yields, once one does; `None` when nobody else is to be asked.
    async fn until_answered<G: Goal>(&mut self, goal: &G) -> Option<Done<G::Yield>> {
        while let Some(attempt) = self.next().await {
            let done = self.see_through(goal, attempt).await;
            if done.is_some() {
                return done;
            }
        }
        None
    }

    /// Notes what came of an attempt.
    fn settle<T>(&mut self, (attempt, asked): (Attempt<'a>, Result<T, Error>)) -> Option<Done<T>> {
        let slot = if self.rival.as_ref().is_some_and(|rival| rival.lane == attempt.lane) {
            &mut self.rival
        } else {
            &mut self.current
        };
        *slot = None;
        match asked {
            Ok(value) => Some(self.succeed(attempt, value)),
            Err(error) => {
                self.fail(&attempt, error);
                None
            }
        }
    }

    /// The next attempt, once it is its time and there is a place for it.
    async fn next(&mut self) -> Option<Attempt<'a>> {
        while self.may_go_on() {
            let (lane, ticket, times) = self.choose().await?;
            let target = &self.question.route.targets[lane.target];
            let Some((request, translated)) = self.way(lane.target) else { continue };
            let since = Instant::now();
            self.current = Some(Asked { target, lane, since });
            match target.terms.vitals.capacity.enter(&target.terms.limits).await {
                Ok(permit) => {
                    self.made += 1;
                    let begun = Instant::now();
                    self.current = Some(Asked { target, lane, since: begun });
                    let key = lane.key;
                    return Some(Attempt { target, key, request, translated, lane, times, begun, ticket, permit });
                }
                Err(no_room) => self.pass_over(lane, target, no_room, since),
            }
        }
        None
    }

    /// In which words a target is asked. If it cannot be, that is noted, and it is left out.
    fn way(&mut self, target: usize) -> Option<(&'a UpstreamRequest, Option<&'a Translated>)> {
        let way = self.question.way(target);
        way.map_err(|unsayable| {
            self.failures.add_unsayable(unsayable);
            self.plan.leave(target);
        })
        .ok()
    }

    fn may_go_on(&self) -> bool {
        let retry = &self.question.route.policy.retry;
        let is_late = || retry.deadline.is_some_and(|deadline| self.started.elapsed() > deadline);
        !self.is_over && (self.made == 0 || self.made < retry.max_attempts.get() && !is_late())
    }

    /// Who is asked next, and how often that target was asked already. Somebody who has not been, if there is anyone. Asking
    /// who has failed, this request or others of late, has to be paid for.
    async fn choose(&mut self) -> Option<(Lane, Ticket, u32)> {
        let now = Instant::now();
        if let Some((lane, ticket)) = self.plan.next(now) {
            let is_free = self.made == 0 || !ticket.is_last_hope();
            return (is_free || self.may_spend(now)).then_some((lane, ticket, 0));
        }
        let (index, _) = self.repeats.iter().enumerate().min_by_key(|(_, repeat)| repeat.at)?;
        let Repeat { lane, times, at } = self.repeats.swap_remove(index);
        let deadline = self.question.route.policy.retry.deadline;
        if deadline.is_some_and(|deadline| at > self.started + deadline) || !self.may_spend(now) {
            return None;
        }
        tokio::time::sleep_until(at).await;
        let breaker = &self.question.route.targets[lane.target].terms.breakers[lane.key];
        Some((lane, breaker.admit_last_hope(Instant::now()), times))
    }

    fn may_spend(&self, now: Instant) -> bool {
        let policy = &self.question.route.policy;
        policy.fleet.budget.withdraw(policy.retry.budget_percent, now)
    }

    fn succeed<T>(&mut self, attempt: Attempt<'a>, value: T) -> Done<T> {
        let Attempt { target, begun, ticket, permit, .. } = attempt;
        let (now, policy) = (Instant::now(), &self.question.route.policy);
        ticket.succeed(&policy.health, now);
        self.lose(now);
        self.trail.add_success(target, now - begun);
        let judge = Some((Arc::clone(ticket.breaker()), Arc::clone(policy)));
        Done { value, seat: Seat { _permit: permit, judge }, trail: std::mem::take(&mut self.trail) }
    }

    /// Notes that `attempt` failed, and what follows for those that come after it.
    fn fail(&mut self, attempt: &Attempt<'a>, error: Error) {
        let (now, policy) = (Instant::now(), &self.question.route.policy);
        let verdict = retry::verdict(&error);
        let rest = retry::rest(&error, SystemTime::now());
        self.trail.add(attempt.target, Outcome::from(&error), now - attempt.begun);
        attempt.judge(verdict, rest, policy, now);
        match verdict {
            Verdict::Final => self.is_over = true,
            Verdict::KeyRefused => self.plan.stay(attempt.lane.target),
            Verdict::KeySpent | Verdict::Limited => {}
            Verdict::Conflict | Verdict::Undone | Verdict::Unsure => self.plan.leave(attempt.lane.target),
        }
        let times = attempt.times + 1;
        if let Some(wait) = retry::wait(&error, verdict, times, &policy.retry) {
            self.repeats.push(Repeat { lane: attempt.lane, times, at: now + wait });
        }
        self.failures.add(self.question.in_client_s_words(error, attempt.translated), verdict, rest);
    }

    /// There was no place at `target`: it was not asked.
    fn pass_over(&mut self, lane: Lane, target: &'a Target, no_room: NoRoom, begun: Instant) {
        self.current = None;
        let word = match no_room {
            NoRoom::QueueFull => "queue_full",
            NoRoom::QueueTimeout => "queue_timeout",
        };
        self.trail.add(target, Outcome::Word(word), begun.elapsed());
        self.failures.add_over_capacity(target.over_capacity());
        self.plan.leave(lane.target);
    }

    fn run_out_of_time(&mut self, limit: Duration) {
        let asked = self.current.as_ref().or(self.rival.as_ref());
        let target = asked.map_or(&self.question.route.targets[0], |asked| asked.target);
        let error = Error::UpstreamTimeout { provider: target.upstream.name.to_string(), phase: Phase::Total, limit };
        for Asked { target, since, .. } in self.current.take().into_iter().chain(self.rival.take()) {
            self.trail.add(target, Outcome::from(&error), since.elapsed());
        }
        self.failures.add(error, Verdict::Final, None);
    }
}

impl Attempt<'_> {
    /// Lets the breakers know of a failure.
    fn judge(&self, verdict: Verdict, rest: Option<Duration>, policy: &Policy, now: Instant) {
        let (own, breakers) = (self.ticket.breaker(), &self.target.terms.breakers);
        match verdict {
            Verdict::Final | Verdict::Conflict => self.ticket.answered(),
            Verdict::KeyRefused if breakers.len() == 1 => self.ticket.answered(),
            Verdict::KeyRefused => own.rest("its key was refused", &policy.health, now),
            Verdict::KeySpent => own.rest("nobody pays for its key", &policy.health, now),
            Verdict::Limited => self.ticket.fail(rest, &policy.health, now),
            Verdict::Undone | Verdict::Unsure => {
                self.ticket.fail(rest, &policy.health, now);
                // It was not the key that failed.
                let others = breakers.iter().filter(|breaker| !Arc::ptr_eq(breaker, own));
                others.for_each(|breaker| breaker.broke(&policy.health, now));
            }
        }
    }
}
