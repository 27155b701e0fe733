//! Takes client connections and sees to it that none lasts longer than it should.
//!
//! `axum::serve` has no time limit of any kind, so the loop is our own: the number of connections is capped, each must say
//! something soon, is watched for its end, and is dropped, with all that it started, the moment the client has gone.

use std::io;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use socket2::{Domain, Socket, TcpKeepalive, Type};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio_rustls::TlsAcceptor;
use tokio_util::task::TaskTracker;

use super::connection::{ClientStream, closed};
use super::protocol::{Conversation, Protocol, converse};
use super::resumable::Streams;
use super::routes;
use super::shell::Shell;
use super::state::{Shutdown, State};
use super::websocket::Switch;
use crate::config::server::Server;
use crate::relay::guard::Peer;
use crate::stream_log::registry::Registry;

/// When the process is out of file descriptors, closing connections need a moment.
const ACCEPT_RETRY: Duration = Duration::from_millis(100);
/// How many connections may wait in the kernel's queue. It has a limit of its own, which is the one meant.
const BACKLOG: i32 = i32::MAX;
/// Between the deadline of a shutdown and the end of the last connection: the last words must get out.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// What all connections of a listener share.
struct Listening {
    config: Arc<Server>,
    tls: Option<TlsAcceptor>,
    shell: Shell,
}

/// Opens the listener, with the options that connections inherit from it: cheaper than setting them on each, and set before
/// the first can come.
///
/// # Errors
///
/// If the address cannot be had.
pub fn listen(config: &Server) -> io::Result<std::net::TcpListener> {
    let socket = Socket::new(Domain::for_address(config.listen), Type::STREAM, None)?;
    socket.set_reuse_address(true)?;
    socket.set_tcp_nodelay(true)?;
    socket.set_send_buffer_size(config.send_buffer_bytes)?;
    socket.set_tcp_keepalive(
        &TcpKeepalive::new().with_time(Duration::from_secs(15)).with_interval(Duration::from_secs(5)),
    )?;
    #[cfg(any(target_os = "linux", target_os = "android"))]
    socket.set_tcp_user_timeout(Some(config.tcp_user_timeout))?;
    socket.bind(&config.listen.into())?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}

/// Serves connections of `listener` until `shutdown`, then until the last response is out or the deadline is past.
///
/// `connections` caps them and may be shared with other workers of the process, as `registry` is, which knows the streams that
/// outlive their connections.
///
/// # Errors
///
/// If the listener's own socket fails.
pub async fn serve(
    listener: TcpListener,
    state: watch::Receiver<Arc<State>>,
    tls: Option<TlsAcceptor>,
    connections: Arc<Semaphore>,
    registry: Arc<Registry>,
    shutdown: Shutdown,
) -> io::Result<()> {
    let config = Arc::new(state.borrow().config.server.clone());
    let listen: IpAddr = listener.local_addr()?.ip();
    let streams = Streams::new(registry);
    let (router, peer) = (routes::router(), Peer::default());
    let switch = Switch::default();
    let shell = Shell { router, state, listen, peer, shutdown: shutdown.clone(), streams: streams.clone(), switch };
    let listening = Arc::new(Listening { config, tls, shell });
    let tasks = TaskTracker::new();
    loop {
        let accepted = tokio::select! {
            accepted = accept(&listener, &connections) => accepted,
            () = shutdown.draining.cancelled() => break,
        };
        let Some((socket, permit)) = accepted else { continue };
        let listening = Arc::clone(&listening);
        tasks.spawn(async move {
            serve_connection(socket, &listening).await;
            drop(permit);
        });
    }
    drop(listener);
    tasks.close();
    let forced = async {
        shutdown.deadline.cancelled().await;
        tokio::time::sleep(LAST_WORDS).await;
    };
    tokio::select! {
        // Connections first: while there are any, another stream may begin.
        () = async { tasks.wait().await; streams.end().await } => {}
        () = forced => {}
    }
    Ok(())
}

/// The next connection and its permit; `None` after a failure that the next one need not share.
async fn accept(
    listener: &TcpListener,
    connections: &Arc<Semaphore>,
) -> Option<(TcpStream, tokio::sync::OwnedSemaphorePermit)> {
    let permit = Arc::clone(connections).acquire_owned().await.ok()?;
    match listener.accept().await {
        Ok((socket, _)) => Some((socket, permit)),
        Err(error) => {
            // A connection that was reset before we took it is nobody's trouble.
            if !matches!(error.kind(), io::ErrorKind::ConnectionAborted | io::ErrorKind::ConnectionReset) {
                tracing::error!(%error, "cannot accept connections");
                tokio::time::sleep(ACCEPT_RETRY).await;
            }
            None
        }
    }
}

/// One connection, from its first byte until one of the two sides leaves. Dropping the conversation cancels everything in it.
async fn serve_connection(socket: TcpStream, listening: &Listening) {
    let socket = Arc::new(socket);
    tokio::select! {
        () = closed(&socket) => {}
        () = speak(&socket, listening) => {}
    }
}

async fn speak(socket: &Arc<TcpStream>, listening: &Listening) {
    let shell = Shell { peer: Peer::default(), switch: Switch::default(), ..listening.shell.clone() };
    let (switch, state) = (shell.switch.clone(), shell.state.clone());
    // Boxed: what a beginning takes, a handshake above all, the connection should not hold for ever.
    if let Some(conversation) = Box::pin(begin(socket, shell, listening)).await {
        conversation.await;
    }
    switch.proceed(state).await;
}

/// Finds out what the client speaks, and begins to speak it.
async fn begin(socket: &Arc<TcpStream>, shell: Shell, listening: &Listening) -> Option<Conversation> {
    let config = Arc::clone(&listening.config);
    let io = ClientStream::new(Arc::clone(socket), shell.peer.clone(), config.write_timeout);
    match &listening.tls {
        None => {
            let protocol = greet(Protocol::detect(socket), listening).await?;
            Some(converse(protocol, io, shell, config))
        }
        Some(tls) => {
            let io = greet(tls.accept(io), listening).await?;
            let protocol = Protocol::negotiated(io.get_ref().1.alpn_protocol());
            Some(converse(protocol, io, shell, config))
        }
    }
}

/// Gives a client the time it has for its first words. One that has said nothing when a shutdown begins loses nothing.
async fn greet<T>(words: impl Future<Output = io::Result<T>>, listening: &Listening) -> Option<T> {
    tokio::select! {
        words = tokio::time::timeout(listening.config.first_byte_timeout, words) => words.ok()?.ok(),
        () = listening.shell.shutdown.draining.cancelled() => None,
    }
}
