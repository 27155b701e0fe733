//! When the client leaves, the upstream stops: in every phase, however the client leaves.

mod connecting;
mod http2;
mod messages;
mod passthrough;
mod remains;

use std::time::Duration;

use sluicegate::config::Config;
use sluicegate::config::model::{Model, Target};

use crate::support::{
    Client, Proxy, ROLE, Script, Upstream, chat, new_id, provider, request, soon, standstill, token, with_header,
};

/// How a client leaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
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

/// Those of a client that is still sending its request.
const INTERRUPTIONS: [Departure; 3] = [Departure::Close, Departure::Reset, Departure::HalfClose];

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
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        Departure::Pipelined => {
            client.send("GET /v1/models HTTP/1.1\r\nhost: localhost\r\n\r\n").await;
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
    None
}

/// Lets the proxy write nothing of its own: a write that fails must not be what gives a client's leaving away.
fn quiet(config: &mut Config) {
    config.stream.commit_after = Duration::from_secs(60);
    config.stream.keep_alive = None;
}

/// How the test knows that a phase is reached.
#[derive(Debug, Clone, Copy)]
enum Sign {
    /// The upstream has the request.
    Asked,
    /// The client has received this.
    Received(&'static str),
    /// The client reads nothing, and the upstream can send no more.
    Stuck,
}

/// A phase of a request, in which the client will leave.
struct Phase {
    request: String,
    script: Script,
    sign: Sign,
    configure: fn(&mut Config),
}

impl Phase {
    /// The usual chat request, which the upstream answers with `script`.
    fn chat(stream: bool, script: Script, sign: Sign) -> Self {
        Self::of(request("/v1/chat/completions", &chat(stream)), script, sign)
    }

    fn of(request: String, script: Script, sign: Sign) -> Self {
        Self { request, script, sign, configure: quiet }
    }

