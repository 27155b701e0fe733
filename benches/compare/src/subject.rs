//! What is compared, how each is started, and that it is stopped.

use std::fs::{self, File};
use std::io;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use tokio::time::timeout;

use crate::client::Client;
use crate::clock::now_ns;
use crate::http::bad;
use crate::process::{Cores, Family, pin};
use crate::script::Script;

#[derive(Clone, Debug)]
pub enum Kind {
    /// No proxy: what the generator and the kernel cost by themselves.
    Direct,
    Nginx,
    Sluicegate,
}

#[derive(Clone, Debug)]
pub struct Subject {
    pub name: String,
    pub kind: Kind,
    pub binary: PathBuf,
    /// What differs from its defaults, as environment variables.
    pub settings: Vec<(String, String)>,
    /// A `redis-server` that it keeps its streams in, started afresh with it.
    pub redis: Option<PathBuf>,
}

/// A process that does not outlive its handle.
pub struct Running {
    child: Child,
}

impl Running {
    fn spawn(command: &mut Command, cores: Option<Cores>) -> io::Result<Self> {
        // A process starts out on the cores of the one that starts it.
        cores.map_or(Ok(()), |cores| pin(cores.proxy))?;
        let child = command.spawn();
        cores.map_or(Ok(()), |cores| pin(cores.generator))?;
        let name = command.get_program().display();
        child.map(|child| Self { child }).map_err(|error| bad(format!("cannot start {name}: {error}")))
    }

    pub fn child(&mut self) -> &mut Child {
        &mut self.child
    }

    pub fn family(&self) -> io::Result<Family> {
        Family::of(self.child.id())
    }

    fn wait(&mut self, limit: Duration) -> bool {
        let start = Instant::now();
        while start.elapsed() < limit {
            if !matches!(self.child.try_wait(), Ok(None)) {
                return true;
            }
            sleep(Duration::from_millis(2));
        }
        false
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if !matches!(self.child.try_wait(), Ok(None)) {
            return;
        }
        let family = self.family();
        signal(self.child.id(), Signal::TERM);
        if self.wait(Duration::from_millis(1500)) {
            return;
        }
        for &pid in family.iter().flat_map(|family| family.pids()) {
            signal(pid, Signal::KILL);
        }
        self.wait(Duration::from_secs(1));
    }
}

fn signal(pid: u32, signal: Signal) {
    if let Some(pid) = i32::try_from(pid).ok().and_then(Pid::from_raw) {
        // It may have ended by itself.
        kill_process(pid, signal).ok();
    }
}

/// Where a subject is started.
pub struct Place<'a> {
    pub directory: &'a Path,
    pub upstream: SocketAddr,
    /// Where a proxy runs apart from the rest; anywhere without.
    pub cores: Option<Cores>,
    pub file_limit: u64,
}

/// A started subject, ready to answer.
pub struct Started {
    pub target: SocketAddr,
    /// From the start of the process to the first token of a first answer.
    pub start_ns: u64,
    pub running: Option<Running>,
    pub redis: Option<Running>,
}

impl Subject {
    pub async fn start(&self, place: &Place<'_>) -> io::Result<Started> {
        let target = match self.kind {
            Kind::Direct => place.upstream,
            _ => free_address()?,
        };
        let log = place.directory.join(format!("{}.log", self.name));
        let mut command = self.command(place, target)?;
        let mut redis = None;
        if let (Some(binary), Some(command)) = (&self.redis, &mut command) {
            let (address, running) = start_redis(binary, place)?;
            command.env("SLUICEGATE__REDIS__URL", format!("redis://{address}"));
            redis = Some(running);
        }
        let begin = now_ns();
        let mut running = match command {
            Some(mut command) => Some(spawn_proxy(&mut command, place, &log)?),
            None => None,
        };
        let answered = first_answer(target, running.as_mut()).await;
        let answered = answered.map_err(|error| {
            let said = fs::read_to_string(&log).unwrap_or_default();
            bad(format!("{} did not start: {error}\n{said}", self.name))
        })?;
        Ok(Started { target, start_ns: answered - begin, running, redis })
    }

