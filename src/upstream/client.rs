//! The connections to one provider, and what every request to it carries.

use std::error::Error as _;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use http::header::{ACCEPT_ENCODING, USER_AGENT};
use http::{HeaderMap, HeaderName, HeaderValue, Response};
use reqwest::Url;
use rustls_platform_verifier::ConfigVerifierExt;

use super::body::causes;
use super::connector::{ConnectError, IDLE_TIMEOUT};
use super::{Body, UpstreamRequest, http1, http2};
use crate::config::provider::Provider;
use crate::config::secret::Secret;
use crate::config::stream::Stream as StreamConfig;
use crate::dialect::{Continuation, Dialect, Quirks};
use crate::error::{Error, Phase};

/// A provider that can be called. Belongs to one worker, whose runtime drives its connections.
#[derive(Debug)]
pub struct Upstream {
    /// The provider's name in the configuration.
    pub name: Arc<str>,
    /// What it speaks, its own language first.
    pub dialects: Vec<&'static dyn Dialect>,
    /// For requests whose body is in hand.
    direct: Direct,
    /// For all others.
    shared: reqwest::Client,
    /// What is peculiar to it.
    pub quirks: Quirks,
    /// How it is told to go on with an answer that another has begun, if it can be.
    pub continuation: Option<Continuation>,
    /// Where it is: scheme, host and port.
    origin: String,
    /// The path that paths are appended to, without a slash at its end.
    base_path: String,
    connect_timeout: Duration,
    /// For each key, header fields of every request: credentials and what the configuration adds. One without credentials if
    /// there is no key.
    headers: Vec<HeaderMap>,
    /// Which key is used next.
    turn: AtomicUsize,
    secrets: Vec<Secret>,
}

