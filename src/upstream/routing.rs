//! Which targets answer which model name.

use std::collections::HashMap;
use std::sync::Arc;

use http::HeaderName;

use super::capacity::{Limits, Permit};
use super::client::{Upstream, UpstreamSetupError};
use super::fleet::{Fleet, Policy, Vitals};
use super::health::Breaker;
use crate::config::hedge::Hedge;
use crate::config::model::{Model, Strategy, Target as Written};
use crate::config::{Config, failure::Queue};
use crate::dialect::Dialect;
use crate::error::Error;

/// A provider and the name of a model there.
#[derive(Debug, Clone)]
pub struct Target {
    /// The provider.
    pub upstream: Arc<Upstream>,
    /// The model's name at the provider.
    pub model: Arc<str>,
    pub(super) terms: Arc<Terms>,
}

/// On what terms a target is asked, and how it fares.
#[derive(Debug)]
pub(super) struct Terms {
    pub(super) tier: u32,
    pub(super) weight: u32,
    pub(super) limits: Limits,
    pub(super) vitals: Arc<Vitals>,
    /// One for each key of the provider.
    pub(super) breakers: Arc<[Arc<Breaker>]>,
    /// How many keys the targets before it in its route have.
    pub(super) first_lane: u32,
}

impl Target {
    /// A target of no route: whatever model of `upstream` no `[[model]]` names, on equal terms.
    pub fn new(upstream: Arc<Upstream>, model: Arc<str>, fleet: &Fleet) -> Self {
        let (vitals, breakers) = fleet.target(&upstream, &Arc::default());
        let terms = Terms { tier: 0, weight: 1, limits: Limits::NONE, vitals, breakers, first_lane: 0 };
        Self { upstream, model, terms: Arc::new(terms) }
    }

    /// The target that `written` describes, in a route behind targets with so many keys.
    fn of(written: &Written, upstream: &Arc<Upstream>, queue: Queue, fleet: &Fleet, first_lane: u32) -> Self {
        let model: Arc<str> = written.model.as_str().into();
        let (vitals, breakers) = fleet.target(upstream, &model);
        let limits = Limits {
            max_in_flight: written.max_in_flight,
            max_queue: written.max_queue.unwrap_or(queue.max_queue),
            queue_timeout: written.queue_timeout.unwrap_or(queue.queue_timeout),
        };
        let (tier, weight) = (written.tier, written.weight.get());
        let terms = Terms { tier, weight, limits, vitals, breakers, first_lane };
        Self { upstream: Arc::clone(upstream), model, terms: Arc::new(terms) }
    }

    /// Whether it is the same of its route as `other`.
    pub(super) fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.terms, &other.terms)
    }

    /// Whether it can go on with an answer that another has begun.
    pub fn continues(&self) -> bool {
        self.upstream.continuation.is_some()
    }

    /// Another model on the same terms.
    fn called(&self, model: &str) -> Self {
        Self { model: model.into(), ..self.clone() }
    }

    /// The number of the key whose turn it is, for a request that is asked but once.
    pub fn next_key(&self) -> usize {
        self.upstream.next_key()
    }

    /// A place there, at once or after a wait in its queue.
    ///
    /// # Errors
    ///
    /// [`Error::OverCapacity`]
    pub async fn enter(&self) -> Result<Permit, Error> {
        let place = self.terms.vitals.capacity.enter(&self.terms.limits).await;
        place.map_err(|_| self.over_capacity())
    }

    pub(super) fn over_capacity(&self) -> Error {
        let limit = self.terms.limits.max_in_flight.unwrap_or_default();
        Error::OverCapacity { provider: self.upstream.name.to_string(), limit }
    }
}

/// The targets of a model's name, and which of them is asked first.
#[derive(Debug, Clone)]
pub struct Route {
    /// At least one.
    pub targets: Arc<[Target]>,
    /// Requests with the same value in this header field go to the same target.
    pub affinity: Option<HeaderName>,
    pub(super) strategy: Strategy,
    /// Whether a second one is asked beside one that is slow.
    pub(super) hedge: Option<Hedge>,
    pub(super) policy: Arc<Policy>,
}

impl Route {
    /// The way to one target alone.
    pub fn to(target: Target, policy: Arc<Policy>) -> Self {
        Self { targets: [target].into(), affinity: None, strategy: Strategy::Priority, hedge: None, policy }
    }
}

/// The providers and the names that lead to them.
#[derive(Debug)]
pub struct Routes {
    upstreams: Vec<Arc<Upstream>>,
    names: HashMap<String, Route>,
    /// Targets that some name leads to, by what they are called in the configuration.
    targets: HashMap<String, Target>,
    /// One for each provider, for all its other models.
    others: Vec<Target>,
    /// Takes requests that name no known model, if it speaks their dialect.
    default: Option<Arc<Upstream>>,
    policy: Arc<Policy>,
}

impl Routes {
    /// Prepares the providers of `config` for calling. How their targets fare is known to `fleet`.
    ///
    /// # Errors
    ///
    /// [`UpstreamSetupError`] if one of them cannot be.
    pub fn new(config: &Config, fleet: &Arc<Fleet>) -> Result<Self, UpstreamSetupError> {
        fleet.sweep();
        let mut upstreams = Vec::new();
        let mut default = None;
        for provider in &config.providers {
            let upstream = Arc::new(Upstream::new(provider, &config.stream)?);
            if provider.default || config.providers.len() == 1 {
                default = Some(Arc::clone(&upstream));
            }
            upstreams.push(upstream);
        }
        let others =
            upstreams.iter().map(|upstream| Target::new(Arc::clone(upstream), Arc::default(), fleet)).collect();
        let policy = Arc::new(Policy::new(config, Arc::clone(fleet)));
        let (names, targets) = (HashMap::new(), HashMap::new());
        let mut routes = Self { upstreams, names, targets, others, default, policy };
        for model in &config.models {
            let route = routes.route(model);
            for (written, target) in model.targets.iter().zip(&*route.targets) {
                routes.targets.entry(written.clone().into()).or_insert_with(|| alone(target));
            }
            for name in model.aliases.iter().chain([&model.name]) {
                routes.names.insert(name.clone(), route.clone());
            }
        }
        Ok(routes)
    }

