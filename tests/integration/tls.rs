//! HTTPS for clients is HTTP with a certificate in front: the same streams, the same ends.
//!
//! The certificate in `tests/fixtures/tls` is valid for a hundred years and was made with
//! `openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 36500 -subj "/CN=sluicegate test" \
//! -addext "subjectAltName=DNS:localhost,IP:127.0.0.1" -addext "basicConstraints=critical,CA:FALSE" \
//! -keyout key.pem -out certificate.pem`.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use sluicegate::app::App;
use sluicegate::config::Config;
use sluicegate::config::server::Tls;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::support::websocket::{HANDSHAKE, frame};
use crate::support::{Client, Program, Proxy, ROLE, Script, Upstream, chat, request, soon, token};

fn fixture(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/tls").join(name)
}

fn tls() -> Tls {
    Tls { certificate: fixture("certificate.pem"), key: fixture("key.pem") }
}

async fn secure(upstream: &Upstream) -> Proxy {
    Proxy::configured(upstream, |config| {
        config.server.tls = Some(tls());
        config.server.first_byte_timeout = Duration::from_millis(300);
    })
    .await
}

/// A client that trusts the certificate and nothing else.
fn trusting(builder: reqwest::ClientBuilder) -> reqwest::Client {
    let certificate = reqwest::Certificate::from_pem(&std::fs::read(fixture("certificate.pem")).unwrap()).unwrap();
    builder.tls_certs_only([certificate]).no_proxy().build().unwrap()
}

async fn ask(client: &reqwest::Client, proxy: &Proxy) -> reqwest::Response {
    let url = format!("https://{}/v1/chat/completions", proxy.address);
    let request = client.post(url).header("content-type", "application/json").body(chat(true));
    soon("a response head", request.send()).await.unwrap()
}

/// A TLS connection without any HTTP on it yet.
async fn connect(proxy: &Proxy) -> TlsStream<TcpStream> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(fixture("certificate.pem")).unwrap()).unwrap();
    let config = ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
    let socket = TcpStream::connect(proxy.address).await.unwrap();
    let name = ServerName::try_from("localhost").unwrap();
    soon("a TLS handshake", TlsConnector::from(Arc::new(config)).connect(name, socket)).await.unwrap()
}

#[tokio::test]
async fn both_versions_of_http_stream_over_tls() {
    let upstream = Upstream::start(Script::answer(&["hi"])).await;
    let proxy = secure(&upstream).await;
    for (client, version) in [
        (trusting(reqwest::Client::builder()), http::Version::HTTP_2),
        (trusting(reqwest::Client::builder().http1_only()), http::Version::HTTP_11),
    ] {
        let response = ask(&client, &proxy).await;
        assert_eq!(response.version(), version);
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        assert!(soon("the stream", response.text()).await.unwrap().ends_with("data: [DONE]\n\n"));
    }
}

#[tokio::test]
async fn a_client_that_leaves_a_stream_over_tls_stops_the_upstream() {
    let mut upstream = Upstream::start(Script::stream().send(ROLE).send(token("hi")).hang()).await;
    let proxy = secure(&upstream).await;
    for builder in [reqwest::Client::builder(), reqwest::Client::builder().http1_only()] {
        let response = ask(&trusting(builder), &proxy).await;
        drop(response);
        upstream.abandoned().await;
    }
}

#[tokio::test]
async fn a_client_that_waits_over_tls_may_leave_in_any_way() {
    for reset in [false, true] {
        for close_notify in [false, true] {
            let mut upstream = Upstream::start(Script::silence()).await;
            let proxy = secure(&upstream).await;
            let mut client = connect(&proxy).await;
            client.write_all(request("/v1/chat/completions", &chat(true)).as_bytes()).await.unwrap();
            upstream.request().await;
            if close_notify {
                client.shutdown().await.unwrap();
            }
            if reset {
                socket2::SockRef::from(client.get_ref().0).set_linger(Some(Duration::ZERO)).unwrap();
            }
            drop(client);
            upstream.abandoned().await;
        }
    }
}

#[tokio::test]
async fn a_client_that_says_goodbye_in_tls_alone_has_left_its_stream() {
    let mut upstream = Upstream::start(Script::stream().send(token("hi")).hang()).await;
    let proxy = secure(&upstream).await;
    let mut client = connect(&proxy).await;
    client.write_all(request("/v1/chat/completions", &chat(true)).as_bytes()).await.unwrap();
    let mut received = Vec::new();
    while !received.windows(2).any(|window| window == b"hi") {
        assert!(soon("a token", client.read_buf(&mut received)).await.unwrap() > 0);
    }
    // The socket stays open in both directions.
    client.get_mut().1.send_close_notify();
    client.flush().await.unwrap();
    upstream.abandoned().await;
}

#[tokio::test]
async fn streams_over_one_tls_connection_follow_each_other_and_what_was_sent_ahead() {
    let upstream = Upstream::start(Script::answer(&["hi"])).await;
    let proxy = secure(&upstream).await;
    let mut client = connect(&proxy).await;
    let ask = request("/v1/chat/completions", &chat(true));
    let mut received = Vec::new();
    for round in 1..=3 {
        client.write_all(format!("{ask}{ask}").as_bytes()).await.unwrap();
        while String::from_utf8_lossy(&received).matches("\r\n0\r\n\r\n").count() < 2 * round {
            assert!(soon("more of a stream", client.read_buf(&mut received)).await.unwrap() > 0);
        }
    }
    assert_eq!(String::from_utf8_lossy(&received).matches("[DONE]").count(), 6);
}

