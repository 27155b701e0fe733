//! The proxy under test, with upstreams that cannot be reached and time limits short enough to be met.

use std::io;
use std::net::SocketAddr;

use tokio::net::{TcpListener, TcpSocket, TcpStream};

use crate::subject::Subject;

/// Prefixes of model names, for what is not the usual upstream.
pub const REFUSING: &str = "refusing/";
pub const DEAF: &str = "deaf/";
/// Has two targets, of which the first refuses.
pub const SPARE: &str = "spare/";

const SETTINGS: &[(&str, &str)] = &[
    ("STREAM__COMMIT_AFTER", "1s"),
    ("STREAM__KEEP_ALIVE", "500ms"),
    ("STREAM__CONNECT_TIMEOUT", "2s"),
    ("STREAM__HEADERS_TIMEOUT", "4s"),
    // Longer than the 5 s for the body of an error.
    ("STREAM__FIRST_TOKEN_TIMEOUT", "7s"),
    ("STREAM__IDLE_TIMEOUT", "3s"),
    ("SERVER__WRITE_TIMEOUT", "10s"),
];

/// Addresses at which nobody answers, for as long as this lives.
pub struct Nobody {
    refusing: TcpSocket,
    deaf: TcpListener,
    /// They fill the queue of the deaf one, so that the kernel answers no further connection.
    _waiting: Vec<TcpStream>,
}

impl Nobody {
    pub async fn new() -> io::Result<Self> {
        let local = SocketAddr::from(([127, 0, 0, 1], 0));
        // Bound, so that nobody else takes the port; and never listening.
        let refusing = TcpSocket::new_v4()?;
        refusing.bind(local)?;
        let deaf = TcpSocket::new_v4()?;
        deaf.bind(local)?;
        let deaf = deaf.listen(1)?;
        let mut waiting = Vec::new();
        for _ in 0..2 {
            waiting.push(TcpStream::connect(deaf.local_addr()?).await?);
        }
        Ok(Self { refusing, deaf, _waiting: waiting })
    }

    /// Tells `subject` of them.
    pub fn configure(&self, subject: &mut Subject) -> io::Result<()> {
        let provider = |name: &str, address: SocketAddr| {
            format!(r#"{{ name = "{name}", kind = "compatible", base_url = "http://{address}/v1" }}"#)
        };
        let providers =
            [provider("refusing", self.refusing.local_addr()?), provider("deaf", self.deaf.local_addr()?)].join(", ");
        let spare = r#"[{ name = "spare/bench-model", targets = ["refusing/bench-model", "upstream/bench-model"] }]"#;
        let mut set = |name: &str, value: String| subject.settings.push((format!("SLUICEGATE__{name}"), value));
        set("PROVIDER", format!("[{providers}]"));
        set("MODEL", spare.to_owned());
        for (name, value) in SETTINGS {
            set(name, (*value).to_owned());
        }
        Ok(())
    }
}