    fn route(&self, model: &Model) -> Route {
        let mut first_lane = 0;
        let target = |written: &Written| {
            let upstream = self.upstreams.iter().find(|upstream| *upstream.name == *written.provider)?;
            let target = Target::of(written, upstream, self.policy.queue, &self.policy.fleet, first_lane);
            first_lane += target.terms.breakers.len() as u32;
            Some(target)
        };
        Route {
            targets: model.targets.iter().filter_map(target).collect(),
            affinity: model.affinity_header.as_ref().and_then(|name| name.parse().ok()),
            strategy: model.strategy,
            hedge: model.hedge,
            policy: Arc::clone(&self.policy),
        }
    }

    /// The way to those targets for `model` that may be asked in `dialect`: of a configured name, then `provider/model`, then
    /// the default provider.
    ///
    /// # Errors
    ///
    /// [`Error::ModelNotFound`] if nothing leads anywhere, [`Error::WrongDialect`] if it leads only to providers that do not
    /// speak `dialect`.
    pub fn resolve(&self, model: &str, dialect: &dyn Dialect) -> Result<Route, Error> {
        let route = self.find(model, dialect)?;
        let may_be_asked = |target: &&Target| target.upstream.speaks(dialect);
        if route.targets.iter().all(|target| may_be_asked(&target)) {
            return Ok(route);
        }
        let targets: Arc<[Target]> = route.targets.iter().filter(may_be_asked).cloned().collect();
        if targets.is_empty() {
            return Err(wrong_dialect(model, &route.targets[0].upstream, dialect));
        }
        Ok(Route { targets, ..route })
    }

    /// The way to the targets for `model` of a client that speaks `dialect`, whatever they speak.
    ///
    /// # Errors
    ///
    /// [`Error::ModelNotFound`] if nothing leads anywhere.
    pub fn find(&self, model: &str, dialect: &dyn Dialect) -> Result<Route, Error> {
        if let Some(route) = self.names.get(model) {
            return Ok(route.clone());
        }
        let configured = || self.targets.get(model).cloned();
        let prefixed = || model.split_once('/').and_then(|(provider, model)| Some(self.other(provider)?.called(model)));
        let default = || {
            let upstream = self.default_for(dialect).or(self.default.as_ref())?;
            Some(self.other(&upstream.name)?.called(model))
        };
        match configured().or_else(prefixed).or_else(default) {
            Some(target) => Ok(Route::to(target, Arc::clone(&self.policy))),
            None => Err(Error::ModelNotFound { model: model.to_owned() }),
        }
    }

    /// The provider for requests in `dialect` that name no known model: the default, or else the only one that speaks it.
    fn default_for(&self, dialect: &dyn Dialect) -> Option<&Arc<Upstream>> {
        let mut speakers = self.upstreams.iter().filter(|upstream| upstream.speaks(dialect));
        let default = self.default.as_ref().filter(|default| default.speaks(dialect));
        default.or_else(|| speakers.next().filter(|_| speakers.next().is_none()))
    }

    /// The target for a request in `dialect` that names no model. The default provider may not speak `dialect`, but without a
    /// model the request may be about anything, and it answers for itself.
    pub fn default_target(&self, dialect: &dyn Dialect) -> Option<Target> {
        let upstream = self.default_for(dialect).or(self.default.as_ref())?;
        self.other(&upstream.name).cloned()
    }

    /// All providers, in the order of the configuration, each as the target for requests about no configured model of it.
    pub fn providers(&self) -> &[Target] {
        &self.others
    }

    /// Every target that a name leads to, some of them more than once.
    pub(super) fn all_targets(&self) -> impl Iterator<Item = &Target> {
        self.names.values().flat_map(|route| route.targets.iter()).chain(&self.others)
    }

    /// Whether a client that speaks `dialect` may ask for `upstream`'s models without its prefix.
    pub fn is_default(&self, upstream: &Upstream, dialect: &dyn Dialect) -> bool {
        self.default_for(dialect).or(self.default.as_ref()).is_some_and(|default| default.name == upstream.name)
    }

    /// The target that stands for the models of `provider` that no name leads to.
    fn other(&self, provider: &str) -> Option<&Target> {
        self.others.iter().find(|target| &*target.upstream.name == provider)
    }
}

/// `target`, in a route where it is the only one.
fn alone(target: &Target) -> Target {
    let Terms { tier, weight, limits, vitals, breakers, .. } = &*target.terms;
    let (vitals, breakers) = (Arc::clone(vitals), Arc::clone(breakers));
    let terms = Terms { tier: *tier, weight: *weight, limits: *limits, vitals, breakers, first_lane: 0 };
    Target { terms: Arc::new(terms), ..target.clone() }
}

fn wrong_dialect(model: &str, upstream: &Upstream, asked: &dyn Dialect) -> Error {
    let spoken = upstream.dialects[0];
    Error::WrongDialect {
        model: model.to_owned(),
        provider: upstream.name.to_string(),
        spoken: spoken.title(),
        asked: asked.title(),
        endpoint: spoken.endpoint(),
    }
}
