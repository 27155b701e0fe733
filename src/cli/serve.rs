//! The process: its threads, its signals, its end.
//!
//! Each worker is a thread with a runtime of its own, and a client's connection, its upstream connection and everything
//! between stay on one worker: no token crosses a thread. All workers accept from one socket, so whichever is idle takes the
//! next connection.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use tokio::runtime::{Builder, Runtime};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::{oneshot, watch};

use super::{banner, reload, say};
use crate::app::App;
use crate::config::provider::{BaseUrl, Origin, Provider};
use crate::config::{Config, Sources};
use crate::http::{self, Shutdown};
use crate::telemetry::{lines, logging};

/// Runs the proxy until it is told to stop.
pub(super) fn serve(sources: Sources) -> Result<(), String> {
    let demo = Demo::default();
    let config = Arc::new(demo.complete(&sources)?);
    logging::init(&config.log);
    // Every stream takes two file descriptors; the usual soft limit is meant for programs that use a few.
    if let Err(error) = rlimit::increase_nofile_limit(u64::MAX) {
        tracing::warn!(%error, "the limit of open files stays as it is");
    }
    let runtime = runtime()?;
    // Before anybody can know of us: a signal that nobody waits for would end the process.
    let signals = Signals::catch(&runtime)?;
    let listener = http::listen(&config.server).map_err(|error| refused(config.server.listen, &error))?;
    let address = listener.local_addr().map_err(|error| error.to_string())?;
    let (sender, receiver) = watch::channel(Arc::clone(&config));
    let app = App::new(receiver).map_err(|error| error.to_string())?;
    let shutdown = Shutdown::default();
    let workers = start_workers(&app, &listener, &shutdown, count(config.server.workers))?;
    drop(listener);
    say(&banner::lines(&config, address));
    runtime.block_on(supervise(sources, demo, sender, shutdown, workers, signals))
}

/// Runs only the demo upstream.
pub(super) fn demo(listen: SocketAddr) -> Result<(), String> {
    let listener = bind(listen)?;
    say(&format!("demo upstream on http://{}/v1", listener.local_addr().map_err(|error| error.to_string())?));
    runtime()?.block_on(run_demo(listener)).map_err(|error| error.to_string())
}

fn bind(listen: SocketAddr) -> Result<TcpListener, String> {
    TcpListener::bind(listen).map_err(|error| refused(listen, &error))
}

fn refused(listen: SocketAddr, error: &io::Error) -> String {
    format!("cannot listen on {listen}: {error}")
}

fn runtime() -> Result<Runtime, String> {
    Builder::new_current_thread().enable_all().build().map_err(|error| format!("cannot start a runtime: {error}"))
}

/// The runtime of a worker, which logs when it has nothing better to do.
fn worker_runtime() -> Result<Runtime, String> {
    lines::hold();
    let runtime = Builder::new_current_thread().enable_all().on_thread_park(lines::release).build();
    runtime.map_err(|error| format!("cannot start a runtime: {error}"))
}

fn count(workers: usize) -> usize {
    if workers > 0 { workers } else { thread::available_parallelism().map_or(1, usize::from) }
}

/// Starts the workers. What comes out says how the last of them ended, or the first that failed.
fn start_workers(
    app: &App,
    listener: &TcpListener,
    shutdown: &Shutdown,
    count: usize,
) -> Result<oneshot::Receiver<Result<(), String>>, String> {
    let (ended, end) = oneshot::channel();
    let ended = Arc::new(std::sync::Mutex::new(Some(ended)));
    let running = Arc::new(AtomicUsize::new(count));
    for number in 0..count {
        let (app, shutdown, running, ended) = (app.clone(), shutdown.clone(), Arc::clone(&running), Arc::clone(&ended));
        let listener = listener.try_clone().map_err(|error| error.to_string())?;
        let work = move || {
            let result = worker_runtime().and_then(|runtime| {
                runtime.block_on(app.run(listener, shutdown)).map_err(|error| format!("worker {number}: {error}"))
            });
            lines::release();
            let is_last = running.fetch_sub(1, Ordering::AcqRel) == 1;
            if (is_last || result.is_err())
                && let Some(ended) = ended.lock().ok().and_then(|mut ended| ended.take())
            {
                // Nobody listens any more once the process is on its way out.
                let _ = ended.send(result);
            }
        };
        thread::Builder::new().name(format!("worker-{number}")).spawn(work).map_err(|error| error.to_string())?;
    }
    Ok(end)
}

