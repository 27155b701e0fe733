//! The configuration: defaults, then a file, then the environment, then the command line.
//!
//! `config/default.toml` is compiled in and holds every key, so it is the defaults and their reference at once. A value that
//! exists in a [`Config`] has been checked; nothing downstream checks it again.

pub mod client_key;
pub mod failure;
pub mod hedge;
pub mod log;
pub mod model;
pub mod provider;
pub mod redis;
pub mod resume;
pub mod secret;
pub mod server;
pub mod stream;
pub mod translation;
mod units;
pub mod websocket;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use toml::{Table, Value};

use client_key::ClientKey;
use failure::{Health, Queue, Retry};
use log::Log;
use model::{Model, Target};
use provider::{BaseUrl, MAX_LANES, Origin, Provider};
use redis::Redis;
use resume::Resume;
use server::{Cors, Server};
use stream::Stream;
use translation::Translation;
use websocket::WebSocket;

const DEFAULT: &str = include_str!("../../config/default.toml");
const ENVIRONMENT_PREFIX: &str = "SLUICEGATE__";

/// Everything that can be configured.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The client side.
    pub server: Server,
    /// Web pages of other origins.
    pub cors: Cors,
    /// Time and size of streams.
    pub stream: Stream,
    /// How often others are asked when an upstream fails.
    pub retry: Retry,
    /// When an upstream that fails is avoided.
    pub health: Health,
    /// Requests that wait for an upstream that is full.
    pub queue: Queue,
    /// Streams that outlive the connection they were asked over.
    pub resume: Resume,
    /// Where replicas share them.
    pub redis: Redis,
    /// Connections over which many responses are asked for.
    pub websocket: WebSocket,
    /// Requests to providers that do not speak the client's dialect.
    pub translation: Translation,
    /// Log lines.
    pub log: Log,
    /// Where models are served. Empty: the demo upstream is meant.
    #[serde(default, rename = "provider", skip_serializing_if = "Vec::is_empty")]
    pub providers: Vec<Provider>,
    /// Names that clients may ask for.
    #[serde(default, rename = "model", skip_serializing_if = "Vec::is_empty")]
    pub models: Vec<Model>,
    /// Keys that clients present. Empty: none is needed.
    #[serde(default, rename = "key", skip_serializing_if = "Vec::is_empty")]
    pub keys: Vec<ClientKey>,
}

/// Where a configuration is read from. Reading the same sources again is how it is reloaded.
#[derive(Debug, Clone, Default)]
pub struct Sources {
    /// `--config`
    pub file: Option<PathBuf>,
    /// `--listen`
    pub listen: Option<SocketAddr>,
    /// `--upstream`
    pub upstream: Option<BaseUrl>,
    /// Environment variables.
    pub environment: BTreeMap<String, String>,
}

/// A configuration that cannot be used, in one line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigError(String);

