//! A model server that follows a script and notices when it is left.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use tokio::io::{AsyncReadExt, AsyncWriteExt, Interest};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use super::client::header;
use super::script::{Script, Step};
use super::soon;

/// A request as it arrived.
#[derive(Debug, Clone)]
pub struct Received {
    /// Request line and header lines.
    pub head: String,
    pub body: Bytes,
}

impl Received {
    /// The value of a header field, if it came.
    pub fn header(&self, name: &str) -> Option<&str> {
        header(&self.head, name)
    }
}

/// See the [module documentation](self). Everything of it ends when it is dropped.
pub struct Upstream {
    pub address: SocketAddr,
    shared: Arc<Shared>,
    requests: mpsc::UnboundedReceiver<Received>,
    departures: mpsc::UnboundedReceiver<()>,
    task: JoinHandle<()>,
}

#[derive(Default)]
struct Shared {
    reads_bodies: bool,
    accepted: AtomicUsize,
    connections: AtomicUsize,
    busy: AtomicUsize,
    requests: AtomicUsize,
    body_bytes_sent: AtomicU64,
    received: Mutex<Vec<Received>>,
}

impl Upstream {
    /// An upstream that answers every request with `script`.
    pub async fn start(script: Script) -> Self {
        Self::start_with(move |_| script.clone()).await
    }

    /// An upstream that follows the first of `scripts` for the first request, and so on.
    pub async fn in_turn(scripts: impl IntoIterator<Item = Script>) -> Self {
        let scripts: Mutex<VecDeque<_>> = Mutex::new(scripts.into_iter().collect());
        Self::start_with(move |_| scripts.lock().unwrap().pop_front().expect("a script for every request")).await
    }

    /// An upstream whose script depends on the request.
    pub async fn start_with(script: impl Fn(&Received) -> Script + Send + Sync + 'static) -> Self {
        Self::run(script, true).await
    }

    /// An upstream that answers every request with `script` and leaves its body unread.
    pub async fn start_without_reading(script: Script) -> Self {
        Self::run(move |_| script.clone(), false).await
    }

    async fn run(script: impl Fn(&Received) -> Script + Send + Sync + 'static, reads_bodies: bool) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let shared = Arc::new(Shared { reads_bodies, ..Shared::default() });
        let (request_sender, requests) = mpsc::unbounded_channel();
        let (departure_sender, departures) = mpsc::unbounded_channel();
        let (script, state) = (Arc::new(script), Arc::clone(&shared));
        let task = tokio::spawn(async move {
            let mut connections = tokio::task::JoinSet::new();
            while let Ok((socket, _)) = listener.accept().await {
                socket.set_nodelay(true).unwrap();
                let (script, state) = (Arc::clone(&script), Arc::clone(&state));
                state.accepted.fetch_add(1, Ordering::SeqCst);
                let (requests, departures) = (request_sender.clone(), departure_sender.clone());
                connections.spawn(async move {
                    state.connections.fetch_add(1, Ordering::SeqCst);
                    let left = serve(socket, &*script, &state, &requests).await;
                    state.connections.fetch_sub(1, Ordering::SeqCst);
                    if left {
                        let _ = departures.send(());
                    }
                });
            }
        });
        Self { address, shared, requests, departures, task }
    }

    /// The base URL for a provider.
    pub fn url(&self) -> String {
        format!("http://{}/v1", self.address)
    }

    /// Waits for the next request.
    pub async fn request(&mut self) -> Received {
        soon("a request to the upstream", self.requests.recv()).await.expect("the upstream runs")
    }

    /// Waits until the peer leaves in the middle of a script.
    pub async fn abandoned(&mut self) {
        soon("a disconnect at the upstream", self.departures.recv()).await.expect("the upstream runs");
    }

    /// Whether the peer has left in the middle of a script since last asked.
    pub fn was_abandoned(&mut self) -> bool {
        self.departures.try_recv().is_ok()
    }

    /// How many requests have come.
    pub fn request_count(&self) -> usize {
        self.shared.requests.load(Ordering::SeqCst)
    }

    /// Every request that has come.
    pub fn received(&self) -> Vec<Received> {
        self.shared.received.lock().unwrap().clone()
    }

    /// How many connections have ever been made.
    pub fn accepted_count(&self) -> usize {
        self.shared.accepted.load(Ordering::SeqCst)
    }

    /// How many connections are open.
    pub fn connection_count(&self) -> usize {
        self.shared.connections.load(Ordering::SeqCst)
    }

    /// How many requests are in the middle of their script.
    pub fn busy_count(&self) -> usize {
        self.shared.busy.load(Ordering::SeqCst)
    }

