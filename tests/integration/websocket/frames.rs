//! Frames, good and bad.

use std::time::Duration;

use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::protocol::Role;

use futures_util::StreamExt;
use tokio_tungstenite::tungstenite::Message;

use super::{proxy, proxy_configured};
use crate::support::websocket::frame;
use crate::support::{Tongue, Upstream, WebSocket, sockets, soon};

const FIN: u8 = 0x80;
const CONTINUATION: u8 = 0;
const TEXT: u8 = 1;
const PING: u8 = 9;
const PONG: u8 = 10;

/// Reads until the connection ends: the texts, and the code of the close frame.
async fn rest(socket: TcpStream) -> (Vec<String>, Option<u16>) {
    let mut socket = WebSocketStream::from_raw_socket(socket, Role::Client, None).await;
    let (mut texts, mut code) = (Vec::new(), None);
    let reading = async {
        while let Some(Ok(message)) = socket.next().await {
            match message {
                Message::Text(text) => texts.push(text.to_string()),
                Message::Close(frame) => code = frame.map(|frame| frame.code.into()),
                _ => {}
            }
        }
    };
    soon("the end of the connection", reading).await;
    (texts, code)
}

#[tokio::test]
async fn a_message_may_come_in_fragments_with_pings_between_them_and_byte_by_byte() {
    let upstream = Upstream::start(Tongue::Chat.stream(&["eins"])).await;
    let proxy = proxy(&upstream, Tongue::Chat).await;
    let mut socket = WebSocket::connect(&proxy).await.into_raw();
    socket.set_nodelay(true).unwrap();
    let (first, last) = br#"{"type":"response.create","model":"m","input":"hi"}"#.split_at(20);
    let bytes = [
        frame(PONG | FIN, b"unasked"),
        frame(TEXT, first),
        frame(PING | FIN, b"are you there"),
        frame(CONTINUATION | FIN, last),
    ];
    for byte in bytes.concat() {
        socket.write_all(&[byte]).await.unwrap();
    }
    let mut socket = WebSocketStream::from_raw_socket(socket, Role::Client, None).await;
    let pong = soon("a pong", socket.next()).await.unwrap().unwrap();
    assert_eq!(pong, Message::Pong((&b"are you there"[..]).into()));
    let first = soon("an event", socket.next()).await.unwrap().unwrap();
    assert!(first.to_text().unwrap().contains("response.created"));
}

#[tokio::test]
async fn what_is_no_frame_ends_the_connection_with_a_reason() {
    let unmasked = [&[TEXT | FIN, 2][..], b"{}"].concat();
    for (bytes, expected) in [
        (unmasked, 1002),
        (frame(0x83, b"reserved"), 1002),
        (frame(0xC1, b"reserved bit"), 1002),
        (frame(CONTINUATION | FIN, b"of nothing"), 1002),
        (frame(PING, b"in pieces"), 1002),
        (frame(TEXT | FIN, b"\xff\xfe"), 1007),
        (vec![b'G'; 4096], 1002),
    ] {
        let mut upstream =
            Upstream::start(Tongue::Chat.head().send(Tongue::Chat.begin() + &Tongue::Chat.text("eins")).hang()).await;
        let proxy = proxy(&upstream, Tongue::Chat).await;
        let mut client = WebSocket::connect(&proxy).await;
        client.create(serde_json::json!({})).await;
        client.until("response.created").await;
        let id = client.request_id();
        let mut socket = client.into_raw();
        socket.write_all(&bytes).await.unwrap();
        assert_eq!(rest(socket).await.1, Some(expected), "{bytes:?}");
        upstream.abandoned().await;
        assert_eq!(proxy.log_line(&id).await["outcome"], "rejected");
    }
}

#[tokio::test]
async fn a_message_that_is_too_large_ends_the_connection_before_it_has_come() {
    let upstream = Upstream::start(Tongue::Chat.stream(&[])).await;
    let limit = |config: &mut sluicegate::config::Config| config.server.max_body_bytes = 1000;
    let proxy = proxy_configured(&upstream, Tongue::Chat, limit).await;
    // At once, and in fragments each of which would do.
    for bytes in
        [frame(TEXT | FIN, &[b'x'; 1001]), [frame(TEXT, &[b'x'; 600]), frame(CONTINUATION, &[b'x'; 600])].concat()]
    {
        let mut socket = WebSocket::connect(&proxy).await.into_raw();
        socket.write_all(&bytes).await.unwrap();
        assert_eq!(rest(socket).await.1, Some(1009));
    }
}

#[tokio::test]
async fn who_goes_on_talking_behind_an_error_is_not_listened_to_for_ever() {
    let upstream = Upstream::start(Tongue::Chat.stream(&[])).await;
    let proxy = proxy(&upstream, Tongue::Chat).await;
    let mut socket = WebSocket::connect(&proxy).await.into_raw();
    let talking = async { while socket.write_all(&[0xff; 4096]).await.is_ok() {} };
    soon("the end of the connection", talking).await;
    proxy.has_no_connection().await;
}

#[tokio::test]
async fn a_flood_of_refusals_that_nobody_reads_is_not_kept() {
    let upstream = Upstream::start(Tongue::Chat.stream(&[])).await;
    let proxy = proxy(&upstream, Tongue::Chat).await;
    let mut socket = WebSocket::connect(&proxy).await.into_raw();
    // Soon full; what is sent must find more room than the proxy takes beforehand.
    socket2::SockRef::from(&socket).set_recv_buffer_size(16 * 1024).unwrap();
    let pings = [frame(TEXT | FIN, b"{"), frame(PING | FIN, &[b'x'; 125])].concat().repeat(1000);
    let port = proxy.address.port();
    let unread = || sockets::of_port(port).iter().find(|end| end.local_port == port).map_or(0, |end| end.receiving);
    // Until the proxy leaves unread what comes, because its own words are not read.
    let stuck = async {
        let mut before = 0;
        loop {
            let write = tokio::time::timeout(Duration::from_millis(300), socket.write(&pings)).await;
            let now = unread();
            if write.is_err() && now > 0 && now == before {
                return;
            }
            before = now;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), stuck).await.expect("an end of reading");
    drop(socket);
    proxy.has_no_connection().await;
}
