//! The program itself, in a process of its own: for arguments, signals, output and exit codes, and for what only the kernel
//! knows of a process as a whole.

use std::ffi::OsStr;
use std::fs;
use std::io::Read;
use std::net::SocketAddr;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::{Upstream, soon};

/// A `sluicegate` process. Killed when dropped.
pub struct Program {
    child: Child,
    output: Output,
    errors: Output,
}

/// What has been written to one of its outputs so far.
type Output = Arc<Mutex<String>>;

impl Program {
    /// Starts it with `arguments`, and with `environment` as its whole environment.
    pub fn start(arguments: &[impl AsRef<OsStr>], environment: &[(&str, &str)]) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_sluicegate"))
            .args(arguments)
            .env_clear()
            .envs(environment.iter().copied())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let (output, errors) = (collect(child.stdout.take().unwrap()), collect(child.stderr.take().unwrap()));
        Self { child, output, errors }
    }

    /// Starts it with `upstream` as its only provider.
    pub fn before(upstream: &Upstream) -> Self {
        Self::start(&["--listen", "127.0.0.1:0", "--upstream", &upstream.url()], &[])
    }

    /// Runs it to its end: whether it succeeded, its output and its errors.
    pub async fn run(arguments: &[impl AsRef<OsStr>], environment: &[(&str, &str)]) -> (bool, String, String) {
        let mut program = Self::start(arguments, environment);
        let status = program.end().await;
        (status.success(), program.output(), program.errors())
    }

    /// Where it listens, once it says so.
    pub async fn address(&self) -> SocketAddr {
        let address = || {
            let output = self.output();
            let (_, behind) = output.split_once(" http://")?;
            behind.split([' ', '/', '\n']).next()?.parse().ok()
        };
        soon("the line that says where it listens", async {
            loop {
                match address() {
                    Some(address) => return address,
                    None => tokio::time::sleep(LOOK_EVERY).await,
                }
            }
        })
        .await
    }

    /// Sends it a signal: `TERM`, `HUP`, …
    pub fn signal(&self, name: &str) {
        let status = Command::new("kill").args([format!("-{name}"), self.child.id().to_string()]).status();
        assert!(status.unwrap().success());
    }

    /// Waits until it has written `text` to standard error.
    pub async fn says(&self, text: &str) {
        let said = async {
            while !self.errors().contains(text) {
                tokio::time::sleep(LOOK_EVERY).await;
            }
        };
        soon(&format!("{text:?} behind {:?}", self.errors()), said).await;
    }

    pub fn output(&self) -> String {
        self.output.lock().unwrap().clone()
    }

    pub fn errors(&self) -> String {
        self.errors.lock().unwrap().clone()
    }

    /// How many file descriptors it has open.
    pub fn descriptors(&self) -> u64 {
        fs::read_dir(format!("/proc/{}/fd", self.child.id())).unwrap().count() as u64
    }

    /// How much of its memory is in use.
    pub fn resident_bytes(&self) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
        line.trim().strip_suffix(" kB").unwrap().parse::<u64>().unwrap() * 1024
    }

    pub fn is_running(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }

    /// Waits until it ends by itself and all its output is there.
    pub async fn end(&mut self) -> ExitStatus {
        soon("the end of the process", async {
            loop {
                // The threads that read its output let go of it at its end.
                let all_read = [&self.output, &self.errors].iter().all(|output| Arc::strong_count(output) == 1);
                match self.child.try_wait().unwrap() {
                    Some(status) if all_read => return status,
                    _ => tokio::time::sleep(LOOK_EVERY).await,
                }
            }
        })
        .await
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

const LOOK_EVERY: Duration = Duration::from_millis(5);

fn collect(mut pipe: impl Read + Send + 'static) -> Output {
    let output = Output::default();
    let collected = Arc::clone(&output);
    std::thread::spawn(move || {
        let mut buffer = [0; 4096];
        while let Ok(length @ 1..) = pipe.read(&mut buffer) {
            collected.lock().unwrap().push_str(&String::from_utf8_lossy(&buffer[..length]));
        }
    });
    output
}