#[tokio::test]
async fn a_handshake_that_does_not_come_is_not_waited_for() {
    let upstream = Upstream::start(Script::answer(&["hi"])).await;
    let proxy = secure(&upstream).await;
    for words in [&b""[..], b"\x16\x03\x01"] {
        let since = Instant::now();
        let mut client = Client::connect(proxy.address).await;
        client.send(words).await;
        client.read_to_end().await;
        assert!(since.elapsed() >= Duration::from_millis(300));
    }
}

#[tokio::test]
async fn plain_http_is_not_spoken_on_a_tls_port() {
    let upstream = Upstream::start(Script::answer(&["hi"])).await;
    let proxy = secure(&upstream).await;
    let mut client = Client::chat(proxy.address, true).await;
    assert!(!client.read_to_end().await.contains("HTTP/1.1"));
    assert_eq!(upstream.request_count(), 0);
}

#[tokio::test]
async fn what_is_said_over_tls_is_http() {
    let upstream = Upstream::start(Script::answer(&["hi"])).await;
    let proxy = secure(&upstream).await;
    let mut client = connect(&proxy).await;
    client.write_all(b"GET /livez HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n").await.unwrap();
    let mut answer = String::new();
    soon("an answer", client.read_to_string(&mut answer)).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n") && answer.ends_with("ok\n"), "{answer}");
}

#[tokio::test]
async fn a_certificate_that_cannot_be_used_is_named() {
    for (tls, named) in [
        (Tls { certificate: fixture("none.pem"), ..tls() }, "none.pem"),
        (Tls { key: fixture("none.pem"), ..tls() }, "none.pem"),
        (Tls { key: fixture("certificate.pem"), ..tls() }, "certificate.pem"),
        (Tls { certificate: fixture("key.pem"), ..tls() }, "key.pem"),
    ] {
        let mut config = Config::for_testing();
        config.server.tls = Some(tls);
        let (_, receiver) = tokio::sync::watch::channel(Arc::new(config));
        let error = App::new(receiver).err().unwrap().to_string();
        assert!(error.contains(named), "{error}");
    }
}

/// A proxy whose upstream, another proxy, speaks TLS. It trusts that one's certificate if told to.
async fn before_secure(secure: &Proxy, trusts: bool) -> (Program, SocketAddr) {
    let url = format!("https://localhost:{}/v1", secure.address.port());
    let certificate = fixture("certificate.pem");
    let roots = [("SSL_CERT_FILE", certificate.to_str().unwrap())];
    let arguments = ["serve", "--listen", "127.0.0.1:0", "--upstream", &url];
    let program = Program::start(&arguments, if trusts { &roots } else { &[] });
    let address = program.address().await;
    (program, address)
}

#[tokio::test]
async fn streams_come_from_upstreams_over_tls_and_their_connections_serve_again() {
    let upstream = Upstream::start(Script::answer(&["hi"])).await;
    let secure = secure(&upstream).await;
    let (_program, address) = before_secure(&secure, true).await;
    for _ in 0..2 {
        let mut client = Client::chat(address, true).await;
        assert!(client.read_until("[DONE]").await.contains(&token("hi")));
    }
    assert_eq!(upstream.accepted_count(), 1);
}

#[tokio::test]
async fn a_client_that_leaves_stops_an_upstream_that_speaks_tls() {
    let mut upstream = Upstream::start(Script::stream().send(ROLE).send(token("hi")).hang()).await;
    let secure = secure(&upstream).await;
    let (_program, address) = before_secure(&secure, true).await;
    let mut client = Client::chat(address, true).await;
    client.read_until("hi").await;
    drop(client);
    upstream.abandoned().await;
}

#[tokio::test]
async fn an_upstream_whose_certificate_nobody_vouches_for_is_not_spoken_to() {
    let upstream = Upstream::start(Script::answer(&["hi"])).await;
    let secure = secure(&upstream).await;
    let (program, address) = before_secure(&secure, false).await;
    let mut client = Client::chat(address, true).await;
    assert_eq!(client.response().await.status, 502);
    program.says("certificate").await;
    assert_eq!(upstream.request_count(), 0);
}

#[tokio::test]
async fn a_websocket_over_tls_is_one_and_stops_its_upstream_when_the_client_leaves() {
    let mut upstream = Upstream::start(Script::stream().send(ROLE).send(token("one")).hang()).await;
    let proxy = secure(&upstream).await;
    let mut socket = connect(&proxy).await;
    socket.write_all(HANDSHAKE.as_bytes()).await.unwrap();
    let create = r#"{"type":"response.create","model":"upstream/m","input":"hi"}"#;
    socket.write_all(&frame(0x81, create.as_bytes())).await.unwrap();
    let mut received = Vec::new();
    soon("a token", async {
        while memchr::memmem::find(&received, b"one").is_none() {
            assert!(socket.read_buf(&mut received).await.unwrap() > 0, "closed");
        }
    })
    .await;
    assert!(received.starts_with(b"HTTP/1.1 101 "));
    drop(socket);
    upstream.abandoned().await;
}