impl ConfigError {
    fn at(path: impl fmt::Display, message: impl fmt::Display) -> Self {
        Self(format!("{path}: {message}"))
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for ConfigError {}

impl Sources {
    /// Reads and checks the configuration.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] with the path of the key that is wrong. It never repeats a value that may be secret.
    pub fn load(&self) -> Result<Config, ConfigError> {
        let mut table: Table = DEFAULT.parse().expect("the tests parse config/default.toml");
        if let Some(file) = &self.file {
            merge(&mut table, read_file(file)?);
        }
        for (name, value) in &self.environment {
            if let Some(path) = name.strip_prefix(ENVIRONMENT_PREFIX) {
                set(&mut table, path, value).map_err(|message| ConfigError::at(name, message))?;
            }
        }
        let mut config: Config = serde_path_to_error::deserialize(Value::Table(table)).map_err(|error| {
            let path = error.path().to_string();
            ConfigError::at(path, error.inner().message())
        })?;
        if let Some(listen) = self.listen {
            config.server.listen = listen;
        }
        config.find_providers(self);
        config.check(&self.environment)?;
        Ok(config)
    }
}

impl Config {
    /// The configuration that no file, variable or argument changes. It has no provider.
    pub fn for_testing() -> Self {
        Sources::default().load().expect("the defaults are valid")
    }

    /// Adds the provider of `--upstream`, and looks for API keys in the environment if there is no other.
    fn find_providers(&mut self, sources: &Sources) {
        if let Some(url) = &sources.upstream {
            let upstream = Provider::compatible("upstream", url.clone(), Origin::CommandLine);
            self.providers.push(Provider { default: true, ..upstream });
        }
        if self.providers.is_empty() {
            self.providers = Provider::discover(&sources.environment);
        }
    }

    fn check(&mut self, environment: &BTreeMap<String, String>) -> Result<(), ConfigError> {
        let mut names = BTreeSet::new();
        for (index, provider) in self.providers.iter_mut().enumerate() {
            let at = |key, message: String| ConfigError::at(format_args!("provider[{index}].{key}"), message);
            provider.complete(environment).map_err(|(key, message)| at(key, message))?;
            if !names.insert(provider.name.clone()) {
                return Err(at("name", format!("\"{}\" is taken", provider.name)));
            }
        }
        if self.providers.iter().filter(|provider| provider.default).count() > 1 {
            return Err(ConfigError::at("provider", "more than one has default = true"));
        }
        self.check_models()?;
        self.check_keys()
    }

    fn check_models(&self) -> Result<(), ConfigError> {
        let mut names = BTreeSet::new();
        for (index, model) in self.models.iter().enumerate() {
            let at = |key, message: String| ConfigError::at(format_args!("model[{index}].{key}"), message);
            for name in std::iter::once(&model.name).chain(&model.aliases) {
                if name.is_empty() || !names.insert(name) {
                    return Err(at("name", format!("\"{name}\" is empty or taken")));
                }
            }
            model.check().map_err(|(key, message)| at(key, message))?;
            let provider = |name: &str| self.providers.iter().find(|provider| provider.name == name);
            if let Some(target) = model.targets.iter().find(|target| provider(&target.provider).is_none()) {
                return Err(at("targets", format!("there is no provider \"{}\"", target.provider)));
            }
            let lanes =
                |target: &Target| provider(&target.provider).map_or(0, |provider| provider.keys().count().max(1));
            if model.targets.iter().map(lanes).sum::<usize>() > MAX_LANES {
                return Err(at(
                    "targets",
                    format!("are more than {MAX_LANES}, counted once for each key of a provider"),
                ));
            }
        }
        Ok(())
    }

    fn check_keys(&self) -> Result<(), ConfigError> {
        for (index, key) in self.keys.iter().enumerate() {
            key.digest().map_err(|message| ConfigError::at(format_args!("key[{index}]"), message))?;
        }
        let listen = self.server.listen;
        if self.keys.is_empty() && !listen.ip().is_loopback() && !self.server.allow_public_without_keys {
            return Err(ConfigError::at(
                "server.listen",
                format_args!(
                    "{listen} can be reached from other machines, and without a [[key]] whoever reaches it spends your \
                     provider's tokens; add a [[key]], or set server.allow_public_without_keys = true"
                ),
            ));
        }
        if self.resume.max_caller_streams == 0 || self.resume.max_total_streams == 0 {
            return Err(ConfigError::at("resume", "max_caller_streams and max_total_streams must be at least 1"));
        }
        if self.server.max_connections == 0 || self.server.max_headers == 0 {
            return Err(ConfigError::at("server", "max_connections and max_headers must be at least 1"));
        }
        Ok(())
    }

    /// The whole configuration as TOML, secrets masked.
    pub fn to_toml(&self) -> String {
        toml::to_string_pretty(self).expect("every part of the configuration is a TOML value")
    }
}

fn read_file(path: &PathBuf) -> Result<Table, ConfigError> {
    let text = std::fs::read_to_string(path).map_err(|error| ConfigError::at(path.display(), error))?;
    text.parse().map_err(|error: toml::de::Error| {
        // Not the error's own Display: it quotes the line, and the line may hold a secret.
        let before = error.span().map_or(0, |span| span.start);
        let line = text.as_bytes()[..before.min(text.len())].iter().filter(|byte| **byte == b'\n').count() + 1;
        ConfigError::at(format_args!("{}:{line}", path.display()), error.message())
    })
}

/// Lays `over` onto `table`: tables key by key, everything else whole.
fn merge(table: &mut Table, over: Table) {
    for (key, value) in over {
        match (table.get_mut(&key), value) {
            (Some(Value::Table(table)), Value::Table(over)) => merge(table, over),
            (_, value) => {
                table.insert(key, value);
            }
        }
    }
}

/// Sets the value at `path` (`SERVER__LISTEN`), read as TOML if it is TOML and as text if not.
fn set(table: &mut Table, path: &str, value: &str) -> Result<(), &'static str> {
    let parsed = format!("value = {value}").parse().ok().and_then(|mut table: Table| table.remove("value"));
    let mut value = parsed.unwrap_or_else(|| Value::String(value.to_owned()));
    let keys: Vec<_> = path.split("__").map(str::to_ascii_lowercase).collect();
    if keys.iter().any(String::is_empty) {
        return Err("has an empty part");
    }
    for key in keys.into_iter().rev() {
        value = Value::Table(Table::from_iter([(key, value)]));
    }
    if let Value::Table(over) = value {
        merge(table, over);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn load(file: &str, environment: &[(&str, &str)]) -> Result<Config, String> {
        let path = std::env::temp_dir().join(format!("sluicegate-config-{:?}.toml", std::thread::current().id()));
        std::fs::write(&path, file).unwrap();
        let environment = environment.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let loaded = Sources { file: Some(path.clone()), environment, ..Sources::default() }.load();
        std::fs::remove_file(&path).unwrap();
        loaded.map_err(|error| error.to_string())
    }

    #[test]
    fn a_file_overrides_defaults_and_the_environment_overrides_the_file() {
        let file = "[server]\nlisten = \"127.0.0.1:1\"\nmax_connections = 5";
        let config =
            load(file, &[("SLUICEGATE__SERVER__LISTEN", "127.0.0.1:2"), ("SLUICEGATE__STREAM__KEEP_ALIVE", "off")])
                .unwrap();
        assert_eq!(config.server.listen.port(), 2);
        assert_eq!(config.server.max_connections, 5);
        assert_eq!(config.stream.keep_alive, None);
    }

    #[test]
    fn what_is_printed_reads_back_as_the_same() {
        let config = Config::for_testing();
        let printed: Config = toml::from_str(&config.to_toml()).unwrap();
        assert_eq!(printed, config);
    }

    #[test]
    fn a_wrong_key_is_named_with_its_path() {
        for (file, path) in [
            ("[stream]\nidle_timeout = 5", "stream.idle_timeout"),
            ("[stream]\nidle = \"5s\"", "stream.idle"),
            ("[stream]\nmin_rate = \"20B\"", "stream.min_rate"),
            ("[stream]\nmin_rate = \"0B/s\"", "stream.min_rate"),
            ("[server]\nlisten = \"nowhere\"", "server.listen"),
            ("[[provider]]\nname = \"a\"\nkind = \"b\"", "provider[0].kind"),
            ("[[provider]]\nname = \"a\"\nkind = \"compatible\"", "provider[0].base_url"),
            ("[[provider]]\nname = \"a\"\nkind = \"openai\"\ndialects = [\"latin\"]", "provider[0].dialects"),
            ("[[provider]]\nname = \"a\"\nkind = \"openai\"\napi_key = \"a\\nb\"", "provider[0].api_key"),
            ("[[provider]]\nname = \"a\"\nkind = \"openai\"\nheaders = { \"x y\" = \"1\" }", "provider[0].headers"),
            ("[[provider]]\nname = \"a\"\nkind = \"gemini\"\ncontinuation = \"prefill\"", "provider[0].continuation"),
            ("[[provider]]\nname = \"a\"\nkind = \"anthropic\"\ncontinuation = \"prefix\"", "provider[0].continuation"),
            ("[[provider]]\nname = \"a\"\nkind = \"openai\"\ncontinuation = \"magic\"", "provider[0].continuation"),
            (
                "[[provider]]\nname = \"a\"\nkind = \"openai\"\nhttp2_streams_per_connection = 0",
                "provider[0].http2_streams_per_connection",
            ),
            ("[[provider]]\nname = \"a\"\nkind = \"openai\"\nhttp2_connections = 0", "provider[0].http2_connections"),
            ("[[model]]\nname = \"m\"\ntargets = [\"no/where\"]", "model[0].targets"),
            ("[retry]\nmax_attempts = 0", "retry.max_attempts"),
            ("[health]\nfailure_percent = 101", "health.failure_percent"),
            ("[[provider]]\nname = \"a\"\nkind = \"openai\"\napi_keys = [\"a\\nb\"]", "provider[0].api_keys"),
            ("[[key]]\nname = \"k\"", "key[0]"),
            ("nonsense", "toml:1"),
        ] {
            let error = load(file, &[]).unwrap_err();
            assert!(error.contains(path), "{file:?} gave {error:?}");
        }
    }

    #[test]
    fn a_provider_speaks_what_its_kind_does_unless_it_says_otherwise() {
        let spoken = |more: &str| {
            let file = format!("[[provider]]\nname = \"a\"\nbase_url = \"http://127.0.0.1:9/v1\"\n{more}");
            let config = load(&file, &[]).unwrap();
            // What is printed says it too.
            assert_eq!(toml::from_str::<Config>(&config.to_toml()).unwrap(), config);
            config.providers[0].dialects().iter().map(|dialect| dialect.name()).collect::<Vec<_>>()
        };
        assert_eq!(spoken("kind = \"anthropic\""), ["anthropic"]);
        assert_eq!(spoken("kind = \"openai\""), ["openai-chat", "openai-responses"]);
        assert_eq!(spoken("kind = \"compatible\""), ["openai-chat"]);
        assert_eq!(spoken("kind = \"compatible\"\ndialects = [\"anthropic\"]"), ["anthropic"]);
    }

    #[test]
    fn no_error_repeats_a_secret() {
        for file in [
            "[[provider]]\nname = \"a\"\nkind = \"openai\"\napi_key = \"sk-canary\n",
            "[[provider]]\nname = \"a\"\nkind = \"openai\"\napi_key = [\"sk-canary\"]",
            "[[key]]\nname = \"k\"\nsecret = \"sk-canary${NO_SUCH_VARIABLE}\"",
        ] {
            let error = load(file, &[]).unwrap_err();
            assert!(!error.contains("canary"), "{error}");
        }
    }

    #[test]
    fn a_public_address_needs_keys_or_consent() {
        let public = "[server]\nlisten = \"0.0.0.0:80\"\n";
        assert!(load(public, &[]).unwrap_err().contains("allow_public_without_keys"));
        assert!(load(&format!("{public}allow_public_without_keys = true"), &[]).is_ok());
        let keys = [("SLUICEGATE__KEY", "[{ name = \"a\", secret = \"b\" }]")];
        assert_eq!(load(public, &keys).unwrap().keys.len(), 1);
    }

    #[test]
    fn a_key_in_the_environment_makes_a_provider_and_goes_nowhere_else() {
        let environment = [("OPENAI_API_KEY", "sk-1")];
        let config = load("", &environment).unwrap();
        assert_eq!(config.providers.len(), 1);
        assert_eq!(config.providers[0].origin, Origin::Environment("OPENAI_API_KEY"));
        let both = load("", &[("OPENAI_API_KEY", "sk-1"), ("ANTHROPIC_API_KEY", "sk-2")]).unwrap();
        let names: Vec<_> = both.providers.iter().map(|provider| provider.name.as_str()).collect();
        assert_eq!(names, ["openai", "anthropic"]);
        let elsewhere = "[[provider]]\nname = \"a\"\nkind = \"openai\"\nbase_url = \"http://127.0.0.1:9/v1\"";
        assert_eq!(load(elsewhere, &environment).unwrap().providers[0].api_key, None);
    }
}