    /// Whether leaving reaches the upstream, is written down as what it is, and asks for nothing more.
    async fn ends_when_the_client_leaves(self) {
        let mut upstream = Upstream::start(self.script).await;
        let proxy = Proxy::configured(&upstream, self.configure).await;
        for departure in DEPARTURES {
            let mut client = Client::connect(proxy.address).await;
            let id = new_id();
            client.send(&with_header(&self.request, &format!("x-request-id: {id}"))).await;
            upstream.request().await;
            match self.sign {
                Sign::Asked => {}
                Sign::Received(text) => drop(client.read_until(text).await),
                Sign::Stuck => {
                    let before = upstream.bytes_sent();
                    standstill("the upstream", || upstream.bytes_sent() - before).await;
                }
            }
            let _client = leave(client, departure).await;
            upstream.abandoned().await;
            assert_eq!(proxy.log_line(&id).await["outcome"], "client_gone", "{departure:?}");
        }
        assert_eq!(upstream.request_count(), DEPARTURES.len());
    }
}

// === While an answer is awaited or arrives ===

#[tokio::test]
async fn a_client_that_leaves_before_the_response_headers_stops_the_upstream() {
    Phase::chat(true, Script::silence(), Sign::Asked).ends_when_the_client_leaves().await;
}

#[tokio::test]
async fn a_client_that_leaves_before_the_first_token_stops_the_upstream() {
    Phase::chat(true, Script::stream().hang(), Sign::Asked).ends_when_the_client_leaves().await;
}

#[tokio::test]
async fn a_client_that_leaves_while_keep_alives_stand_in_for_the_first_token_stops_the_upstream() {
    let early = |config: &mut Config| {
        config.stream.commit_after = Duration::from_millis(50);
        config.stream.keep_alive = Some(Duration::from_secs(60));
    };
    for script in [Script::silence(), Script::stream().hang(), Script::stream().send(": busy\n\n").hang()] {
        let phase = Phase::chat(true, script, Sign::Received(": keep-alive"));
        Phase { configure: early, ..phase }.ends_when_the_client_leaves().await;
    }
}

#[tokio::test]
async fn a_client_that_leaves_between_tokens_stops_the_upstream() {
    let script = Script::stream().send(ROLE).send(token("one")).hang();
    Phase::chat(true, script, Sign::Received("one")).ends_when_the_client_leaves().await;
}

#[tokio::test]
async fn a_client_that_leaves_while_the_upstream_stalls_within_a_token_stops_it() {
    let two = token("two");
    let script = Script::stream().send(ROLE).send(token("one")).send(two[..two.len() / 2].to_owned()).hang();
    Phase::chat(true, script, Sign::Received("one")).ends_when_the_client_leaves().await;
}

#[tokio::test]
async fn a_client_that_leaves_without_reading_what_waits_for_it_stops_the_upstream() {
    let flood = Script::stream().repeat(token(&"x".repeat(16000)), 1 << 20);
    Phase::chat(true, flood, Sign::Stuck).ends_when_the_client_leaves().await;
}

#[tokio::test]
async fn a_client_that_leaves_while_waiting_for_a_whole_answer_stops_the_upstream() {
    let half =
        Script::raw("HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 99\r\n\r\n{\"ch").hang();
    for script in [Script::silence(), half] {
        Phase::chat(false, script, Sign::Asked).ends_when_the_client_leaves().await;
    }
}

#[tokio::test]
async fn a_client_that_leaves_while_an_error_message_arrives_stops_the_upstream() {
    let half = Script::head("500 Internal Server Error", "").send("Something").hang();
    for stream in [true, false] {
        Phase::chat(stream, half.clone(), Sign::Asked).ends_when_the_client_leaves().await;
    }
}

// === Before there is anything to answer ===

#[tokio::test]
async fn a_client_that_leaves_with_half_a_request_sent_costs_no_upstream_request() {
    let whole = request("/v1/chat/completions", &"x".repeat(100_000));
    let upstream = Upstream::start(Script::answer(&["never"])).await;
    let proxy = Proxy::before(&upstream).await;
    for departure in INTERRUPTIONS {
        // The first cut is in the head, the others in the body.
        for sent in [50, 1000, 50_000] {
            let mut client = Client::connect(proxy.address).await;
            client.send(&whole[..sent]).await;
            proxy.has_read_everything().await;
            let _client = leave(client, departure).await;
            proxy.has_no_connection().await;
            assert_eq!(upstream.accepted_count(), 0, "{departure:?} after {sent} bytes");
        }
    }
}

#[tokio::test]
async fn a_client_that_leaves_while_the_second_target_is_asked_stops_that_one() {
    let first = Upstream::start(Script::json("503 Service Unavailable", "{}")).await;
    let mut second = Upstream::start(Script::silence()).await;
    let proxy = failing_over(&first, &second).await;
    for departure in DEPARTURES {
        let client = Client::chat(proxy.address, true).await;
        second.request().await;
        let _client = leave(client, departure).await;
        second.abandoned().await;
    }
    assert_eq!([first.request_count(), second.request_count()], [DEPARTURES.len(); 2]);
}

#[tokio::test]
async fn a_client_that_leaves_while_the_first_target_is_asked_spares_the_second() {
    let mut first = Upstream::start(Script::silence()).await;
    let second = Upstream::start(Script::answer(&["never"])).await;
    let proxy = failing_over(&first, &second).await;
    for departure in DEPARTURES {
        let client = Client::chat(proxy.address, true).await;
        first.request().await;
        let _client = leave(client, departure).await;
        first.abandoned().await;
    }
    proxy.has_no_connection().await;
    assert_eq!(second.accepted_count(), 0);
}

/// A proxy that asks `second` for the usual model when `first` fails.
async fn failing_over(first: &Upstream, second: &Upstream) -> Proxy {
    let mut config = Config::for_testing();
    quiet(&mut config);
    config.providers = vec![provider("first", &first.url()), provider("second", &second.url())];
    let targets = ["first/m", "second/m"].map(|target| Target::try_from(target.to_owned()).unwrap());
    config.models = vec![Model { name: "m".to_owned(), targets: targets.into(), ..Model::default() }];
    Proxy::start(config).await
}

// === The list of models ===

#[tokio::test]
async fn a_client_that_leaves_while_models_are_listed_stops_the_listing() {
    for path in ["/v1/models", "/v1/models/m"] {
        let request = format!("GET {path} HTTP/1.1\r\nhost: localhost\r\n\r\n");
        Phase::of(request, Script::silence(), Sign::Asked).ends_when_the_client_leaves().await;
    }
}

#[tokio::test]
async fn a_client_that_leaves_does_not_take_the_list_of_models_from_others() {
    let list = Script::json("200 OK", r#"{"data":[{"id":"m"}]}"#);
    let first = std::sync::atomic::AtomicBool::new(true);
    let script = move |_: &_| {
        if first.swap(false, std::sync::atomic::Ordering::SeqCst) { Script::silence() } else { list.clone() }
    };
    let mut upstream = Upstream::start_with(script).await;
    let proxy = Proxy::before(&upstream).await;
    let mut leaving = Client::connect(proxy.address).await;
    leaving.send("GET /v1/models HTTP/1.1\r\nhost: localhost\r\n\r\n").await;
    upstream.request().await;
    let mut staying = Client::connect(proxy.address).await;
    staying.send("GET /v1/models HTTP/1.1\r\nhost: localhost\r\n\r\n").await;
    drop(leaving);
    upstream.abandoned().await;
    staying.read_until(r#""id":"m""#).await;
}

// === When nobody leaves ===

#[tokio::test]
async fn a_connection_whose_stream_is_complete_serves_the_next_request() {
    let answers = [Script::answer(&["one"]), Script::json("200 OK", r#"{"choices":[]}"#)];
    for (stream, answer) in [true, false].into_iter().zip(answers) {
        let upstream = Upstream::start(answer).await;
        let proxy = Proxy::before(&upstream).await;
        for _ in 0..3 {
            soon("an answer", proxy.chat(stream).await.text()).await.unwrap();
        }
        assert_eq!([upstream.request_count(), upstream.accepted_count()], [3, 1], "stream: {stream}");
    }
}

#[tokio::test]
async fn a_connection_whose_stream_was_left_serves_no_other_request() {
    let mut upstream = Upstream::start(Script::stream().send(ROLE).send(token("one")).hang()).await;
    let proxy = Proxy::before(&upstream).await;
    for _ in 0..2 {
        let mut client = Client::chat(proxy.address, true).await;
        client.read_until("one").await;
        drop(client);
        upstream.abandoned().await;
    }
    assert_eq!([upstream.request_count(), upstream.accepted_count()], [2, 2]);
}
