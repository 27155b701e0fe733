//! Both ends of HTTP/2, stream by stream: a client that reads what the test tells it to, an upstream that sees streams reset.

use std::future::poll_fn;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::{Bytes, BytesMut};
use h2::{Reason, RecvStream, SendStream, client, server};
use http::{HeaderMap, Request, Response};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::script::{DONE, FINISH, ROLE, token};
use super::{chat, soon};

/// A connection with prior knowledge. Dropping it closes it.
pub struct Http2Client {
    requests: client::SendRequest<Bytes>,
    frozen: CancellationToken,
    connection: JoinHandle<()>,
}

impl Http2Client {
    /// Connects. Each stream may have the default 64 KiB under way, whatever the others have.
    pub async fn connect(address: SocketAddr) -> Self {
        Self::connect_with(address, 64 * 1024).await
    }

    /// Connects. Each stream may have `window` bytes under way.
    pub async fn connect_with(address: SocketAddr, window: u32) -> Self {
        let socket = TcpStream::connect(address).await.unwrap();
        socket.set_nodelay(true).unwrap();
        let mut builder = client::Builder::new();
        builder.initial_window_size(window).initial_connection_window_size(1 << 30);
        let (requests, connection) = builder.handshake(socket).await.unwrap();
        let frozen = CancellationToken::new();
        let freezing = frozen.clone().cancelled_owned();
        let connection = tokio::spawn(async move {
            tokio::pin!(connection);
            tokio::select! {
                _ = &mut connection => {}
                () = freezing => std::future::pending().await,
            }
        });
        Self { requests, frozen, connection }
    }

    /// Stops to read and write anything, and stays connected.
    pub fn freeze(&self) {
        self.frozen.cancel();
    }

    /// Sends the usual chat request, which the log will know as `id`.
    pub async fn chat(&mut self, id: &str) -> Http2Request {
        self.post("/v1/chat/completions", id, chat(true)).await
    }

    /// Posts JSON.
    pub async fn post(&mut self, path: &str, id: &str, body: impl Into<Bytes>) -> Http2Request {
        let head = Request::post(format!("http://localhost{path}"))
            .header("content-type", "application/json")
            .header("x-request-id", id);
        let requests = self.requests.clone();
        let mut requests = soon("room for a stream", requests.ready()).await.unwrap();
        let (response, mut sender) = requests.send_request(head.body(()).unwrap(), false).unwrap();
        sender.send_data(body.into(), true).unwrap();
        Http2Request(response)
    }
}

impl Drop for Http2Client {
    fn drop(&mut self) {
        self.connection.abort();
    }
}

/// A request without its response yet. Dropping it resets the stream.
pub struct Http2Request(client::ResponseFuture);

impl Http2Request {
    /// Waits for the response head.
    pub async fn answer(self) -> Http2Answer {
        let response = soon("a response head", self.0).await.unwrap();
        let (head, body) = response.into_parts();
        Http2Answer { headers: head.headers, body, received: BytesMut::new() }
    }
}

/// A response body, read as far as the test wants. Dropping it resets the stream.
pub struct Http2Answer {
    pub headers: HeaderMap,
    body: RecvStream,
    received: BytesMut,
}

impl Http2Answer {
    /// Reads the next piece, and lets the other side send as much again. `None` at the end.
    pub async fn read(&mut self) -> Option<Result<usize, h2::Error>> {
        let data = match soon("a piece of the body", self.body.data()).await? {
            Ok(data) => data,
            Err(error) => return Some(Err(error)),
        };
        self.received.extend_from_slice(&data);
        let _ = self.body.flow_control().release_capacity(data.len());
        Some(Ok(data.len()))
    }

    /// Reads until `text` has come.
    pub async fn read_until(&mut self, text: &str) {
        while !self.text().contains(text) {
            self.read().await.expect("not the end yet").unwrap();
        }
    }

    /// Reads until the stream ends, with its reason if that is a reset.
    pub async fn read_to_end(&mut self) -> Result<String, Option<Reason>> {
        while let Some(piece) = self.read().await {
            piece.map_err(|error| error.reason())?;
        }
        Ok(self.text())
    }

    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.received).into_owned()
    }
}

