//! Sluicegate itself, on a free port.

use std::net::SocketAddr;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use sluicegate::app::App;
use sluicegate::config::Config;
use sluicegate::config::client_key::ClientKey;
use sluicegate::config::provider::{BaseUrl, Origin, Provider};
use sluicegate::config::secret::Secret;
use sluicegate::dialect;
use sluicegate::http::{self, Shutdown};
use sluicegate::upstream::Fleet;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::logs::{self, Line};
use super::sockets::{self, Socket};
use super::{Redis, Reply, Upstream, chat, soon, until};

/// A running proxy. Everything of it ends when it is dropped.
pub struct Proxy {
    pub address: SocketAddr,
    pub shutdown: Shutdown,
    pub config: watch::Sender<Arc<Config>>,
    pub fleet: Arc<Fleet>,
    task: JoinHandle<()>,
    /// Where its streams are shared, if it is the only one there.
    pub redis: Option<Redis>,
}

impl Proxy {
    /// A proxy with `upstream` as its only provider, called `upstream`.
    pub async fn before(upstream: &Upstream) -> Self {
        Self::configured(upstream, |_| {}).await
    }

    /// The same with a configuration of the test's own.
    pub async fn configured(upstream: &Upstream, change: impl FnOnce(&mut Config)) -> Self {
        let mut config = Config::for_testing();
        config.providers.push(provider("upstream", &upstream.url()));
        change(&mut config);
        Self::start(config).await
    }

    /// A proxy with exactly this configuration, but for the port.
    pub async fn start(mut config: Config) -> Self {
        logs::capture();
        config.server.listen.set_port(0);
        // What is to fail may fail soon.
        config.retry.backoff = config.retry.backoff.min(Duration::from_millis(5));
        let listener = http::listen(&config.server).unwrap();
        let address = listener.local_addr().unwrap();
        let (config, receiver) = watch::channel(Arc::new(config));
        let shutdown = Shutdown::default();
        let app = App::new(receiver).unwrap();
        let fleet = Arc::clone(app.fleet());
        let running = app.run(listener, shutdown.clone());
        let task = tokio::spawn(async move { running.await.unwrap() });
        Self { address, shutdown, config, fleet, task, redis: None }
    }

    /// The same with streams that are shared over a Redis of its own.
    pub async fn start_sharing(mut config: Config) -> Self {
        let redis = Redis::start().await;
        redis.share(&mut config);
        let mut proxy = Self::start(config).await;
        proxy.redis = Some(redis);
        proxy
    }

    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// Posts a chat request and waits for the response head.
    pub async fn chat(&self, stream: bool) -> reqwest::Response {
        self.post("/v1/chat/completions", chat(stream)).await
    }

    /// The same, read to its end.
    pub async fn ask(&self, stream: bool) -> Reply {
        Reply::of(self.chat(stream).await).await
    }

    /// Posts JSON and waits for the response head.
    pub async fn post(&self, path: &str, body: impl Into<reqwest::Body>) -> reqwest::Response {
        let request = client().post(self.url(path)).header("content-type", "application/json").body(body);
        soon("a response head", request.send()).await.unwrap()
    }

    /// Gets a path and waits for the response head.
    pub async fn get(&self, path: &str) -> reqwest::Response {
        soon("a response head", client().get(self.url(path)).send()).await.unwrap()
    }

    /// The log line of the request with this id, once it is written.
    pub async fn log_line(&self, request_id: &str) -> Line {
        soon("the log line", logs::line_of(request_id)).await
    }

    /// Waits until a client is connected and the proxy has read all that clients have sent.
    pub async fn has_read_everything(&self) {
        let is_read = |ends: Vec<Socket>| !ends.is_empty() && ends.iter().all(|end| end.receiving == 0);
        until("everything read", || is_read(self.connections())).await;
    }

    /// Waits until no client is connected any more.
    pub async fn has_no_connection(&self) {
        until("the end of every connection", || self.connections().is_empty()).await;
    }

    /// The proxy's ends of its client connections.
    fn connections(&self) -> Vec<Socket> {
        let port = self.address.port();
        sockets::of_port(port).into_iter().filter(|end| end.local_port == port).collect()
    }

    /// Waits until the proxy has ended by itself.
    pub async fn ended(mut self) {
        soon("the end of the proxy", &mut self.task).await.unwrap();
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// A provider that needs nothing but a URL, and takes each request in the words it comes in.
pub fn provider(name: &str, url: &str) -> Provider {
    let compatible = Provider::compatible(name, BaseUrl::try_from(url.to_owned()).unwrap(), Origin::Configuration);
    Provider { dialects: Some(dialect::ALL.to_vec()), ..compatible }
}

/// A provider that speaks `dialect` and nothing else.
pub fn speaker(dialect: &str, name: &str, url: &str) -> Provider {
    Provider { dialects: Some(vec![dialect::find(dialect).unwrap()]), ..provider(name, url) }
}

/// A key that clients may present.
pub fn key(name: &str, secret: &str) -> ClientKey {
    ClientKey { name: name.to_owned(), secret: Some(Secret::new(secret)), sha256: None }
}

/// A client without a memory: every call makes its own connection.
pub fn client() -> reqwest::Client {
    // Made once: reading the system's certificates takes longer than most tests.
    static CLIENT: LazyLock<reqwest::Client> = LazyLock::new(|| {
        let _ = rustls::crypto::ring::default_provider().install_default();
        reqwest::Client::builder().pool_max_idle_per_host(0).no_proxy().build().unwrap()
    });
    CLIENT.clone()
}
