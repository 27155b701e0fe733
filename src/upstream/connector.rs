//! New connections: the name looked up, its addresses tried, TLS agreed on.

use std::error::Error;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use http::Uri;
use hyper_util::client::legacy::connect::HttpConnector;
use reqwest::Url;
use rustls::pki_types::ServerName;
use tokio_rustls::TlsConnector;
use tower_service::Service;

use super::socket::Socket;

/// Below what common servers allow an idle connection, so that a request seldom meets a closing one.
pub(super) const IDLE_TIMEOUT: Duration = Duration::from_secs(30);

/// A server that has vanished without a word is noticed after about a minute of silence, or when it takes no more.
const KEEPALIVE: Duration = Duration::from_secs(15);
const KEEPALIVE_RETRIES: u32 = 3;
#[cfg(any(target_os = "linux", target_os = "android"))]
const USER_TIMEOUT: Duration = Duration::from_secs(30);

/// Why there is no connection.
#[derive(Debug, Clone)]
pub enum ConnectError {
    /// It could not be made in time.
    Timeout,
    /// It could not be made.
    Failed(Arc<dyn Error + Send + Sync>),
}

impl ConnectError {
    pub(super) fn failed(cause: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self::Failed(cause.into().into())
    }
}

#[derive(Debug)]
pub(super) struct Connector {
    tcp: HttpConnector,
    server: Uri,
    tls: Option<(Tls, ServerName<'static>)>,
    /// How long connecting may take, from the look-up of the name to the end of the TLS handshake.
    pub(super) timeout: Duration,
}

/// rustls's connector does not say anything of itself.
struct Tls(TlsConnector);

impl std::fmt::Debug for Tls {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Tls")
    }
}

impl Connector {
    pub(super) fn new(
        base_url: &Url,
        tls: Option<Arc<rustls::ClientConfig>>,
        timeout: Duration,
    ) -> Result<Self, Box<dyn Error + Send + Sync>> {
        let mut tcp = HttpConnector::new();
        tcp.enforce_http(false);
        tcp.set_nodelay(true);
        tcp.set_keepalive(Some(KEEPALIVE));
        tcp.set_keepalive_interval(Some(KEEPALIVE));
        tcp.set_keepalive_retries(Some(KEEPALIVE_RETRIES));
        #[cfg(any(target_os = "linux", target_os = "android"))]
        tcp.set_tcp_user_timeout(Some(USER_TIMEOUT));
        // Of several addresses each gets its part of the time.
        tcp.set_connect_timeout(Some(timeout));
        let tls = match tls {
            Some(config) => {
                let host = base_url.host_str().unwrap_or_default().trim_start_matches('[').trim_end_matches(']');
                Some((Tls(TlsConnector::from(config)), ServerName::try_from(host.to_owned())?))
            }
            None => None,
        };
        Ok(Self { tcp, server: base_url.as_str().parse()?, tls, timeout })
    }

    pub(super) async fn connect(&self) -> Result<Socket, ConnectError> {
        match tokio::time::timeout(self.timeout, self.try_connect()).await {
            Ok(Ok(socket)) => Ok(socket),
            // The time ran out for the last of its addresses.
            Ok(Err(error)) if is_timeout(&*error) => Err(ConnectError::Timeout),
            Ok(Err(error)) => Err(ConnectError::failed(error)),
            Err(_) => Err(ConnectError::Timeout),
        }
    }

    async fn try_connect(&self) -> Result<Socket, Box<dyn Error + Send + Sync>> {
        let tcp = self.tcp.clone().call(self.server.clone()).await?.into_inner();
        match &self.tls {
            None => Ok(Socket::Plain(tcp)),
            Some((tls, name)) => Ok(Socket::Tls(Box::new(tls.0.connect(name.clone(), tcp).await?))),
        }
    }
}

fn is_timeout(error: &(dyn Error + 'static)) -> bool {
    let causes = std::iter::successors(Some(error), |&cause| cause.source());
    causes.filter_map(|cause| cause.downcast_ref::<io::Error>()).any(|error| error.kind() == io::ErrorKind::TimedOut)
}
