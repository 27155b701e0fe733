//! A stream is known to all workers.

use std::sync::Arc;
use std::thread::{self, JoinHandle};

use sluicegate::app::App;
use sluicegate::config::Config;
use sluicegate::http::{self, Shutdown};
use tokio::net::TcpStream;
use tokio::sync::{Notify, watch};

use super::{body, cued, events, name, resumable, store};
use crate::support::{Client, Tongue, Upstream, provider, with_header};

/// A worker of `app` on a thread of its own, and its own port.
pub(super) fn worker(app: &App, shutdown: &Shutdown) -> (std::net::SocketAddr, JoinHandle<()>) {
    let mut server = Config::for_testing().server;
    server.listen.set_port(0);
    let listener = http::listen(&server).unwrap();
    let address = listener.local_addr().unwrap();
    let (app, shutdown) = (app.clone(), shutdown.clone());
    let thread = thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(app.run(listener, shutdown)).unwrap();
    });
    (address, thread)
}

#[tokio::test]
async fn a_stream_that_began_on_one_worker_is_followed_and_stopped_on_another() {
    let cue = Arc::<Notify>::default();
    let script = cued(Tongue::Chat, &["eins", "zwei", "drei"], &cue);
    let mut upstream = Upstream::start(script).await;
    let mut config = Config::for_testing();
    config.providers.push(provider("upstream", &upstream.url()));
    let _store = store(&mut config).await;
    let (_config, receiver) = watch::channel(Arc::new(config));
    let (app, shutdown) = (App::new(receiver).unwrap(), Shutdown::default());
    let ((here, one), (there, two)) = (worker(&app, &shutdown), worker(&app, &shutdown));

    let mut first = Client::connect(here).await;
    first.send(&resumable(Tongue::Chat)).await;
    cue.notify_one();
    first.read_until("eins").await;
    let stream = name(&first);
    let mut second = Client::connect(there).await;
    let get = format!("GET /v1/streams/{stream} HTTP/1.1\r\nhost: localhost\r\n\r\n");
    second.send(&with_header(&get, &format!("last-event-id: {stream}:2"))).await;
    second.read_until("\r\n\r\n").await;
    drop(first);
    cue.notify_one();
    second.read_until("zwei").await;
    assert_eq!(events(&body(&second))[0].id, format!("{stream}:3"));
    let mut third = Client::connect(there).await;
    third.send(&format!("DELETE /v1/streams/{stream} HTTP/1.1\r\nhost: localhost\r\n\r\n")).await;
    third.read_until("HTTP/1.1 204").await;
    upstream.abandoned().await;
    second.read_until("stream_stopped").await;

    shutdown.draining.cancel();
    shutdown.deadline.cancel();
    drop((second, third));
    for thread in [one, two] {
        tokio::task::spawn_blocking(|| thread.join().unwrap()).await.unwrap();
    }
    assert!(TcpStream::connect(here).await.is_err());
}