/// The way of a request whose body is in hand.
#[derive(Debug)]
enum Direct {
    Http1(http1::Client),
    Http2(http2::Client),
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
        let dialects = provider.dialects().to_vec();
        let mut headers: Vec<HeaderMap> = match provider.keys().count() {
            0 => vec![headers],
            _ => provider.keys().map(|key| with_credentials(&headers, provider, key)).collect(),
        };
        for (name, value) in &provider.headers {
            let name: HeaderName = name.parse().expect("the configuration has been checked for header names");
            headers.iter_mut().for_each(|headers| drop(headers.insert(&name, sensitive(value.expose()))));
        }
        let base_url = provider.base_url.as_ref().expect("the configuration has completed it").as_str();
        let setup_error = |cause| UpstreamSetupError(format!("provider \"{}\": {cause}", provider.name));
        let url = Url::parse(base_url).expect("the configuration has checked it");
        let tls = (url.scheme() == "https").then(|| tls_config(provider.http2)).transpose();
        let tls = tls.map_err(|error| setup_error(error.to_string()))?;
        let shared = shared_client(provider.http2, tls.clone(), stream)
            .map_err(|error| setup_error(causes(&error.without_url())))?;
        let direct = Direct::new(provider, &url, &headers, tls, stream.connect_timeout);
        let direct = direct.map_err(|error| setup_error(causes(&*error)))?;
        Ok(Self {
            name: provider.name.as_str().into(),
            dialects,
            direct,
            shared,
            quirks: provider.kind.quirks,
            continuation: provider.continuation,
            base_path: url.path().trim_end_matches('/').to_owned(),
            origin: url.origin().ascii_serialization(),
            connect_timeout: stream.connect_timeout,
            headers,
            turn: AtomicUsize::new(0),
            secrets: provider.keys().chain(provider.headers.values()).cloned().collect(),
        })
    }

    /// Where it is.
    pub(super) fn url(&self) -> String {
        format!("{}{}", self.origin, self.base_path)
    }

    /// What tells its keys apart, in their order, from which nobody learns them. One if it has none.
    pub(super) fn key_digests(&self) -> impl Iterator<Item = u64> {
        self.headers.iter().map(|headers| {
            let mut digest = DefaultHasher::new();
            headers.iter().for_each(|field| field.hash(&mut digest));
            digest.finish()
        })
    }

    /// The number of the key whose turn it is, from 0.
    pub(super) fn next_key(&self) -> usize {
        if self.headers.len() == 1 { 0 } else { self.turn.fetch_add(1, Ordering::Relaxed) % self.headers.len() }
    }

    /// Whether it may be asked in `dialect`.
    pub fn speaks(&self, dialect: &dyn Dialect) -> bool {
        self.dialects.iter().any(|spoken| **spoken == *dialect)
    }

    /// Sends a request whose `body` is in hand to `path` below the base URL, with the key of the number `key`.
    ///
    /// # Errors
    ///
    /// [`Error::UpstreamConnect`], [`Error::UpstreamBroken`] or a timeout of the connection.
    pub async fn send(
        &self,
        request: &UpstreamRequest,
        key: usize,
        path: &str,
        body: Bytes,
    ) -> Result<Response<Body>, Error> {
        let (method, headers) = (&request.method, &request.headers);
        let base_path = request.dialect.base(&self.base_path);
        let request = http1::Request { key, method, base_path, path, headers, body };
        match &self.direct {
            Direct::Http1(client) => match client.send(request).await {
                Ok(response) => Ok(response.map(Body::Http1)),
                Err(http1::SendError::Connect(error)) => Err(self.not_connected(&error)),
                Err(http1::SendError::Broken(error)) => Err(self.broken(causes(&error))),
            },
            Direct::Http2(client) => match client.send(request).await {
                Ok(response) => Ok(response.map(Body::Http2)),
                Err(http2::SendError::Connect(error)) => Err(self.not_connected(&error)),
                // A server that looks at no request is as good as none: nothing has been processed there.
                Err(http2::SendError::Refused(error)) => Err(self.connect_failed(causes(&error))),
                Err(http2::SendError::Broken(error)) => Err(self.broken(causes(&error))),
            },
        }
    }

    /// Sends a request whose `body` is still arriving to `path` below the base URL.
    ///
    /// # Errors
    ///
    /// As for [`send`](Self::send), and [`Error::InvalidRequest`] if the body breaks off.
    pub async fn upload(
        &self,
        request: &UpstreamRequest,
        key: usize,
        path: &str,
        body: reqwest::Body,
    ) -> Result<Response<Body>, Error> {
        let base_path = request.dialect.base(&self.base_path);
        // Written out rather than joined: joined, a path that begins with two slashes would name another host.
        let url = Url::parse(&format!("{}{base_path}{path}", self.origin))
            .expect("a checked base URL and a path that was a valid URI make a URL");
        let mut outgoing = reqwest::Request::new(request.method.clone(), url);
        *outgoing.headers_mut() = request.headers.clone();
        for (name, value) in &self.headers[key] {
            outgoing.headers_mut().insert(name, value.clone());
        }
        *outgoing.body_mut() = Some(body);
        match self.shared.execute(outgoing).await {
            Ok(response) => Ok(Response::from(response).map(Body::Shared)),
            Err(error) if error.is_connect() && error.is_timeout() => Err(self.connect_timed_out()),
            Err(error) if error.is_connect() => Err(self.connect_failed(causes(&error.without_url()))),
            Err(error) if body_failed(&error) => {
                Err(Error::InvalidRequest { message: "The request body broke off.".to_owned(), param: None })
            }
            Err(error) => Err(self.broken(causes(&error.without_url()))),
        }
    }

    /// Closes idle connections that are of no more use.
    pub fn sweep(&self) {
        match &self.direct {
            Direct::Http1(client) => client.sweep(),
            Direct::Http2(client) => client.sweep(),
        }
    }

    fn not_connected(&self, error: &ConnectError) -> Error {
        match error {
            ConnectError::Timeout => self.connect_timed_out(),
            ConnectError::Failed(cause) => self.connect_failed(causes(&**cause)),
        }
    }

    fn connect_timed_out(&self) -> Error {
        let (phase, limit) = (Phase::Connect, self.connect_timeout);
        Error::UpstreamTimeout { provider: self.name.to_string(), phase, limit }
    }

    fn connect_failed(&self, cause: String) -> Error {
        Error::UpstreamConnect { provider: self.name.to_string(), cause }
    }

    fn broken(&self, cause: String) -> Error {
        Error::UpstreamBroken { provider: self.name.to_string(), cause }
    }

    /// `text` without the secrets that an upstream may have echoed.
    pub fn redact(&self, text: String) -> String {
        self.secrets.iter().fold(text, |text, secret| {
            // Short header values are words, not secrets, and replacing them would garble the text.
            if secret.expose().len() >= 8 { text.replace(secret.expose(), "********") } else { text }
        })
    }
}

