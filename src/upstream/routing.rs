//! Which target answers which model name.

use std::collections::HashMap;
use std::sync::Arc;

use super::client::{Upstream, UpstreamSetupError};
use crate::config::Config;
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
    /// Takes requests that name no known model.
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

    /// The targets for `model`, best first: a configured name, then `provider/model`, then the default provider.
    ///
    /// # Errors
    ///
    /// [`Error::ModelNotFound`] if nothing leads anywhere.
    pub fn resolve(&self, model: &str) -> Result<Arc<[Target]>, Error> {
        if let Some(targets) = self.names.get(model) {
            return Ok(Arc::clone(targets));
        }
        let prefixed = model.split_once('/').and_then(|(provider, model)| self.target(provider, model));
        let default = || self.default.clone().map(|upstream| Target { upstream, model: model.into() });
        match prefixed.or_else(default) {
            Some(target) => Ok([target].into()),
            None => Err(Error::ModelNotFound { model: model.to_owned() }),
        }
    }

    /// The target for a request that names no model.
    pub fn default_target(&self) -> Option<Target> {
        Some(Target { upstream: self.default.clone()?, model: Arc::default() })
    }

    /// All providers, in the order of the configuration.
    pub fn upstreams(&self) -> &[Arc<Upstream>] {
        &self.upstreams
    }

    /// Whether `upstream`'s models may be asked for without its prefix.
    pub fn is_default(&self, upstream: &Upstream) -> bool {
        self.default.as_ref().is_some_and(|default| default.name == upstream.name)
    }

    fn target(&self, provider: &str, model: &str) -> Option<Target> {
        let upstream = self.upstreams.iter().find(|upstream| &*upstream.name == provider)?;
        Some(Target { upstream: Arc::clone(upstream), model: model.into() })
    }
}
