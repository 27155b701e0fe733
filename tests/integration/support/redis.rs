//! A real Redis on a port of its own, and what can happen to one.

use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use sluicegate::config::Config;
use sluicegate::config::secret::Secret;

use super::soon;

/// A `redis-server` that keeps nothing on disk. Killed when dropped.
pub struct Redis {
    port: u16,
    folder: PathBuf,
    child: Child,
}

impl Redis {
    pub async fn start() -> Self {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let folder = std::env::temp_dir().join(format!("sluicegate-redis-{}-{number}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        loop {
            let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
            let mut redis = Self { port, child: spawn(port, &folder), folder: folder.clone() };
            // Somebody else may have taken the port meanwhile.
            if redis.has_started().await {
                return redis;
            }
        }
    }

    /// Has `config` share its streams here.
    pub fn share(&self, config: &mut Config) {
        config.redis.url = Some(Secret::new(&self.url()));
    }

    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    /// Does nothing until it is woken.
    pub fn stall(&self) {
        self.signal("STOP");
    }

    pub fn wake(&self) {
        self.signal("CONT");
    }

    /// It is gone, with all that it knew.
    pub fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Comes back where it was, knowing nothing.
    pub async fn restart(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        self.child = spawn(self.port, &self.folder);
        assert!(self.has_started().await);
    }

    /// The first line that it answers to `command`.
    pub fn ask(&self, command: &str) -> std::io::Result<String> {
        let mut socket = TcpStream::connect(("127.0.0.1", self.port))?;
        socket.set_read_timeout(Some(Duration::from_secs(5)))?;
        socket.write_all(format!("{command}\r\n").as_bytes())?;
        let mut line = String::new();
        BufReader::new(socket).read_line(&mut line)?;
        Ok(line.trim_end().to_owned())
    }

    async fn has_started(&mut self) -> bool {
        soon("the start of a Redis", async {
            loop {
                if self.child.try_wait().unwrap().is_some() {
                    return false;
                }
                if self.ask("PING").is_ok_and(|answer| answer == "+PONG") {
                    return true;
                }
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        })
        .await
    }

    fn signal(&self, name: &str) {
        let status = Command::new("kill").args([format!("-{name}"), self.child.id().to_string()]).status();
        assert!(status.unwrap().success());
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

fn spawn(port: u16, folder: &std::path::Path) -> Child {
    Command::new("redis-server")
        .args(["--port", &port.to_string(), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"])
        .arg("--dir")
        .arg(folder)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("redis-server is installed")
}
