//! The kernel's view of the TCP sockets of a port: what neither end can say of itself.

use std::collections::BTreeMap;
use std::fs;

/// One end of a connection over IPv4.
#[derive(Debug, Clone)]
pub struct Socket {
    pub local_port: u16,
    pub remote_port: u16,
    pub state: State,
    /// Bytes written here that the other end's kernel has not taken yet.
    pub sending: u64,
    /// Bytes that have arrived here and are not read yet.
    pub receiving: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    Connecting,
    Listening,
    Other,
}

/// The sockets that some process holds open with `port` at either end, listeners aside.
pub fn of_port(port: u16) -> Vec<Socket> {
    let table = fs::read_to_string("/proc/self/net/tcp").unwrap();
    let sockets = table.lines().skip(1).filter_map(parse);
    let of_port = sockets.filter(|socket| [socket.local_port, socket.remote_port].contains(&port));
    // A table that changes while it is read may show a socket twice.
    let ends: BTreeMap<_, _> = of_port.map(|socket| ((socket.local_port, socket.remote_port), socket)).collect();
    ends.into_values().filter(|socket| socket.state != State::Listening).collect()
}

/// One line of the table; `None` for a socket that belongs to no process any more.
fn parse(line: &str) -> Option<Socket> {
    let fields: Vec<&str> = line.split_whitespace().collect();
    let hex = |text: &str| u64::from_str_radix(text, 16).unwrap();
    let port = |address: &str| hex(address.split_once(':').unwrap().1) as u16;
    let (sending, receiving) = fields[4].split_once(':').unwrap();
    let state = match hex(fields[3]) {
        0x02 => State::Connecting,
        0x0A => State::Listening,
        _ => State::Other,
    };
    let inode = fields[9];
    (inode != "0").then(|| Socket {
        local_port: port(fields[1]),
        remote_port: port(fields[2]),
        state,
        sending: hex(sending),
        receiving: hex(receiving),
    })
}
