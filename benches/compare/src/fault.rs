//! What goes wrong with an upstream, and the word for it that a client must be told.

use std::io;

use crate::http::Conn;
use crate::script::chunk;

/// One way to fail.
#[derive(Debug, PartialEq)]
pub struct Fault {
    pub name: &'static str,
    pub when: When,
    says: Says,
    then: Then,
    /// The codes that may tell of it: in place of an answer, and in its middle.
    pub told: &'static [&'static str],
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum When {
    InsteadOfHead,
    /// Behind as many tokens as the script has; with none, right behind the head.
    AfterTokens,
}

#[derive(Debug, PartialEq)]
enum Says {
    Bytes(&'static str),
    /// This, in a chunk of its own.
    Chunk(&'static str),
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Then {
    /// The connection can be used again.
    Keep,
    /// The same, behind the end of the body.
    EndBody,
    Close,
    Reset,
    /// Nothing, for as long as the proxy waits.
    Silence,
}

const BROKEN: &[&str] = &["upstream_connection_broken"];
const SLOW_HEAD: &[&str] = &["headers_timeout", "first_token_timeout"];
const SILENT: &[&str] = &["first_token_timeout", "idle_timeout"];
const TRUNCATED: &[&str] = &["upstream_truncated"];
const UNEXPECTED: &[&str] = &["upstream_unexpected_response"];
const STATUS: &[&str] = &["upstream_status"];

const HALF_EVENT: &str = r#"data: {"id":"chatcmpl-B7xQ","object":"chat.completion.ch"#;

use Says::{Bytes, Chunk};
use When::{AfterTokens, InsteadOfHead};

const fn fault(name: &'static str, when: When, says: Says, then: Then, told: &'static [&'static str]) -> Fault {
    Fault { name, when, says, then, told }
}

pub const FAULTS: &[Fault] = &[
    fault("reset before the head", InsteadOfHead, Bytes(""), Then::Reset, BROKEN),
    fault("closed before the head", InsteadOfHead, Bytes(""), Then::Close, BROKEN),
    fault("closed in the head", InsteadOfHead, Bytes("HTTP/1.1 200 OK\r\nconte"), Then::Close, BROKEN),
    fault("no HTTP", InsteadOfHead, Bytes("SSH-2.0-OpenSSH_9.2\r\n\r\n"), Then::Close, BROKEN),
    fault("no head, ever", InsteadOfHead, Bytes(""), Then::Silence, SLOW_HEAD),
    fault("status 500", InsteadOfHead, Bytes(INTERNAL_ERROR), Then::Keep, STATUS),
    fault("status 500 and no body, ever", InsteadOfHead, Bytes(HALF_ERROR), Then::Silence, STATUS),
    fault("status 503 as a page", InsteadOfHead, Bytes(UNAVAILABLE), Then::Keep, STATUS),
    fault(TOO_MANY, InsteadOfHead, Bytes(TOO_MANY_REQUESTS), Then::Keep, STATUS),
    fault("a page instead of a stream", InsteadOfHead, Bytes(PAGE), Then::Keep, UNEXPECTED),
    fault("nothing more, ever", AfterTokens, Bytes(""), Then::Silence, SILENT),
    fault("nothing more after half an event", AfterTokens, Chunk(HALF_EVENT), Then::Silence, SILENT),
    fault("end without [DONE]", AfterTokens, Bytes(""), Then::EndBody, TRUNCATED),
    fault("end after half an event", AfterTokens, Chunk(HALF_EVENT), Then::EndBody, TRUNCATED),
    fault("closed after half an event", AfterTokens, Chunk(HALF_EVENT), Then::Close, BROKEN),
    fault("reset after half an event", AfterTokens, Chunk(HALF_EVENT), Then::Reset, BROKEN),
    fault("closed in a chunk", AfterTokens, Bytes("100\r\ndata: {\"id\""), Then::Close, BROKEN),
    fault("garbage instead of a chunk", AfterTokens, Bytes("<html>\r\n"), Then::Silence, BROKEN),
    fault(
        "an event that is not JSON",
        AfterTokens,
        Chunk("data: <html>\n\n"),
        Then::EndBody,
        &["upstream_unexpected_response", "upstream_truncated"],
    ),
    fault(
        "an error event",
        AfterTokens,
        Chunk(concat!(
            r#"data: {"error":{"message":"The server is overloaded.","type":"server_error","#,
            r#""param":null,"code":"overloaded"}}"#,
            "\n\n"
        )),
        Then::EndBody,
        &["upstream_error", "overloaded"],
    ),
];

/// Its answer says when to come again, and the client must be told that too.
pub const TOO_MANY: &str = "status 429";
pub const RETRY_AFTER: &str = "7";

const INTERNAL_ERROR: &str = "HTTP/1.1 500 Internal Server Error\r\ncontent-type: application/json\r\n\
    content-length: 61\r\n\r\n{\"error\":{\"message\":\"Out of memory.\",\"type\":\"server_error\"}}\n";
const HALF_ERROR: &str = "HTTP/1.1 500 Internal Server Error\r\ncontent-type: application/json\r\n\
    transfer-encoding: chunked\r\n\r\n10\r\n{\"error\":";
const UNAVAILABLE: &str = "HTTP/1.1 503 Service Unavailable\r\ncontent-type: text/html\r\n\
    content-length: 20\r\n\r\n<h1>Unavailable</h1>";
const TOO_MANY_REQUESTS: &str = "HTTP/1.1 429 Too Many Requests\r\ncontent-type: application/json\r\n\
    retry-after: 7\r\ncontent-length: 60\r\n\r\n{\"error\":{\"message\":\"Too many.\",\"type\":\"rate_limit_error\"}}\n";
const PAGE: &str = "HTTP/1.1 200 OK\r\ncontent-type: text/html\r\ncontent-length: 16\r\n\r\n<h1>Welcome</h1>";

impl Fault {
    /// Its number in a script; 0 is none.
    pub fn number(&self) -> u64 {
        FAULTS.iter().position(|other| other == self).map_or(0, |at| at as u64 + 1)
    }

    pub fn numbered(number: u64) -> Option<&'static Self> {
        FAULTS.get(usize::try_from(number.checked_sub(1)?).ok()?)
    }

    /// Whether all tokens before it must have arrived. A reset may overtake what was sent before it.
    pub fn keeps_tokens(&self) -> bool {
        self.then != Then::Reset
    }

    /// Does it. An error closes the connection.
    pub async fn happen(&self, conn: &mut Conn) -> io::Result<()> {
        match &self.says {
            Bytes(text) => conn.write(text.as_bytes(), |_| {}).await?,
            Chunk(text) => conn.write(&chunk(text), |_| {}).await?,
        }
        match self.then {
            Then::Keep => return Ok(()),
            Then::EndBody => return conn.write(b"0\r\n\r\n", |_| {}).await,
            Then::Close => {}
            Then::Reset => conn.stream().set_zero_linger()?,
            Then::Silence => conn.closed().await,
        }
        Err(io::ErrorKind::ConnectionAborted.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_are_true() {
        for fault in FAULTS {
            let Bytes(text) = fault.says else { continue };
            let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
            if let Some((_, length)) = head.split_once("content-length: ") {
                assert_eq!(length, body.len().to_string(), "{}", fault.name);
            }
        }
    }

    #[test]
    fn a_fault_is_found_by_its_number() {
        assert!(FAULTS.iter().all(|fault| Fault::numbered(fault.number()) == Some(fault)));
        assert_eq!(Fault::numbered(0), None);
    }
}
