//! The program itself, in a process of its own: for what only the kernel knows of a process as a whole.

use std::fs;
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};

use super::Upstream;

/// A running `sluicegate serve`. Killed when dropped.
pub struct Process {
    pub address: SocketAddr,
    child: Child,
}

impl Process {
    /// Starts the program with `upstream` as its only provider.
    pub fn before(upstream: &Upstream) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_sluicegate"))
            .args(["serve", "--listen", "127.0.0.1:0", "--upstream", &upstream.url()])
            .env_clear()
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut banner = String::new();
        BufReader::new(child.stdout.as_mut().unwrap()).read_line(&mut banner).unwrap();
        let url = banner.split_whitespace().find_map(|word| word.strip_prefix("http://")).unwrap();
        Self { address: url.parse().unwrap(), child }
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
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
