//! When the client leaves, the upstream stops: in every phase, however the client leaves.

use crate::support::{Client, Proxy, ROLE, Script, Upstream, token};

/// How a client leaves.
#[derive(Debug, Clone, Copy)]
enum Departure {
    Close,
    Reset,
    HalfClose,
    /// A line break behind the request, then closing: hyper alone would not look for the end.
    StrayLineBreak,
    /// A second request behind the first, then closing.
    Pipelined,
}

const DEPARTURES: [Departure; 5] =
    [Departure::Close, Departure::Reset, Departure::HalfClose, Departure::StrayLineBreak, Departure::Pipelined];

/// Lets `client` leave; what comes back must be kept alive by the caller.
async fn leave(mut client: Client, departure: Departure) -> Option<Client> {
    match departure {
        Departure::Close => {}
        Departure::Reset => client.reset(),
        Departure::HalfClose => {
            client.close_writing().await;
            return Some(client);
        }
        Departure::StrayLineBreak => {
            client.send("\r\n").await;
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
        Departure::Pipelined => {
            client.send("GET /v1/models HTTP/1.1\r\nhost: localhost\r\n\r\n").await;
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
    }
    None
}

/// Whether leaving during `script`, once the upstream has the request and the client has seen `sign`, reaches the upstream.
async fn leaving_is_noticed(script: Script, stream: bool, sign: Option<&str>) {
    for departure in DEPARTURES {
        let mut upstream = Upstream::start(script.clone()).await;
        let proxy = Proxy::before(&upstream).await;
        let mut client = Client::chat(proxy.address, stream).await;
        upstream.request().await;
        if let Some(sign) = sign {
            client.read_until(sign).await;
        }
        let _client = leave(client, departure).await;
        upstream.abandoned().await;
        assert_eq!(upstream.request_count(), 1, "{departure:?}");
    }
}

#[tokio::test]
async fn a_client_that_leaves_before_the_response_headers_stops_the_upstream() {
    leaving_is_noticed(Script::silence(), true, None).await;
}

#[tokio::test]
async fn a_client_that_leaves_before_the_first_token_stops_the_upstream() {
    leaving_is_noticed(Script::stream().hang(), true, None).await;
}

#[tokio::test]
async fn a_client_that_leaves_between_tokens_stops_the_upstream() {
    leaving_is_noticed(Script::stream().send(ROLE).send(token("one")).hang(), true, Some("one")).await;
}

#[tokio::test]
async fn a_client_that_leaves_while_waiting_for_a_whole_answer_stops_the_upstream() {
    leaving_is_noticed(Script::silence(), false, None).await;
}
