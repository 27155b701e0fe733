//! Checks that a request means this server.
//!
//! A web page can point a DNS name of its own at 127.0.0.1 and then call a local server as if it were its own (DNS
//! rebinding). Such a call carries the page's name in `Host`; a server on a loopback address answers to loopback names only.

use std::net::IpAddr;

use axum::extract::Request;
use http::header::HOST;
use http::uri::Authority;
use http::{HeaderValue, Version};

use crate::config::server::Server;
use crate::error::Error;

/// The host and port that the request names.
///
/// [RFC 9112 §3.2](https://www.rfc-editor.org/rfc/rfc9112#section-3.2): HTTP/1.1 requests without exactly one valid `Host`
/// are answered with 400, and a whole URL in the request line, like HTTP/2's `:authority`, counts more than that field. hyper
/// leaves both to us.
pub(super) fn of(request: &Request) -> Result<String, Error> {
    let authority = request.uri().authority().cloned();
    let mut values = request.headers().get_all(HOST).iter();
    let host = match (values.next(), values.next()) {
        (Some(host), None) => parse(host).map(|host| authority.unwrap_or(host)),
        (None, None) if request.version() != Version::HTTP_11 => authority,
        _ => None,
    };
    match host {
        Some(host) => Ok(host.as_str().to_owned()),
        None if request.version() == Version::HTTP_10 => Ok(String::new()),
        None => Err(Error::InvalidRequest { message: "Send exactly one valid Host header.".to_owned(), param: None }),
    }
}

fn parse(host: &HeaderValue) -> Option<Authority> {
    let authority: Authority = host.to_str().ok()?.parse().ok()?;
    (!authority.as_str().contains('@')).then_some(authority)
}

/// Whether this server, listening on `listen`, answers to `host`.
pub(super) fn check(host: &str, listen: IpAddr, config: &Server) -> Result<(), Error> {
    if config.allowed_hosts.is_empty() && !listen.is_loopback() {
        return Ok(());
    }
    let name = without_port(host);
    if is_loopback_name(name) || config.allowed_hosts.iter().any(|allowed| allowed.eq_ignore_ascii_case(name)) {
        Ok(())
    } else {
        Err(Error::HostRefused)
    }
}

fn without_port(host: &str) -> &str {
    match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => host,
    }
}

fn is_loopback_name(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    let address = name.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
    name == "localhost" || name.ends_with(".localhost") || address.is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;

    #[test]
    fn a_loopback_server_answers_to_loopback_names_only() {
        let config = Config::for_testing().server;
        let check = |host| check(host, "127.0.0.1".parse().unwrap(), &config).is_ok();
        assert!(check("localhost:8080") && check("127.0.0.1") && check("[::1]:8080") && check("a.localhost"));
        assert!(!check("evil.example:8080") && !check("127.0.0.1.evil.example") && !check("") && !check("[::2]"));
    }

    #[test]
    fn a_public_server_answers_to_all_names_or_those_configured() {
        let mut config = Config::for_testing().server;
        let listen = "0.0.0.0".parse().unwrap();
        assert!(check("any.example", listen, &config).is_ok());
        config.allowed_hosts.push("llm.example".to_owned());
        assert!(check("LLM.example:443", listen, &config).is_ok());
        assert!(check("any.example", listen, &config).is_err());
    }
}