/// The signals that mean something to us.
struct Signals {
    hangup: Signal,
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    /// From now on they wait for us to look.
    fn catch(runtime: &Runtime) -> Result<Self, String> {
        let _context = runtime.enter();
        let signal = |kind| signal(kind).map_err(|error| format!("cannot wait for signals: {error}"));
        Ok(Self {
            hangup: signal(SignalKind::hangup())?,
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
        })
    }
}

/// Waits for signals, and for the workers to end.
async fn supervise(
    sources: Sources,
    demo: Demo,
    config: watch::Sender<Arc<Config>>,
    shutdown: Shutdown,
    mut workers: oneshot::Receiver<Result<(), String>>,
    Signals { mut hangup, mut terminate, mut interrupt }: Signals,
) -> Result<(), String> {
    let hung_up = async || {
        hangup.recv().await;
    };
    tokio::select! {
        result = &mut workers => return end_of(result),
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
        () = reload::reload(&sources, &demo, hung_up, &config) => {}
    }
    let drain_timeout = config.borrow().server.drain_timeout;
    tracing::info!("shutting down; running streams have {}", humantime::format_duration(drain_timeout));
    shutdown.draining.cancel();
    let deadline = async {
        tokio::time::sleep(drain_timeout).await;
        shutdown.deadline.cancel();
        std::future::pending::<()>().await;
    };
    tokio::select! {
        result = &mut workers => end_of(result),
        () = deadline => Ok(()),
        _ = terminate.recv() => Err("ended at once by a second signal".to_owned()),
        _ = interrupt.recv() => Err("ended at once by a second signal".to_owned()),
    }
}

fn end_of(result: Result<Result<(), String>, oneshot::error::RecvError>) -> Result<(), String> {
    result.unwrap_or_else(|_| Err("a worker ended unexpectedly".to_owned()))
}

/// The demo upstream, which stands in while no provider is configured.
#[derive(Debug, Default)]
pub(super) struct Demo(std::sync::OnceLock<Result<SocketAddr, String>>);

impl Demo {
    /// Loads the configuration, and makes the demo upstream its provider if it has none.
    pub(super) fn complete(&self, sources: &Sources) -> Result<Config, String> {
        let mut config = sources.load().map_err(|error| error.to_string())?;
        if config.providers.is_empty() {
            let address = self.0.get_or_init(start_demo).clone()?;
            let url = BaseUrl::try_from(format!("http://{address}/v1"))?;
            config.providers.push(Provider::compatible("demo", url, Origin::Demo));
        }
        Ok(config)
    }
}

/// Starts the demo upstream on a free port of this machine, on a thread of its own: it is somebody else's server.
fn start_demo() -> Result<SocketAddr, String> {
    let listener = bind(SocketAddr::from(([127, 0, 0, 1], 0)))?;
    let address = listener.local_addr().map_err(|error| error.to_string())?;
    let runtime = runtime()?;
    let serve = move || {
        if let Err(error) = runtime.block_on(run_demo(listener)) {
            tracing::error!(%error, "the demo upstream has ended");
        }
    };
    thread::Builder::new().name("demo-upstream".to_owned()).spawn(serve).map_err(|error| error.to_string())?;
    Ok(address)
}

async fn run_demo(listener: TcpListener) -> io::Result<()> {
    listener.set_nonblocking(true)?;
    crate::demo::serve(tokio::net::TcpListener::from_std(listener)?).await
}
