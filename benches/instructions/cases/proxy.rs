//! The whole way, there and back, through the sockets of a running proxy.

use std::io::Write;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::thread;

use bytes::Bytes;
use sluicegate::app::App;
use sluicegate::config::Config;
use sluicegate::config::provider::{BaseUrl, Origin, Provider};
use sluicegate::http::{self, Shutdown};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::runtime::{Builder, Runtime};
use tokio::sync::watch;

use super::connection::{HEAD, begin};
use super::{Case, frames};

pub(super) const CASES: &[Case] = &[
    Case { name: "proxy/a token", set_up: || pass_on(&[frames::token()]) },
    Case { name: "proxy/16 KiB of tokens", set_up: || pass_on(&frames::tokens()) },
    Case { name: "proxy/a short request", set_up: ask },
];

const REQUEST: &[u8] = b"POST /v1/chat/completions HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n\
    content-length: 85\r\n\r\n\
    {\"model\":\"gpt-4o-mini\",\"stream\":true,\"messages\":[{\"role\":\"user\",\"content\":\"Hello?\"}]}";
const LAST_CHUNK: &[u8] = b"0\r\n\r\n";

/// `pieces` in one write of the upstream.
fn pass_on(pieces: &[Bytes]) -> Box<dyn FnMut()> {
    let (runtime, listener, proxy) = start();
    let upstream = thread::spawn(move || begin(&listener));
    let mut client = runtime.block_on(async {
        let mut client = TcpStream::connect(proxy).await.expect("it listens");
        client.write_all(REQUEST).await.expect("it reads");
        read_until(&mut client, b"\n\n\r\n").await;
        client
    });
    let mut upstream = upstream.join().expect("it has begun to answer");
    let written = frames::in_chunks(pieces);
    Box::new(move || {
        upstream.write_all(&written).expect("all of it is read");
        runtime.block_on(read_until(&mut client, b"\n\n\r\n"));
    })
}

/// A request for one token, over connections that are there.
fn ask() -> Box<dyn FnMut()> {
    let (runtime, listener, proxy) = start();
    let answer = [HEAD, &frames::in_chunks(&[frames::token(), frames::end()]), LAST_CHUNK].concat();
    runtime.spawn(async move {
        listener.set_nonblocking(true).expect("it is a socket");
        let listener = tokio::net::TcpListener::from_std(listener).expect("it is bound");
        let (mut connection, _) = listener.accept().await.expect("somebody connects");
        while connection.read(&mut [0; 4096]).await.is_ok_and(|read| read > 0) {
            connection.write_all(&answer).await.expect("somebody reads");
        }
    });
    let mut client = runtime.block_on(TcpStream::connect(proxy)).expect("it listens");
    Box::new(move || {
        runtime.block_on(async {
            client.write_all(REQUEST).await.expect("it reads");
            read_until(&mut client, LAST_CHUNK).await;
        });
    })
}

/// A proxy, and the listener of its upstream.
fn start() -> (Runtime, TcpListener, SocketAddr) {
    let runtime = Builder::new_current_thread().enable_all().build().expect("the kernel has descriptors left");
    let listener = TcpListener::bind("127.0.0.1:0").expect("the kernel has ports left");
    let url = format!("http://{}/v1", listener.local_addr().expect("it is bound"));
    let mut config = Config::for_testing();
    config.server.listen.set_port(0);
    config.providers =
        vec![Provider::compatible("upstream", BaseUrl::try_from(url).expect("a URL"), Origin::CommandLine)];
    let proxy = http::listen(&config.server).expect("the kernel has ports left");
    let address = proxy.local_addr().expect("it is bound");
    let (sender, receiver) = watch::channel(Arc::new(config));
    let app = App::new(receiver).expect("the configuration is good");
    runtime.spawn(async move {
        let _ = app.run(proxy, Shutdown::default()).await;
        drop(sender);
    });
    (runtime, listener, address)
}

/// Reads until what has come ends in `end`.
async fn read_until(client: &mut TcpStream, end: &[u8]) {
    let mut received = Vec::with_capacity(32 * 1024);
    while !received.ends_with(end) {
        assert!(client.read_buf(&mut received).await.expect("the proxy answers") > 0, "the proxy has closed");
    }
}
