//! Over TLS both sides agree on HTTP/2, or there is no connection.

use std::path::PathBuf;
use std::sync::Arc;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio::io::AsyncReadExt;
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

use crate::support::{Client, DONE, FINISH, Program, ROLE, soon, token};

fn fixture(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/tls").join(name)
}

/// A server that offers these protocols.
fn acceptor(protocols: &[&str]) -> TlsAcceptor {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let certificate = CertificateDer::from_pem_file(fixture("certificate.pem")).unwrap();
    let key = PrivateKeyDer::from_pem_file(fixture("key.pem")).unwrap();
    let mut config =
        rustls::ServerConfig::builder().with_no_client_auth().with_single_cert(vec![certificate], key).unwrap();
    config.alpn_protocols = protocols.iter().map(|protocol| protocol.as_bytes().to_vec()).collect();
    TlsAcceptor::from(Arc::new(config))
}

/// A proxy that trusts the server on `listener`.
fn proxy_before(listener: &TcpListener) -> Program {
    let url = format!("https://localhost:{}/v1", listener.local_addr().unwrap().port());
    let provider = format!("[{{ name = \"secure\", kind = \"compatible\", base_url = \"{url}\", http2 = true }}]");
    let certificate = fixture("certificate.pem");
    let environment = [
        ("SLUICEGATE__PROVIDER", &*provider),
        ("SLUICEGATE__RETRY__MAX_ATTEMPTS", "1"),
        ("SSL_CERT_FILE", certificate.to_str().unwrap()),
    ];
    Program::start(&["--listen", "127.0.0.1:0"], &environment)
}

#[tokio::test]
async fn http2_is_spoken_over_tls() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let program = proxy_before(&listener);
    let mut client = Client::chat(program.address().await, true).await;
    let (socket, _) = soon("a connection", listener.accept()).await.unwrap();
    let socket = soon("a handshake", acceptor(&["h2", "http/1.1"]).accept(socket)).await.unwrap();
    assert_eq!(socket.get_ref().1.alpn_protocol(), Some(&b"h2"[..]));
    let mut connection = soon("HTTP/2", h2::server::handshake(socket)).await.unwrap();
    let (request, mut response) = soon("a request", connection.accept()).await.unwrap().unwrap();
    assert_eq!(request.uri().scheme_str(), Some("https"));
    let head = http::Response::builder().header("content-type", "text/event-stream").body(()).unwrap();
    let mut body = response.send_response(head, false).unwrap();
    body.send_data([ROLE, &token("hi"), FINISH, DONE].concat().into(), true).unwrap();
    tokio::select! {
        _ = connection.accept() => panic!("the connection ended"),
        _ = client.read_until("[DONE]") => {}
    }
}

#[tokio::test]
async fn a_server_that_offers_something_else_cannot_be_reached_and_the_log_says_why() {
    for protocols in [&["http/1.1"][..], &[]] {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let program = proxy_before(&listener);
        let mut client = Client::chat(program.address().await, true).await;
        let (socket, _) = soon("a connection", listener.accept()).await.unwrap();
        if let Ok(mut socket) = soon("a handshake", acceptor(protocols).accept(socket)).await {
            let _ = soon("the end", socket.read(&mut [0])).await;
        }
        client.read_until("upstream_unreachable").await;
        program.says("does not agree to HTTP/2; configure http2 = false").await;
    }
}
