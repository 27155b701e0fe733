//! A health check that needs no shell and no curl in the image.

use std::io::{Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream};
use std::time::Duration;

use crate::config::Sources;

const TIMEOUT: Duration = Duration::from_secs(3);

/// Asks the server of this configuration whether it lives. Behind TLS, a connection is all that is asked for.
pub(super) fn check(sources: &Sources) -> Result<(), String> {
    let config = sources.load().map_err(|error| error.to_string())?;
    let address = local(config.server.listen);
    let fail = |error: std::io::Error| format!("{address}: {error}");
    let mut socket = TcpStream::connect_timeout(&address, TIMEOUT).map_err(fail)?;
    if config.server.tls.is_some() {
        return Ok(());
    }
    socket.set_read_timeout(Some(TIMEOUT)).map_err(fail)?;
    socket.write_all(b"GET /livez HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n").map_err(fail)?;
    let mut status = [0; 12];
    socket.read_exact(&mut status).map_err(fail)?;
    if &status == b"HTTP/1.1 200" { Ok(()) } else { Err(format!("{address} does not answer 200")) }
}

/// The address under which this machine reaches a server that listens on `listen`.
fn local(mut listen: SocketAddr) -> SocketAddr {
    match listen.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => listen.set_ip(Ipv4Addr::LOCALHOST.into()),
        IpAddr::V6(ip) if ip.is_unspecified() => listen.set_ip(Ipv6Addr::LOCALHOST.into()),
        _ => {}
    }
    listen
}