    /// Body bytes that the kernel has taken so far.
    pub fn bytes_sent(&self) -> u64 {
        self.shared.body_bytes_sent.load(Ordering::SeqCst)
    }
}

/// A base URL at which nobody listens.
pub fn nowhere() -> String {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    format!("http://{}/v1", listener.local_addr().unwrap())
}

impl Drop for Upstream {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Serves one connection; true if the peer left in the middle of a script.
async fn serve(
    mut socket: TcpStream,
    script: &(impl Fn(&Received) -> Script + ?Sized),
    shared: &Shared,
    requests: &mpsc::UnboundedSender<Received>,
) -> bool {
    while let Some(request) = read_request(&mut socket, shared.reads_bodies).await {
        shared.requests.fetch_add(1, Ordering::SeqCst);
        shared.received.lock().unwrap().push(request.clone());
        let steps = script(&request).0;
        let _ = requests.send(request);
        shared.busy.fetch_add(1, Ordering::SeqCst);
        let next = play_all(steps, &mut socket, shared).await;
        shared.busy.fetch_sub(1, Ordering::SeqCst);
        match next {
            Next::Step => {}
            Next::Left => return true,
            Next::End => return false,
        }
    }
    false
}

enum Next {
    Step,
    /// The peer left.
    Left,
    /// We did.
    End,
}

async fn play_all(steps: Vec<Step>, socket: &mut TcpStream, shared: &Shared) -> Next {
    for step in steps {
        match play(step, socket, shared).await {
            Next::Step => {}
            end => return end,
        }
    }
    Next::Step
}

async fn play(step: Step, socket: &mut TcpStream, shared: &Shared) -> Next {
    match step {
        Step::Raw(bytes) => write(socket, &bytes, 0, shared).await,
        Step::Chunk(bytes) => write(socket, &chunk(&bytes), bytes.len(), shared).await,
        Step::Repeat(bytes, count) => {
            let piece = chunk(&bytes);
            for _ in 0..count {
                if let Next::Left = write(socket, &piece, bytes.len(), shared).await {
                    return Next::Left;
                }
            }
            Next::Step
        }
        Step::Wait(time) => tokio::select! {
            () = tokio::time::sleep(time) => Next::Step,
            () = left(socket) => Next::Left,
        },
        Step::Cue(cue) => tokio::select! {
            () = cue.notified() => Next::Step,
            () = left(socket) => Next::Left,
        },
        Step::Drain => {
            let _ = tokio::io::copy(socket, &mut tokio::io::sink()).await;
            Next::Left
        }
        Step::Hang => {
            left(socket).await;
            Next::Left
        }
        Step::Close => Next::End,
        Step::Reset => {
            socket2::SockRef::from(&*socket).set_linger(Some(Duration::ZERO)).unwrap();
            Next::End
        }
    }
}

fn chunk(bytes: &[u8]) -> Bytes {
    [format!("{:x}\r\n", bytes.len()).as_bytes(), bytes, b"\r\n"].concat().into()
}

async fn write(socket: &mut TcpStream, bytes: &[u8], body_bytes: usize, shared: &Shared) -> Next {
    match socket.write_all(bytes).await {
        Ok(()) => {
            shared.body_bytes_sent.fetch_add(body_bytes as u64, Ordering::SeqCst);
            Next::Step
        }
        Err(_) => Next::Left,
    }
}

/// Waits until the peer closes; what it sends meanwhile waits in the kernel.
async fn left(socket: &TcpStream) {
    let _ = socket.ready(Interest::PRIORITY | Interest::ERROR).await;
}

async fn read_request(socket: &mut TcpStream, reads_body: bool) -> Option<Received> {
    let mut bytes = Vec::new();
    let end = loop {
        if let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
            break end + 4;
        }
        if socket.read_buf(&mut bytes).await.ok()? == 0 {
            return None;
        }
    };
    let head = String::from_utf8(bytes[..end].to_vec()).unwrap();
    let mut request = Received { head, body: Bytes::new() };
    let mut body = bytes.split_off(end);
    if !reads_body {
        return Some(request);
    }
    if let Some(length) = request.header("content-length") {
        let length: usize = length.parse().unwrap();
        while body.len() < length {
            if socket.read_buf(&mut body).await.ok()? == 0 {
                return None;
            }
        }
    } else if request.header("transfer-encoding").is_some() {
        while !body.ends_with(b"0\r\n\r\n") {
            if socket.read_buf(&mut body).await.ok()? == 0 {
                return None;
            }
        }
    }
    request.body = body.into();
    Some(request)
}