    fn command(&self, place: &Place<'_>, target: SocketAddr) -> io::Result<Option<Command>> {
        let mut command = Command::new(&self.binary);
        command.envs(self.settings.iter().cloned());
        match self.kind {
            Kind::Direct => return Ok(None),
            Kind::Nginx => {
                let config = place.directory.join("nginx.conf");
                fs::write(&config, nginx_config(place, target))?;
                let error_log = place.directory.join("nginx.error.log");
                command.arg("-p").arg(place.directory);
                command.arg("-e").arg(error_log).arg("-c").arg(config);
            }
            Kind::Sluicegate => {
                command.args(["serve", "--listen", &target.to_string()]);
                command.args(["--upstream", &format!("http://{}/v1", place.upstream)]);
            }
        }
        Ok(Some(command))
    }
}

fn spawn_proxy(command: &mut Command, place: &Place<'_>, log: &Path) -> io::Result<Running> {
    let log = File::create(log)?;
    command.current_dir(place.directory).stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log);
    Running::spawn(command, place.cores)
}

/// Starts a `redis-server` that writes nothing to disk, on the generator's core: what it takes is not the proxy's.
fn start_redis(binary: &Path, place: &Place<'_>) -> io::Result<(SocketAddr, Running)> {
    let address = free_address()?;
    let mut command = Command::new(binary);
    command.args(["--bind", "127.0.0.1", "--port", &address.port().to_string(), "--save", "", "--appendonly", "no"]);
    let log = File::create(place.directory.join("redis-server.log"))?;
    command.current_dir(place.directory).stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log);
    let running = Running::spawn(&mut command, None)?;
    let deadline = Instant::now() + Duration::from_secs(5);
    while TcpStream::connect(address).is_err() {
        if Instant::now() > deadline {
            return Err(bad(format!("{} does not listen on {address}", binary.display())));
        }
        sleep(Duration::from_millis(2));
    }
    Ok((address, running))
}

fn free_address() -> io::Result<SocketAddr> {
    TcpListener::bind(("127.0.0.1", 0))?.local_addr()
}

/// Tries until there is an answer; returns when its token came.
async fn first_answer(target: SocketAddr, mut running: Option<&mut Running>) -> io::Result<u64> {
    let deadline = Instant::now() + Duration::from_secs(10);
    loop {
        let error = match timeout(Duration::from_secs(2), one_answer(target)).await {
            Ok(Ok(arrived_at)) => return Ok(arrived_at),
            Ok(Err(error)) => error,
            Err(_) => bad("no answer within 2 s"),
        };
        if let Some(running) = running.as_mut()
            && let Some(status) = running.child().try_wait()?
        {
            return Err(bad(format!("it ended with {status}")));
        }
        if Instant::now() > deadline {
            return Err(error);
        }
        // Nothing else runs here meanwhile, and the runtime would wait for a whole millisecond.
        sleep(Duration::from_micros(100));
    }
}

async fn one_answer(target: SocketAddr) -> io::Result<u64> {
    let mut arrived_at = 0;
    let script = Script { tokens: 1, ..Script::default() };
    let mut client = Client::connect(target).await?;
    client.ask(&script, |token| arrived_at = token.arrived_at).await?;
    Ok(arrived_at)
}

/// nginx as one sets it up for token streams: nothing buffered, connections kept on both
/// sides, the usual log line per request. Its limits are lifted, not its work.
fn nginx_config(place: &Place<'_>, target: SocketAddr) -> String {
    let Place { directory, upstream, file_limit, .. } = place;
    let directory = directory.display();
    let connections = (*file_limit).min(20_000);
    format!(
        "\
daemon off;
worker_processes 1;
pid {directory}/nginx.pid;
events {{ worker_connections {connections}; }}
http {{
    access_log {directory}/nginx.access.log;
    client_body_temp_path {directory}/client_body;
    proxy_temp_path {directory}/proxy;
    fastcgi_temp_path {directory}/fastcgi;
    uwsgi_temp_path {directory}/uwsgi;
    scgi_temp_path {directory}/scgi;
    client_max_body_size 32m;
    keepalive_requests 1000000;
    upstream llm {{
        server {upstream};
        keepalive 128;
        keepalive_requests 1000000;
    }}
    server {{
        listen {target} backlog=4096;
        location / {{
            proxy_pass http://llm;
            proxy_http_version 1.1;
            proxy_set_header Connection \"\";
            proxy_buffering off;
            proxy_read_timeout 600s;
        }}
    }}
}}
"
    )
}
