//! Which target answers which model name.

use std::collections::HashMap;
use std::sync::Arc;

use super::client::{Upstream, UpstreamSetupError};
use crate::config::Config;
use crate::dialect::Dialect;
use crate::error::Error;

/// A provider and the name of a model there.
#[derive(Debug, Clone)]
pub struct Target {
    /// The provider.
    pub upstream: Arc<Upstream>,
    /// The model's name at the provider.
    pub model: Arc<str>,
}

/// The providers and the names that lead to them.
#[derive(Debug)]
pub struct Routes {
    upstreams: Vec<Arc<Upstream>>,
    names: HashMap<String, Arc<[Target]>>,
    /// Takes requests that name no known model, if it speaks their dialect.
    default: Option<Arc<Upstream>>,
}

impl Routes {
    /// Prepares the providers of `config` for calling.
    ///
    /// # Errors
    ///
    /// [`UpstreamSetupError`] if one of them cannot be.
    pub fn new(config: &Config) -> Result<Self, UpstreamSetupError> {
        let mut upstreams = Vec::new();
        let mut default = None;
        for provider in &config.providers {
            let upstream = Arc::new(Upstream::new(provider, &config.stream)?);
            if provider.default || config.providers.len() == 1 {
                default = Some(Arc::clone(&upstream));
            }
            upstreams.push(upstream);
        }
        let mut routes = Self { upstreams, names: HashMap::new(), default };
        for model in &config.models {
            let targets: Arc<[_]> =
                model.targets.iter().filter_map(|target| routes.target(&target.provider, &target.model)).collect();
            for name in model.aliases.iter().chain([&model.name]) {
                routes.names.insert(name.clone(), Arc::clone(&targets));
            }
        }
        Ok(routes)
    }

    /// The targets for `model` that may be asked in `dialect`, best first: a configured name, then `provider/model`, then the
    /// default provider.
    ///
    /// # Errors
    ///
    /// [`Error::ModelNotFound`] if nothing leads anywhere, [`Error::WrongDialect`] if it leads only to providers that do not
    /// speak `dialect`.
    pub fn resolve(&self, model: &str, dialect: &dyn Dialect) -> Result<Arc<[Target]>, Error> {
        let targets = self.find(model, dialect)?;
        let may_be_asked = |target: &&Target| target.upstream.speaks(dialect);
        if targets.iter().all(|target| may_be_asked(&target)) {
            return Ok(targets);
        }
        let asked: Arc<[Target]> = targets.iter().filter(may_be_asked).cloned().collect();
        if asked.is_empty() { Err(wrong_dialect(model, &targets[0].upstream, dialect)) } else { Ok(asked) }
    }

    /// The targets for `model` of a client that speaks `dialect`, best first, whatever they speak.
    ///
    /// # Errors
    ///
    /// [`Error::ModelNotFound`] if nothing leads anywhere.
    pub fn find(&self, model: &str, dialect: &dyn Dialect) -> Result<Arc<[Target]>, Error> {
        if let Some(targets) = self.names.get(model) {
            return Ok(Arc::clone(targets));
        }
        let prefixed = model.split_once('/').and_then(|(provider, model)| self.target(provider, model));
        let default = || {
            let upstream = self.default_for(dialect).or(self.default.as_ref())?;
            Some(Target { upstream: Arc::clone(upstream), model: model.into() })
        };
        match prefixed.or_else(default) {
            Some(target) => Ok([target].into()),
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
        Some(Target { upstream: Arc::clone(upstream), model: Arc::default() })
    }

    /// All providers, in the order of the configuration.
    pub fn upstreams(&self) -> &[Arc<Upstream>] {
        &self.upstreams
    }

    /// Whether a client that speaks `dialect` may ask for `upstream`'s models without its prefix.
    pub fn is_default(&self, upstream: &Upstream, dialect: &dyn Dialect) -> bool {
        self.default_for(dialect).or(self.default.as_ref()).is_some_and(|default| default.name == upstream.name)
    }

    fn target(&self, provider: &str, model: &str) -> Option<Target> {
        let upstream = self.upstreams.iter().find(|upstream| &*upstream.name == provider)?;
        Some(Target { upstream: Arc::clone(upstream), model: model.into() })
    }
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
