//! The upstream side: who serves which models under which names.

use std::collections::BTreeMap;
use std::time::Duration;

use http::{HeaderName, HeaderValue};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::secret::{self, Secret};
use super::units;
use crate::dialect::{self, Continuation, Dialect};
use crate::provider;

/// Ways to ask for one model: its targets, times the keys of their providers.
pub(super) const MAX_LANES: usize = 64;

/// `[[provider]]`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Provider {
    /// The prefix of its models.
    pub name: String,
    /// What is known of it beforehand.
    #[serde(serialize_with = "serialize_kind", deserialize_with = "deserialize_kind")]
    pub kind: &'static provider::Provider,
    /// What it speaks, its own language first; those of the kind where absent.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        serialize_with = "serialize_dialects",
        deserialize_with = "deserialize_dialects"
    )]
    pub dialects: Option<Vec<&'static dyn Dialect>>,
    /// The URL that `/chat/completions` or `/messages` is appended to; the kind's own where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub base_url: Option<BaseUrl>,
    /// The key, sent as its dialect has it; the kind's environment variable where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub api_key: Option<Secret>,
    /// More keys: all of them are used in turn.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub api_keys: Vec<Secret>,
    /// Header fields added to every request.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub headers: BTreeMap<String, Secret>,
    /// Whether to speak HTTP/2.
    #[serde(default)]
    pub http2: bool,
    /// Streams on one HTTP/2 connection at a time.
    #[serde(default = "http2_streams_per_connection")]
    pub http2_streams_per_connection: u16,
    /// HTTP/2 connections of each worker.
    #[serde(default = "http2_connections")]
    pub http2_connections: usize,
    /// Silence on an HTTP/2 connection after which the server is asked whether it still lives.
    #[serde(default = "http2_ping", with = "units::optional_duration")]
    pub http2_ping: Option<Duration>,
    /// How it is told to go on with an answer that another target has begun; absent if it cannot be.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub continuation: Option<Continuation>,
    /// Whether it takes requests that name no model.
    #[serde(default)]
    pub default: bool,
    /// Where it was found, for people.
    #[serde(skip)]
    pub origin: Origin,
}

/// Where a provider comes from.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Origin {
    /// The configuration.
    #[default]
    Configuration,
    /// An API key in this environment variable.
    Environment(&'static str),
    /// `--upstream`.
    CommandLine,
    /// Nothing else was found.
    Demo,
}

impl Provider {
    /// A provider that needs nothing but a URL.
    pub fn compatible(name: &str, base_url: BaseUrl, origin: Origin) -> Self {
        let kind = provider::find("compatible").expect("provider::ALL lists it");
        Self { base_url: Some(base_url), origin, ..Self::known(name, kind) }
    }

    fn known(name: &str, kind: &'static provider::Provider) -> Self {
        Self {
            name: name.to_owned(),
            kind,
            dialects: None,
            base_url: None,
            api_key: None,
            api_keys: Vec::new(),
            headers: BTreeMap::new(),
            http2: false,
            http2_streams_per_connection: http2_streams_per_connection(),
            http2_connections: http2_connections(),
            http2_ping: http2_ping(),
            continuation: None,
            default: false,
            origin: Origin::Configuration,
        }
    }

    /// What it speaks, its own language first.
    pub fn dialects(&self) -> &[&'static dyn Dialect] {
        self.dialects.as_deref().unwrap_or(self.kind.dialects)
    }

    /// Its keys, which are used in turn.
    pub fn keys(&self) -> impl Iterator<Item = &Secret> {
        self.api_key.iter().chain(&self.api_keys)
    }

    /// The known providers whose API key stands in `environment`.
    pub(super) fn discover(environment: &BTreeMap<String, String>) -> Vec<Self> {
        let found = provider::ALL.iter().filter_map(|kind| {
            // Where it is must be known, too.
            let variable = kind.api_key_variable.filter(|_| kind.base_url.is_some())?;
            let key = environment.get(variable).filter(|key| !key.trim().is_empty())?;
            Some(Self {
                api_key: Some(Secret::new(key.trim())),
                origin: Origin::Environment(variable),
                ..Self::known(kind.kind, kind)
            })
        });
        found.collect()
    }

