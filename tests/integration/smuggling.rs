//! Where one message ends and the next begins is read as RFC 9112 has it, or the connection ends.
//!
//! A proxy and a server that disagree about that let one client put words into another's mouth. Sluicegate frames every
//! upstream request anew, so what is to be shown here is that bytes behind a request never become a second one.

use crate::support::{Client, Proxy, Received, Script, Upstream};

const BODY: &str = r#"{"model":"m","x":"0123456789"}"#;
/// Stands behind many of the requests below; whoever misreads their end takes it for a request of its own.
const SECOND: &str = "POST /v1/chat/completions HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n\
                      content-length: 20\r\n\r\n{\"model\":\"smuggled\"}";

/// What must become of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verdict {
    /// It reaches the upstream, once.
    Served,
    /// It does, and the connection is then closed, whatever stood behind it.
    ServedThenClosed,
    /// It is refused.
    Refused,
    /// It is refused, and the connection closed.
    Closed,
}
use Verdict::{Closed, Refused, Served, ServedThenClosed};

/// A request with `lines` as further header fields, and `rest` behind its head.
fn message(lines: &str, rest: &str) -> String {
    format!(
        "POST /v1/chat/completions HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n{lines}\r\n\r\n{rest}"
    )
}

fn with_length(lines: &str) -> String {
    message(&format!("{lines}\r\ncontent-length: {}", BODY.len()), BODY)
}

fn chunked(coding: &str) -> String {
    message(&format!("transfer-encoding: {coding}"), &format!("{}0\r\n\r\n", chunk(BODY)))
}

fn chunk(text: &str) -> String {
    format!("{:x}\r\n{text}\r\n", text.len())
}

/// A chunked request whose first chunk has `size` as its size line.
fn sized(size: &str) -> String {
    message("transfer-encoding: chunked", &format!("{size}{BODY}\r\n0\r\n\r\n{SECOND}"))
}

