//! Leaving while there is no connection to the upstream yet.

use std::net::SocketAddr;
use std::time::Duration;

use sluicegate::config::Config;
use sluicegate::config::provider::Provider;
use socket2::{Domain, Socket, Type};
use tokio::io::AsyncReadExt;
use tokio::net::{TcpListener, TcpStream};

use super::{DEPARTURES, INTERRUPTIONS, leave, quiet};
use crate::support::{Client, Proxy, chat, provider, request, sockets, soon, until, upload, with_header};

/// An address at which connecting takes until somebody accepts.
struct BusyHost {
    listener: TcpListener,
    /// Fills the kernel's queue.
    waiting: Option<TcpStream>,
}

impl BusyHost {
    async fn start() -> Self {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
        socket.bind(&SocketAddr::from(([127, 0, 0, 1], 0)).into()).unwrap();
        socket.listen(0).unwrap();
        socket.set_nonblocking(true).unwrap();
        let listener = TcpListener::from_std(socket.into()).unwrap();
        let waiting = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        Self { listener, waiting: Some(waiting) }
    }

    fn port(&self) -> u16 {
        self.listener.local_addr().unwrap().port()
    }

    /// Waits until so many connections are being made.
    async fn is_called_by(&self, count: usize) {
        let connecting = || {
            let ends = sockets::of_port(self.port());
            ends.iter().filter(|end| end.state == sockets::State::Connecting).count()
        };
        until(&format!("{count} attempts to connect"), || connecting() == count).await;
    }

    /// Takes the next connection that is not our own.
    async fn accept(&mut self) -> TcpStream {
        if self.waiting.take().is_some() {
            self.listener.accept().await.unwrap();
        }
        soon("a connection to the upstream", self.listener.accept()).await.unwrap().0
    }
}

async fn proxy_before(host: &BusyHost) -> Proxy {
    proxy_over(host, false).await
}

async fn proxy_over(host: &BusyHost, http2: bool) -> Proxy {
    let mut config = Config::for_testing();
    quiet(&mut config);
    config.stream.connect_timeout = Duration::from_secs(60);
    let upstream = provider("upstream", &format!("http://127.0.0.1:{}/v1", host.port()));
    config.providers.push(Provider { http2, ..upstream });
    Proxy::start(config).await
}

#[tokio::test]
async fn a_client_that_leaves_while_the_upstream_is_connected_to_ends_the_attempt() {
    let host = BusyHost::start().await;
    let proxy = proxy_before(&host).await;
    for departure in DEPARTURES {
        let client = Client::chat(proxy.address, true).await;
        host.is_called_by(1).await;
        let _client = leave(client, departure).await;
        host.is_called_by(0).await;
    }
}

#[tokio::test]
async fn an_attempt_that_clients_share_ends_when_the_last_of_them_leaves() {
    let mut host = BusyHost::start().await;
    let proxy = proxy_over(&host, true).await;
    for departure in DEPARTURES {
        let first = Client::chat(proxy.address, true).await;
        host.is_called_by(1).await;
        let second = Client::chat(proxy.address, true).await;
        proxy.has_read_everything().await;
        let _first = leave(first, departure).await;
        tokio::time::sleep(Duration::from_millis(100)).await;
        host.is_called_by(1).await;
        let _second = leave(second, departure).await;
        host.is_called_by(0).await;
    }
    // And when it is left by the one that began it, it still serves the others.
    let first = Client::chat(proxy.address, true).await;
    host.is_called_by(1).await;
    let _second = Client::chat(proxy.address, true).await;
    proxy.has_read_everything().await;
    drop(first);
    let mut connection = host.accept().await;
    let mut preface = [0; 24];
    soon("the preface", connection.read_exact(&mut preface)).await.unwrap();
    assert!(preface.starts_with(b"PRI * HTTP/2.0"));
}

/// Nobody reads the upload yet, so hyper does not look behind it.
#[tokio::test]
async fn a_client_that_leaves_behind_an_unread_upload_ends_the_attempt() {
    const LENGTH: usize = 100_000;
    let host = BusyHost::start().await;
    let proxy = proxy_before(&host).await;
    for (departure, length) in INTERRUPTIONS
        .map(|departure| (departure, 2 * LENGTH))
        .into_iter()
        .chain(DEPARTURES.map(|departure| (departure, LENGTH)))
    {
        let mut client = Client::connect(proxy.address).await;
        client.send(&upload("/v1/files", length)).await;
        client.send(&"x".repeat(LENGTH)).await;
        host.is_called_by(1).await;
        let _client = leave(client, departure).await;
        host.is_called_by(0).await;
    }
}

#[tokio::test]
async fn a_connection_that_comes_late_carries_no_request_of_a_client_that_has_left() {
    let mut host = BusyHost::start().await;
    let proxy = proxy_before(&host).await;
    let chat_of =
        |name: &str| with_header(&request("/v1/chat/completions", &chat(true)), &format!("x-request-id: {name}"));
    let mut staying = Client::connect(proxy.address).await;
    staying.send(&chat_of("staying")).await;
    let mut leaving = Client::connect(proxy.address).await;
    leaving.send(&chat_of("leaving")).await;
    host.is_called_by(2).await;
    drop(leaving);
    host.is_called_by(1).await;

    let mut connection = host.accept().await;
    let mut received = Vec::with_capacity(1000);
    soon("a request to the upstream", connection.read_buf(&mut received)).await.unwrap();
    let received = String::from_utf8(received).unwrap();
    assert!(received.contains("x-request-id: staying"), "{received}");
    assert!(sockets::of_port(host.port()).len() == 2, "somebody else is there");
}