/// A model server that speaks HTTP/2 and leaves it to the test what to answer. Everything of it ends when it is dropped.
pub struct Http2Upstream {
    pub address: SocketAddr,
    counts: Arc<Counts>,
    exchanges: mpsc::UnboundedReceiver<Http2Exchange>,
    task: JoinHandle<()>,
}

#[derive(Default)]
struct Counts {
    accepted: AtomicUsize,
    open: AtomicUsize,
}

impl Http2Upstream {
    pub async fn start() -> Self {
        Self::start_with(server::Builder::new()).await
    }

    /// One that allows so many streams on a connection.
    pub async fn with_max_streams(max: u32) -> Self {
        let mut builder = server::Builder::new();
        builder.max_concurrent_streams(max);
        Self::start_with(builder).await
    }

    async fn start_with(builder: server::Builder) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (sender, exchanges) = mpsc::unbounded_channel();
        let counts = Arc::<Counts>::default();
        let counting = Arc::clone(&counts);
        let task = tokio::spawn(async move {
            let mut connections = tokio::task::JoinSet::new();
            while let Ok((socket, _)) = listener.accept().await {
                socket.set_nodelay(true).unwrap();
                let (sender, builder, counts) = (sender.clone(), builder.clone(), Arc::clone(&counting));
                let number = counts.accepted.fetch_add(1, Ordering::SeqCst);
                counts.open.fetch_add(1, Ordering::SeqCst);
                connections.spawn(async move {
                    if let Ok(mut connection) = builder.handshake(socket).await {
                        while let Some(Ok((request, responder))) = connection.accept().await {
                            let _ = sender.send(Http2Exchange { connection: number, request, responder, body: None });
                        }
                    }
                    counts.open.fetch_sub(1, Ordering::SeqCst);
                });
            }
        });
        Self { address, counts, exchanges, task }
    }

    /// How many connections there have been.
    pub fn accepted_count(&self) -> usize {
        self.counts.accepted.load(Ordering::SeqCst)
    }

    /// How many connections are open.
    pub fn connection_count(&self) -> usize {
        self.counts.open.load(Ordering::SeqCst)
    }

    /// The base URL for a provider.
    pub fn url(&self) -> String {
        format!("http://{}/v1", self.address)
    }

    /// Waits for the next request.
    pub async fn request(&mut self) -> Http2Exchange {
        soon("a request to the upstream", self.exchanges.recv()).await.expect("the upstream runs")
    }

    /// Waits for so many.
    pub async fn requests(&mut self, count: usize) -> Vec<Http2Exchange> {
        let mut exchanges = Vec::new();
        while exchanges.len() < count {
            exchanges.push(self.request().await);
        }
        exchanges
    }

    /// Whether a request has come that nobody has looked at.
    pub fn has_request(&self) -> bool {
        !self.exchanges.is_empty()
    }
}

impl Drop for Http2Upstream {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// A request at the upstream, and its answer as far as it has been given.
pub struct Http2Exchange {
    /// Which connection it came over, counted from 0.
    pub connection: usize,
    pub request: Request<RecvStream>,
    responder: server::SendResponse<Bytes>,
    body: Option<SendStream<Bytes>>,
}

impl Http2Exchange {
    /// Sends a piece of an event stream; before the first, the response head.
    pub fn send(&mut self, piece: impl Into<Bytes>) {
        self.try_send(piece).unwrap();
    }

    /// The same on a stream that may have been reset.
    pub fn try_send(&mut self, piece: impl Into<Bytes>) -> Result<(), h2::Error> {
        if self.body.is_none() {
            let head = Response::builder().header("content-type", "text/event-stream").body(()).unwrap();
            self.body = Some(self.responder.send_response(head, false)?);
        }
        self.body.as_mut().unwrap().send_data(piece.into(), false)
    }

    /// Sends a whole, well-behaved stream.
    pub fn answer(mut self, text: &str) {
        self.send([ROLE, &token(text), FINISH, DONE].concat());
        self.end();
    }

    /// Ends the event stream.
    pub fn end(mut self) {
        self.body.take().unwrap().send_data(Bytes::new(), true).unwrap();
    }

    /// Waits until the peer resets the stream; not if its connection closes.
    pub async fn was_reset(&mut self) -> Reason {
        let reset = poll_fn(|cx| match &mut self.body {
            Some(body) => body.poll_reset(cx),
            None => self.responder.poll_reset(cx),
        });
        soon("a reset of the stream", reset).await.unwrap()
    }
}
