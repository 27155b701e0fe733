//! A connection pool to one provider, and what every request to it carries.

use std::sync::Arc;
use std::time::Duration;

use http::header::{ACCEPT_ENCODING, AUTHORIZATION, USER_AGENT};
use http::{HeaderMap, HeaderName, HeaderValue};
use reqwest::Url;

use crate::config::provider::Provider;
use crate::config::secret::Secret;
use crate::config::stream::Stream as StreamConfig;

/// Below what common servers allow an idle connection, so that a request seldom meets a closing one.
const POOL_IDLE_TIMEOUT: Duration = Duration::from_secs(30);

/// What is asked for with every request that matters.
const USUAL_PATHS: [&str; 2] = ["/chat/completions", "/completions"];

/// A provider that can be called. Belongs to one worker, whose runtime drives its connections.
#[derive(Debug)]
pub struct Upstream {
    /// The provider's name in the configuration.
    pub name: Arc<str>,
    /// Its connections.
    pub client: reqwest::Client,
    /// The URL that paths are appended to, without a slash at its end.
    base_url: String,
    /// The URLs of the paths that are asked for all the time, which need not be parsed each time.
    usual_urls: [(&'static str, Url); 2],
    /// Header fields of every request: credentials and what the configuration adds.
    pub headers: HeaderMap,
    secrets: Vec<Secret>,
}

/// A client that cannot be set up.
#[derive(Debug)]
pub struct UpstreamSetupError(String);

impl std::fmt::Display for UpstreamSetupError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for UpstreamSetupError {}

impl Upstream {
    /// Prepares `provider` for calling. Connects to nothing yet.
    ///
    /// # Errors
    ///
    /// [`UpstreamSetupError`] if no TLS root certificates are found.
    pub fn new(provider: &Provider, stream: &StreamConfig) -> Result<Self, UpstreamSetupError> {
        let mut headers = HeaderMap::new();
        headers.insert(USER_AGENT, HeaderValue::from_static(concat!("sluicegate/", env!("CARGO_PKG_VERSION"))));
        // A compressed stream arrives in lumps, and we could not read along.
        headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
        if let Some(key) = &provider.api_key {
            headers.insert(AUTHORIZATION, sensitive(&format!("Bearer {}", key.expose())));
        }
        for (name, value) in &provider.headers {
            let name: HeaderName = name.parse().expect("the configuration has been checked for header names");
            headers.insert(name, sensitive(value.expose()));
        }
        let base_url = provider.base_url.as_ref().expect("the configuration has completed it").as_str().to_owned();
        let client = build_client(provider, stream)
            .map_err(|error| UpstreamSetupError(format!("provider \"{}\": {}", provider.name, error.without_url())))?;
        Ok(Self {
            name: provider.name.as_str().into(),
            client,
            usual_urls: USUAL_PATHS.map(|path| (path, join(&base_url, path))),
            base_url,
            headers,
            secrets: provider.api_key.iter().chain(provider.headers.values()).cloned().collect(),
        })
    }

    /// The URL of `path`, which begins with a slash and may have a query.
    pub fn url(&self, path: &str) -> Url {
        match self.usual_urls.iter().find(|(usual, _)| *usual == path) {
            Some((_, url)) => url.clone(),
            None => join(&self.base_url, path),
        }
    }

    /// `text` without the secrets that an upstream may have echoed.
    pub fn redact(&self, text: String) -> String {
        self.secrets.iter().fold(text, |text, secret| {
            // Short header values are words, not secrets, and replacing them would garble the text.
            if secret.expose().len() >= 8 { text.replace(secret.expose(), "********") } else { text }
        })
    }
}

fn join(base_url: &str, path: &str) -> Url {
    Url::parse(&format!("{base_url}{path}")).expect("a checked base URL and a path that was a valid URI make a URL")
}

fn sensitive(value: &str) -> HeaderValue {
    let mut value = HeaderValue::from_str(value).expect("the configuration has been checked for header values");
    value.set_sensitive(true);
    value
}

/// Upstreams come from the configuration alone: no redirects, no proxy from the environment.
fn build_client(provider: &Provider, stream: &StreamConfig) -> reqwest::Result<reqwest::Client> {
    let builder = reqwest::Client::builder()
        .connect_timeout(stream.connect_timeout)
        .pool_idle_timeout(POOL_IDLE_TIMEOUT)
        .redirect(reqwest::redirect::Policy::none())
        .referer(false)
        .no_proxy();
    let plain = provider.base_url.as_ref().is_some_and(|url| url.as_str().starts_with("http://"));
    // The machine's root certificates take milliseconds and megabytes to read; who speaks no TLS needs none.
    let builder = if plain { builder.tls_certs_only([]) } else { builder };
    match (provider.http2, plain) {
        // One stalled reader on a shared HTTP/2 connection can end its siblings; HTTP/2 is a choice per provider.
        (false, _) => builder.http1_only(),
        (true, true) => builder.http2_prior_knowledge(),
        (true, false) => builder,
    }
    .build()
}