    /// Fills in what the kind knows: its URL, and its key from `environment`. The error names a key of this table.
    pub(super) fn complete(&mut self, environment: &BTreeMap<String, String>) -> Result<(), (&'static str, String)> {
        if self.name.is_empty() || self.name.contains('/') {
            return Err(("name", "must be neither empty nor contain \"/\"".to_owned()));
        }
        if self.base_url.is_none() {
            let url =
                self.kind.base_url.ok_or(("base_url", format!("is required for kind = \"{}\"", self.kind.kind)))?;
            self.base_url = Some(BaseUrl(url.to_owned()));
        }
        // A key found by itself goes only to the URL it belongs to.
        let own_url = match self.kind.base_url {
            Some(url) => self.base_url.as_ref().is_some_and(|own| own.as_str() == url),
            // Each customer has one of their own.
            None => true,
        };
        if self.keys().count() > MAX_LANES {
            return Err(("api_keys", format!("are more than {MAX_LANES}")));
        }
        let has_key = self.keys().next().is_some();
        if let (false, true, Some(variable)) = (has_key, own_url, self.kind.api_key_variable) {
            self.api_key = environment.get(variable).map(|key| Secret::new(key.trim()));
        }
        if !(1..=1000).contains(&self.http2_streams_per_connection) {
            return Err(("http2_streams_per_connection", "must be between 1 and 1000".to_owned()));
        }
        if self.http2_connections == 0 {
            return Err(("http2_connections", "must be at least 1".to_owned()));
        }
        let may_be_told = |way: Continuation| self.dialects().iter().any(|dialect| dialect.extends(way));
        if self.continuation.is_some_and(|way| !may_be_told(way)) {
            return Err(("continuation", "is none that a dialect of this provider has words for".to_owned()));
        }
        self.check_headers()
    }

    /// What is sent as a header field must be fit for one.
    fn check_headers(&self) -> Result<(), (&'static str, String)> {
        let unfit = |value: &Secret| HeaderValue::from_str(value.expose()).is_err();
        if self.api_key.as_ref().is_some_and(unfit) {
            return Err(("api_key", "has characters that no header can carry".to_owned()));
        }
        if self.api_keys.iter().any(unfit) {
            return Err(("api_keys", "has characters that no header can carry".to_owned()));
        }
        for (name, value) in &self.headers {
            if HeaderName::try_from(name).is_err() {
                return Err(("headers", format!("\"{name}\" is no header name")));
            }
            if unfit(value) {
                return Err(("headers", format!("the value of {name} has characters that no header can carry")));
            }
        }
        Ok(())
    }
}

/// Fewer than common servers allow (100 and more): what one lost packet or connection holds up or ends stays a part of the whole.
fn http2_streams_per_connection() -> u16 {
    64
}

fn http2_connections() -> usize {
    32
}

#[expect(clippy::unnecessary_wraps, reason = "serde wants the field's type")]
fn http2_ping() -> Option<Duration> {
    Some(Duration::from_secs(20))
}

fn serialize_kind<S: Serializer>(kind: &&'static provider::Provider, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_str(kind.kind)
}

fn deserialize_kind<'de, D: Deserializer<'de>>(from: D) -> Result<&'static provider::Provider, D::Error> {
    let kind = String::deserialize(from)?;
    provider::find(&kind).ok_or_else(|| {
        let known: Vec<_> = provider::ALL.iter().map(|provider| provider.kind).collect();
        serde::de::Error::custom(format!("unknown kind \"{kind}\"; known are {}", known.join(", ")))
    })
}

#[expect(clippy::ref_option, reason = "serde hands over the field")]
fn serialize_dialects<S: Serializer>(dialects: &Option<Vec<&'static dyn Dialect>>, to: S) -> Result<S::Ok, S::Error> {
    let names: Option<Vec<_>> = dialects.as_ref().map(|all| all.iter().map(|dialect| dialect.name()).collect());
    names.serialize(to)
}

fn deserialize_dialects<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Vec<&'static dyn Dialect>>, D::Error> {
    let names = Vec::<String>::deserialize(from)?;
    if names.is_empty() {
        return Err(serde::de::Error::custom("must name one dialect at least"));
    }
    let dialect = |name: &String| {
        dialect::find(name).ok_or_else(|| {
            let known: Vec<_> = dialect::ALL.iter().map(|dialect| dialect.name()).collect();
            serde::de::Error::custom(format!("unknown dialect \"{name}\"; known are {}", known.join(", ")))
        })
    };
    names.iter().map(dialect).collect::<Result<_, _>>().map(Some)
}

/// The URL of an API, `http` or `https`, without a slash at its end.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct BaseUrl(String);

impl BaseUrl {
    /// The URL as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for BaseUrl {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let text = secret::expand(&text)?;
        let wrong = |what: &str| format!("{what}; write for example \"http://127.0.0.1:8000/v1\"");
        let url = reqwest::Url::parse(&text).map_err(|error| wrong(&format!("is no URL ({error})")))?;
        if !matches!(url.scheme(), "http" | "https") || !url.has_host() {
            return Err(wrong("must begin with http:// or https://"));
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err("must not contain a user or password; use api_key or headers".to_owned());
        }
        if url.query().is_some() || url.fragment().is_some() {
            return Err(wrong("must have neither query nor fragment"));
        }
        Ok(Self(url.as_str().trim_end_matches('/').to_owned()))
    }
}

impl From<BaseUrl> for String {
    fn from(url: BaseUrl) -> Self {
        url.0
    }
}
