//! A connection pool to one provider, and what every request to it carries.

use std::sync::Arc;
use std::time::Duration;

use http::header::{ACCEPT_ENCODING, AUTHORIZATION, USER_AGENT};
use http::{HeaderMap, HeaderName, HeaderValue};

use crate::config::provider::Provider;
use crate::config::secret::Secret;
use crate::config::stream::Stream as StreamConfig;

/// Below what common servers allow an idle connection, so that a request seldom meets a closing one.
const POOL_IDLE_TIMEOUT: Duration = Duration::from_secs(30);

/// A provider that can be called. Belongs to one worker, whose runtime drives its connections.
#[derive(Debug)]
pub struct Upstream {
    /// The provider's name in the configuration.
    pub name: Arc<str>,
    /// Its connections.
    pub client: reqwest::Client,
    /// The URL that paths are appended to, without a slash at its end.
    pub base_url: String,
    /// Header fields of every request: credentials and what the configuration adds.
    pub headers: HeaderMap,
    secrets: Vec<Secret>,
}

/// A provider's settings that cannot become header fields, or a TLS set-up that fails.
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
    /// [`UpstreamSetupError`] if the key or a header is not printable ASCII, or no TLS root certificates are found.
    pub fn new(provider: &Provider, stream: &StreamConfig) -> Result<Self, UpstreamSetupError> {
        let fail = |what: &str| UpstreamSetupError(format!("provider \"{}\": {what}", provider.name));
        let mut headers = HeaderMap::new();
        headers.insert(USER_AGENT, HeaderValue::from_static(concat!("sluicegate/", env!("CARGO_PKG_VERSION"))));
        // A compressed stream arrives in lumps, and we could not read along.
        headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
        if let Some(key) = &provider.api_key {
            let value = sensitive(&format!("Bearer {}", key.expose()));
            headers
                .insert(AUTHORIZATION, value.ok_or_else(|| fail("api_key has characters that no header can carry"))?);
        }
        for (name, value) in &provider.headers {
            let name: HeaderName = name.parse().map_err(|_| fail(&format!("\"{name}\" is no header name")))?;
            let value =
                sensitive(value.expose()).ok_or_else(|| fail(&format!("header {name} has an invalid value")))?;
            headers.insert(name, value);
        }
        let client = build_client(provider, stream).map_err(|error| fail(&error.without_url().to_string()))?;
        Ok(Self {
            name: provider.name.as_str().into(),
            client,
            base_url: provider.base_url.as_ref().map(|url| url.as_str().to_owned()).unwrap_or_default(),
            headers,
            secrets: provider.api_key.iter().chain(provider.headers.values()).cloned().collect(),
        })
    }

    /// `text` without the secrets that an upstream may have echoed.
    pub fn redact(&self, text: String) -> String {
        self.secrets.iter().fold(text, |text, secret| {
            // Short header values are words, not secrets, and replacing them would garble the text.
            if secret.expose().len() >= 8 { text.replace(secret.expose(), "********") } else { text }
        })
    }
}

fn sensitive(value: &str) -> Option<HeaderValue> {
    let mut value = HeaderValue::from_str(value).ok()?;
    value.set_sensitive(true);
    Some(value)
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
    // Reading the system's certificates takes longer than everything else here, and a plain connection needs none.
    let builder = if plain { builder.tls_certs_only([]) } else { builder };
    match (provider.http2, plain) {
        // One stalled reader on a shared HTTP/2 connection can end its siblings; HTTP/2 is a choice per provider.
        (false, _) => builder.http1_only(),
        (true, true) => builder.http2_prior_knowledge(),
        (true, false) => builder,
    }
    .build()
}