fn battery() -> Vec<(&'static str, Verdict, String)> {
    let (length, size) = (BODY.len(), format!("{:x}", BODY.len()));
    let both = format!("content-length: {length}\r\ntransfer-encoding: chunked");
    let whole = format!("{}0\r\n\r\n", chunk(BODY));
    vec![
        // Two lengths.
        ("a length and chunks", ServedThenClosed, message(&both, &format!("{whole}{SECOND}"))),
        (
            "a length behind the chunks",
            ServedThenClosed,
            message("transfer-encoding: chunked\r\ncontent-length: 3", &format!("{whole}{SECOND}")),
        ),
        (
            "two different lengths",
            Closed,
            message(&format!("content-length: {length}\r\ncontent-length: 999"), &format!("{BODY}{SECOND}")),
        ),
        ("the same length twice", Served, with_length(&format!("content-length: {length}"))),
        ("a list of lengths", Closed, message(&format!("content-length: {length}, {length}"), BODY)),
        ("a length with a sign", Closed, message(&format!("content-length: +{length}"), BODY)),
        ("a negative length", Closed, message("content-length: -1", SECOND)),
        ("a hexadecimal length", Closed, message("content-length: 0x1e", BODY)),
        ("a length beyond numbers", Closed, message("content-length: 99999999999999999999", BODY)),
        ("an empty length", Closed, message("content-length:", SECOND)),
        // Codings.
        ("gzip", Closed, message("transfer-encoding: gzip", BODY)),
        ("chunks around gzip", Refused, chunked("gzip, chunked")),
        ("chunks around nothing", Refused, chunked("identity, chunked")),
        ("gzip around chunks", Closed, chunked("chunked, gzip")),
        ("chunks twice", Refused, message("transfer-encoding: chunked\r\ntransfer-encoding: chunked", &whole)),
        ("an unknown coding", Closed, chunked("xchunked")),
        ("a quoted coding", Closed, chunked("\"chunked\"")),
        ("a coding behind a control character", Closed, with_length("transfer-encoding: \x0bchunked")),
        ("identity with a length", Closed, with_length("transfer-encoding: identity")),
        ("chunks in capitals", Served, chunked("Chunked")),
        ("chunks in HTTP/1.0", Closed, chunked("chunked").replacen("HTTP/1.1", "HTTP/1.0", 1)),
        // Lines.
        ("a folded line", Closed, with_length("x-a: b\r\n content-length: 3")),
        ("a folded coding", Closed, with_length("transfer-encoding:\r\n chunked")),
        ("a lone CR in a value", Closed, with_length("x-a: b\rtransfer-encoding: chunked")),
        ("a NUL in a value", Closed, with_length("x-a: b\0c")),
        ("a space before the colon", Closed, message(&format!("content-length : {length}"), BODY)),
        ("a field without a name", Closed, with_length(": x")),
        ("a line without a colon", Closed, with_length("x")),
        ("a space before the method", Closed, format!(" {}", with_length("x: y"))),
        ("a space in the path", Closed, with_length("x: y").replacen("completions", "completions x", 1)),
        ("another version", Closed, with_length("x: y").replacen("HTTP/1.1", "HTTP/1.2", 1)),
        ("no version", Closed, format!("POST /v1/chat/completions\r\n{SECOND}")),
        ("empty lines before the request", Served, format!("\r\n\r\n{}", with_length("x: y"))),
        ("an upgrade to HTTP/2", Served, with_length("connection: upgrade\r\nupgrade: h2c")),
        // Chunks.
        ("a chunk with an extension", Served, chunked("chunked").replacen(&size, &format!("{size};a=b"), 1)),
        ("trailers", Served, chunked("chunked").replacen("\r\n0\r\n", "\r\n0\r\nauthorization: x\r\n", 1)),
        ("a chunk size that is none", Closed, sized("zz\r\n")),
        ("a negative chunk size", Closed, sized("-1\r\n")),
        ("a chunk size with a prefix", Closed, sized(&format!("0x{size}\r\n"))),
        ("a chunk size beyond numbers", Closed, sized(&format!("10000000000000000{size}\r\n"))),
        ("a chunk size that ends in LF", Closed, sized(&format!("{size}\n"))),
        ("a lone LF in an extension", Closed, sized(&format!("{size};\nxx\r\n"))),
        ("a chunk longer than it says", Closed, sized("3\r\n")),
        // Host.
        ("no host", Refused, with_length("x: y").replacen("host: localhost\r\n", "", 1)),
        ("two hosts", Refused, with_length("host: localhost")),
        ("two hosts in one", Refused, with_length("x: y").replacen("localhost", "localhost, evil.example", 1)),
        ("a host with a path", Refused, with_length("x: y").replacen("localhost", "localhost?/livez", 1)),
        ("a host with a user", Refused, with_length("x: y").replacen("localhost", "evil@localhost", 1)),
        ("an empty host", Refused, with_length("x: y").replacen("localhost", "", 1)),
        ("another host's URL", Refused, with_length("x: y").replacen("/v1", "http://evil.example/v1", 1)),
        ("this host's URL", Served, with_length("x: y").replacen("/v1", "http://localhost/v1", 1)),
        ("a tunnel", Refused, "CONNECT localhost:80 HTTP/1.1\r\nhost: localhost:80\r\n\r\n".to_owned()),
        ("no URL", Refused, "OPTIONS * HTTP/1.1\r\nhost: localhost\r\n\r\n".to_owned()),
    ]
}

#[tokio::test]
async fn no_message_ends_elsewhere_than_the_standard_says() {
    let hidden = message("content-length: 999\r\ntransfer-encoding: chunked", &format!("0\r\n\r\n{SECOND}"));
    hold([battery(), vec![("a request behind no chunks", Closed, hidden)]].concat()).await;
}

/// Here the body is on its way upstream before its end has come.
#[tokio::test]
async fn no_message_that_streams_through_does_either() {
    let streams = |message: String| {
        message.replace("chat/completions", "uploads").replace("application/json", "application/octet-stream")
    };
    hold(battery().into_iter().map(|(name, verdict, message)| (name, verdict, streams(message))).collect()).await;
}

async fn hold(battery: Vec<(&str, Verdict, String)>) {
    let upstream = Upstream::start(Script::json("200 OK", r#"{"id":"1","choices":[]}"#)).await;
    let proxy = Proxy::before(&upstream).await;
    for (name, verdict, message) in battery {
        let before = upstream.request_count();
        let mut client = Client::connect(proxy.address).await;
        client.send(&message).await;
        let response = client.response().await;
        let served = upstream.request_count() - before;
        match verdict {
            Served | ServedThenClosed => assert_eq!(response.status, 200, "{name}: {response:?}"),
            Refused | Closed => assert!((400..500).contains(&response.status), "{name}: {response:?}"),
        }
        assert_eq!(served, usize::from(response.status == 200), "{name}");
        if matches!(verdict, Closed | ServedThenClosed) {
            assert_eq!(client.read_to_end().await, "", "{name}: something was answered behind it");
        }
    }
    let smuggled = |received: &Received| received.body.windows(8).any(|window| window == b"smuggled");
    assert!(!upstream.received().iter().any(smuggled), "{:?}", upstream.received());
}