/// `headers` and `key`, as `provider` wants it.
fn with_credentials(headers: &HeaderMap, provider: &Provider, key: &Secret) -> HeaderMap {
    let (name, value) = match provider.kind.key_header {
        Some(name) => (HeaderName::from_static(name), key.expose().to_owned()),
        None => provider.dialects()[0].credentials(key.expose()),
    };
    let mut headers = headers.clone();
    headers.insert(name, sensitive(&value));
    headers
}

impl Direct {
    fn new(
        provider: &Provider,
        url: &Url,
        headers: &[HeaderMap],
        tls: Option<rustls::ClientConfig>,
        connect_timeout: Duration,
    ) -> Result<Self, Box<dyn std::error::Error + Send + Sync>> {
        if !provider.http2 {
            return http1::Client::new(url, headers, tls.map(Arc::new), connect_timeout).map(Self::Http1);
        }
        let tls = tls.map(|mut tls| {
            // A server that does not speak it is to say so, rather than to choose something else.
            tls.alpn_protocols = vec![b"h2".to_vec()];
            Arc::new(tls)
        });
        let limits = http2::Limits {
            streams: provider.http2_streams_per_connection,
            connections: provider.http2_connections,
            ping: provider.http2_ping,
        };
        http2::Client::new(url, headers, tls, connect_timeout, limits).map(Self::Http2)
    }
}

fn sensitive(value: &str) -> HeaderValue {
    let mut value = HeaderValue::from_str(value).expect("the configuration has been checked for header values");
    value.set_sensitive(true);
    value
}

/// The machine's own root certificates.
fn tls_config(http2: bool) -> Result<rustls::ClientConfig, rustls::Error> {
    let mut config = rustls::ClientConfig::with_platform_verifier()?;
    config.alpn_protocols = if http2 { vec![b"h2".to_vec(), b"http/1.1".to_vec()] } else { vec![b"http/1.1".to_vec()] };
    Ok(config)
}

/// Upstreams come from the configuration alone: no redirects, no proxy from the environment.
fn shared_client(
    http2: bool,
    tls: Option<rustls::ClientConfig>,
    stream: &StreamConfig,
) -> reqwest::Result<reqwest::Client> {
    let builder = reqwest::Client::builder()
        .connect_timeout(stream.connect_timeout)
        .pool_idle_timeout(IDLE_TIMEOUT)
        .redirect(reqwest::redirect::Policy::none())
        .referer(false)
        .no_proxy();
    let is_plain = tls.is_none();
    let builder = match tls {
        Some(tls) => builder.tls_backend_preconfigured(tls),
        // The machine's root certificates take milliseconds and megabytes to read; who speaks no TLS needs none.
        None => builder.tls_certs_only([]),
    };
    match (http2, is_plain) {
        (false, _) => builder.http1_only(),
        (true, true) => builder.http2_prior_knowledge(),
        (true, false) => builder,
    }
    .build()
}

/// Whether the body that was being sent failed, rather than its connection.
fn body_failed(error: &reqwest::Error) -> bool {
    let causes = std::iter::successors(error.source(), |&cause| cause.source());
    causes.filter_map(|cause| cause.downcast_ref::<hyper::Error>()).any(hyper::Error::is_user)
}
