//! A token's way from the upstream's connection through the response body.

use std::future::poll_fn;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::thread;

use bytes::Bytes;
use http::{HeaderMap, Method};
use sluicegate::config::Config;
use sluicegate::dialect::{OpenAiChat, Path};
use sluicegate::upstream::{self, OpenStream, Policy, Question, Route, UpstreamRequest};
use tokio::runtime::Builder;
use tokio::time::Instant;

use super::{Case, frames, stream};

pub(super) const CASES: &[Case] = &[
    Case { name: "connection/a token", set_up: || pass_on(&[frames::token()]) },
    Case { name: "connection/16 KiB of tokens", set_up: || pass_on(&frames::tokens()) },
];

pub(super) const HEAD: &[u8] =
    b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n";

/// `pieces` in one write of the upstream.
fn pass_on(pieces: &[Bytes]) -> Box<dyn FnMut()> {
    let written = frames::in_chunks(pieces);
    let runtime = Builder::new_current_thread().enable_all().build().expect("the kernel has descriptors left");
    let listener = TcpListener::bind("127.0.0.1:0").expect("the kernel has ports left");
    let url = format!("http://{}/v1", listener.local_addr().expect("it is bound"));
    let upstream = thread::spawn(move || begin(&listener));
    let mut body = runtime.block_on(async { stream::relay(open(url).await) });
    let mut upstream = upstream.join().expect("it has begun to answer");
    Box::new(move || {
        upstream.write_all(&written).expect("all of it is read");
        runtime.block_on(poll_fn(|cx| stream::poll_read(&mut body, cx)));
    })
}

/// Takes a request and begins an answer.
pub(super) fn begin(listener: &TcpListener) -> TcpStream {
    let (mut connection, _) = listener.accept().expect("somebody connects");
    let _ = connection.read(&mut [0; 1024]).expect("a request comes");
    connection.write_all(&[HEAD, &frames::in_chunks(&[frames::token()])].concat()).expect("somebody reads");
    connection
}

async fn open(url: String) -> OpenStream {
    let request = UpstreamRequest {
        dialect: &OpenAiChat,
        method: Method::POST,
        path: Path::Fixed("/chat/completions".to_owned()),
        headers: HeaderMap::new(),
        body: Bytes::from_static(b"{}"),
        model_span: 0..0,
    };
    let config = Config::for_testing();
    let route = Route::to(stream::target(url), Arc::new(Policy::new(&config, Arc::default())));
    let question = Question { client: &OpenAiChat, route, session: None, request, expected_ends: 1, translation: None };
    upstream::open_stream(question, config.stream, Instant::now()).await.expect("it has begun")
}
