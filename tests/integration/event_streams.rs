//! Event streams pass byte for byte, each frame the moment it is whole, however the network cuts them.

use std::hash::{BuildHasher, BuildHasherDefault, DefaultHasher};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::Notify;

use crate::support::{
    Client, DONE, FINISH, Proxy, ROLE, Recording, Script, Upstream, chat, client, request, soon, token,
};

const BOM: &str = "\u{feff}";

/// How a stream is cut on its way to the proxy.
#[derive(Debug, Clone, Copy)]
enum Cut {
    Nowhere,
    /// Into pieces of arbitrary sizes below 500 bytes, the same for the same seed.
    Anywhere(u64),
    Everywhere,
}

impl Cut {
    fn pieces(self, mut stream: Bytes) -> Vec<Bytes> {
        let hasher = BuildHasherDefault::<DefaultHasher>::default();
        let mut pieces = Vec::new();
        while !stream.is_empty() {
            let size = match self {
                Self::Nowhere => stream.len(),
                Self::Anywhere(seed) => 1 + (hasher.hash_one((seed, stream.len())) % 500) as usize,
                Self::Everywhere => 1,
            };
            pieces.push(stream.split_to(size.min(stream.len())));
        }
        pieces
    }

    fn script(self, stream: impl Into<Bytes>) -> Script {
        self.pieces(stream.into()).into_iter().fold(Script::stream(), Script::send).end()
    }
}

/// A proxy before an upstream that sends whatever stream is put on next.
struct Line {
    next: Arc<Mutex<Script>>,
    upstream: Upstream,
    proxy: Proxy,
}

impl Line {
    async fn new() -> Self {
        let next = Arc::<Mutex<Script>>::default();
        let script = Arc::clone(&next);
        let upstream = Upstream::start_with(move |_| script.lock().unwrap().clone()).await;
        let proxy = Proxy::before(&upstream).await;
        Self { next, upstream, proxy }
    }

    /// What the client receives of `stream`, and the outcome in the log.
    async fn relay(&self, stream: impl Into<Bytes>, cut: Cut) -> (Bytes, String) {
        self.ask(chat(true), stream, cut).await
    }

    /// The same as the answer to a certain request.
    async fn ask(&self, request: impl Into<Bytes>, stream: impl Into<Bytes>, cut: Cut) -> (Bytes, String) {
        *self.next.lock().unwrap() = cut.script(stream);
        let response = self.proxy.post("/v1/chat/completions", request.into()).await;
        let (status, request_id) = (response.status(), response.headers()["x-request-id"].to_str().unwrap().to_owned());
        let received = soon("the whole stream", response.bytes()).await.unwrap();
        assert_eq!(status, 200, "{}", received.escape_ascii());
        (received, self.proxy.log_line(&request_id).await["outcome"].clone())
    }
}

// === Bytes ===

#[tokio::test]
async fn every_recorded_stream_passes_byte_for_byte_however_it_is_cut() {
    let line = Line::new().await;
    let recordings = Recording::exact_streams("openai-chat");
    assert!(recordings.len() >= 16);
    for recording in recordings {
        for cut in [Cut::Nowhere, Cut::Anywhere(1), Cut::Anywhere(2)] {
            let (received, outcome) = line.ask(recording.request(), recording.response(), cut).await;
            if recording.is("error-mid-stream") {
                assert_passed_up_to_its_error(&received, &recording.response());
            } else {
                assert!(received == recording.response(), "{} differs, cut {cut:?}", recording.file);
                assert_eq!(outcome, "completed", "{}", recording.file);
            }
            let request = line.upstream.received().pop().unwrap();
            assert_eq!(request.body, recording.request(), "{}", recording.file);
        }
    }
}

/// llama.cpp tells an error where no client of OpenAI's looks for it, so the proxy tells it where they do.
fn assert_passed_up_to_its_error(received: &[u8], recorded: &[u8]) {
    let error = memchr::memmem::find(recorded, b"\n\nerror:").unwrap() + 2;
    let (passed, told) = received.split_at(error);
    assert!(passed == &recorded[..error]);
    let told = String::from_utf8_lossy(told);
    assert!(told.starts_with("data: {\"error\":{") && told.contains("failed to decode"), "{told}");
    assert!(!told.contains("[DONE]"), "{told}");
}

#[tokio::test]
async fn a_recorded_stream_passes_byte_by_byte() {
    let recordings = Recording::exact_streams("openai-chat");
    let shortest = recordings.iter().map(Recording::response).min_by_key(Bytes::len).unwrap();
    let relayed = Line::new().await.relay(shortest.clone(), Cut::Everywhere).await;
    assert_eq!(relayed, (shortest, "completed".to_owned()));
}

#[tokio::test]
async fn no_recording_has_changed_since_it_was_made() {
    for recording in Recording::all() {
        let digest = ring::digest::digest(&ring::digest::SHA256, &recording.response());
        let digest: String = digest.as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(digest, recording.sha256, "{}", recording.file);
    }
}

#[tokio::test]
async fn every_way_to_write_an_event_passes_byte_for_byte() {
    let plain = [ROLE, &token("Grüße, 世界 🦀"), FINISH, DONE].concat();
    let pretty = "data: {\ndata:  \"choices\": [{ \"delta\": { \"content\": \"x\" } }]\r\ndata\rdata: }\n\n";
    let line = Line::new().await;
    for (name, stream) in [
        ("LF", plain.clone()),
        ("CRLF", plain.replace('\n', "\r\n")),
        ("CR", plain.replace('\n', "\r")),
        ("all line ends at once", plain.replace("\n\n", "\r\n\r").replacen("\r\n\r", "\n\r\n", 2)),
        ("a BOM", [BOM, &plain].concat()),
        ("no space behind the colon", plain.replace("data: ", "data:")),
        ("comments between frames", plain.replace("\n\n", "\n\n: ping\n: pong\n\n:\n")),
        ("comments inside frames", plain.replace("\n\n", "\n: ping\n\n")),
        ("a comment before everything", [": hello\n\n", &plain].concat()),
        ("more empty lines than needed", plain.replace("\n\n", "\n\n\n\n")),
        ("data over several lines", [ROLE, pretty, FINISH, DONE].concat()),
        ("other fields", plain.replace("data: {", "id: 7\nevent: message\nretry: 10\nx-new: \0\nnothing\ndata: {")),
    ] {
        for cut in [Cut::Nowhere, Cut::Everywhere] {
            let (received, outcome) = line.relay(stream.clone(), cut).await;
            assert_eq!(received, stream, "{name}, cut {cut:?}");
            assert_eq!(outcome, "completed", "{name}, cut {cut:?}");
        }
    }
}

#[tokio::test]
async fn malformed_text_passes_as_it_is() {
    // A stray byte in the first frame, half a character in each of the next two, and one beside the finish reason.
    let crab = "🦀".as_bytes();
    let chunk = |content: &[u8], finish_reason: &str| {
        let frame =
            format!(r#"data: {{"choices":[{{"delta":{{"content":"TEXT"}},"finish_reason":{finish_reason}}}]}}"#);
        let (before, behind) = frame.split_once("TEXT").unwrap();
        [before.as_bytes(), content, behind.as_bytes(), b"\n\n"].concat()
    };
    let stream =
        [chunk(b"\xff", "null"), chunk(&crab[..2], "null"), chunk(&crab[2..], "null"), chunk(b"\xc3", "\"stop\"")];
    let line = Line::new().await;
    for cut in [Cut::Nowhere, Cut::Everywhere] {
        let relayed = line.relay(stream.concat(), cut).await;
        assert_eq!(relayed, (stream.concat().into(), "completed".to_owned()), "{cut:?}");
    }
}

#[tokio::test]
async fn a_last_frame_without_its_empty_line_is_delivered_complete() {
    let whole = [ROLE, &token("all")].concat();
    let finish = FINISH.trim_end();
    let line = Line::new().await;
    for (stream, ending) in [
        (format!("{whole}{finish}"), "\n\n"),
        (format!("{whole}{finish}\n"), "\n"),
        (format!("{whole}{finish}\r\n"), "\n"),
        (format!("{whole}{finish}\r"), "\n\n"),
        (format!("{whole}{FINISH}data: [DONE]"), "\n\n"),
        (format!("{whole}{FINISH}data: [DONE]\n"), "\n"),
        // Nothing but a last frame.
        (finish.to_owned(), "\n\n"),
        (format!("{BOM}{finish}\n"), "\n"),
    ] {
        let (received, outcome) = line.relay(stream.clone(), Cut::Nowhere).await;
        assert_eq!(received, stream.clone() + ending);
        assert_eq!(outcome, "completed", "{stream:?}");
    }
}

// === Time ===

#[tokio::test]
async fn each_frame_is_forwarded_the_moment_it_is_whole() {
    let cue = Arc::<Notify>::default();
    let tokens: Vec<_> = (0..20).map(|index| format!("<{index}>")).collect();
    let script = tokens.iter().fold(Script::stream().send(ROLE), |script, text| script.send(token(text)).cue(&cue));
    let upstream = Upstream::start(script.send(FINISH).send(DONE).end()).await;
    let proxy = Proxy::before(&upstream).await;
    let mut client = Client::chat(proxy.address, true).await;
    for text in &tokens {
        client.read_until(text).await;
        cue.notify_one();
    }
    client.read_until("[DONE]").await;
}

#[tokio::test]
async fn what_is_whole_does_not_wait_for_what_is_not() {
    let cue = Arc::<Notify>::default();
    let second = token("second");
    let (begin, end) = second.split_at(second.len() - 1);
    let script = Script::stream().send([ROLE, &token("first"), begin].concat()).cue(&cue).send(end.to_owned()).hang();
    let upstream = Upstream::start(script).await;
    let proxy = Proxy::before(&upstream).await;
    let mut client = Client::chat(proxy.address, true).await;
    assert!(!client.read_until("first").await.contains("second"));
    cue.notify_one();
    client.read_until("second").await;
}

#[tokio::test]
async fn a_byte_order_mark_behind_a_keep_alive_is_taken_away() {
    // There it would be part of the first field's name, and clients would not know the field.
    let cue = Arc::<Notify>::default();
    let stream = [ROLE, &token("all"), FINISH, DONE].concat();
    let script = Script::stream().cue(&cue).send([BOM, &stream].concat()).end();
    for path in ["/v1/chat/completions", "/v1/responses"] {
        let upstream = Upstream::start(script.clone()).await;
        let proxy = Proxy::configured(&upstream, |config| {
            config.stream.commit_after = Duration::from_millis(20);
            config.stream.keep_alive = Some(Duration::from_millis(20));
        })
        .await;
        let mut client = Client::connect(proxy.address).await;
        client.send(&request(path, &chat(true))).await;
        client.read_until(": keep-alive\n").await;
        cue.notify_one();
        let text = client.read_until("[DONE]").await;
        assert!(!text.contains(BOM), "{path}: {text:?}");
    }
}

// === Size ===

#[tokio::test]
async fn a_frame_beyond_the_limit_ends_the_stream_in_an_error_and_stops_the_upstream() {
    // A line that would be an event by itself, and a comment without end.
    let line = vec![b'x'; 64 * 1024];
    let script = Script::stream().send([ROLE, &token("first")].concat()).send("data: {}\n:").repeat(line, 1024).hang();
    let mut upstream = Upstream::start(script).await;
    let proxy = Proxy::configured(&upstream, |config| config.stream.max_frame_bytes = 64 * 1024).await;
    let response = proxy.chat(true).await;
    let request_id = response.headers()["x-request-id"].to_str().unwrap().to_owned();
    let text = soon("the end of the stream", response.text()).await.unwrap();
    upstream.abandoned().await;

    let error = text.strip_prefix(&[ROLE, &token("first")].concat()).unwrap();
    assert!(error.starts_with("data: {\"error\":") && error.ends_with("}}\n\n"), "{error}");
    assert!(error.contains("65536 bytes") && error.contains("stream.max_frame_bytes"), "{error}");
    assert!(error.contains("\"code\":\"upstream_too_large\""), "{error}");
    // What the kernel's buffers hold, and no more: the proxy stopped reading.
    assert!(upstream.bytes_sent() < 48 * 1024 * 1024, "{} bytes taken", upstream.bytes_sent());
    let line = proxy.log_line(&request_id).await;
    assert_eq!((line["outcome"].as_str(), line["error"].as_str()), ("upstream_failed", "upstream_too_large"));
}

#[tokio::test]
async fn a_first_frame_beyond_the_limit_is_an_http_error() {
    // As one line, and as comments that never come to an event.
    for piece in ["x".repeat(64 * 1024), ": waiting\n".repeat(6 * 1024)] {
        let mut upstream = Upstream::start(Script::stream().repeat(piece, 1024).hang()).await;
        let proxy = Proxy::configured(&upstream, |config| config.stream.max_frame_bytes = 64 * 1024).await;
        let response = proxy.chat(true).await;
        assert_eq!(response.status(), 502);
        let error: serde_json::Value = serde_json::from_slice(&response.bytes().await.unwrap()).unwrap();
        assert_eq!(error["error"]["code"], "upstream_too_large", "{error}");
        upstream.abandoned().await;
    }
}

#[tokio::test]
async fn a_frame_of_exactly_the_limit_passes() {
    let large = token(&"x".repeat(60 * 1024));
    let stream = [ROLE, &large, FINISH, DONE].concat();
    let upstream = Upstream::start(Cut::Anywhere(3).script(stream.clone())).await;
    let proxy = Proxy::configured(&upstream, |config| config.stream.max_frame_bytes = large.len()).await;
    assert_eq!(soon("the stream", proxy.chat(true).await.text()).await.unwrap(), stream);
}

// === Headers ===

#[tokio::test]
async fn a_stream_has_the_headers_that_keep_it_flowing_and_none_that_do_not() {
    let theirs = "content-type: text/event-stream; charset=utf-8\r\ncache-control: private, max-age=60\r\n\
                  x-accel-buffering: yes\r\ncontent-encoding: identity\r\nx-request-id: theirs\r\n\
                  openai-processing-ms: 12\r\nx-ratelimit-remaining-requests: 5\r\nset-cookie: a=b\r\nserver: other\r\n";
    let upstream = Upstream::start(Script::head("200 OK", theirs).send([ROLE, FINISH, DONE].concat()).end()).await;
    let proxy = Proxy::before(&upstream).await;
    let request = client()
        .post(proxy.url("/v1/chat/completions"))
        .header("content-type", "application/json")
        .header("x-request-id", "run-7")
        .header("accept-encoding", "gzip, br")
        .body(chat(true));
    let response = soon("a response head", request.send()).await.unwrap();
    let mut headers: Vec<_> = response
        .headers()
        .iter()
        .map(|(name, value)| (name.as_str(), value.to_str().unwrap()))
        .filter(|(name, _)| !matches!(*name, "date" | "vary"))
        .collect();
    headers.sort_unstable();
    assert_eq!(
        headers,
        [
            ("cache-control", "no-cache, no-transform"),
            ("content-type", "text/event-stream"),
            ("openai-processing-ms", "12"),
            ("transfer-encoding", "chunked"),
            ("x-accel-buffering", "no"),
            ("x-ratelimit-remaining-requests", "5"),
            ("x-request-id", "run-7"),
            ("x-upstream-request-id", "theirs"),
        ]
    );
}

#[tokio::test]
async fn an_event_stream_is_known_by_its_type_whatever_its_parameters() {
    let line = Line::new().await;
    for content_type in ["text/event-stream;", "text/event-stream;x bogus", "Text/Event-Stream ; charset=windows-1252"]
    {
        let script = Script::head("200 OK", &format!("content-type: {content_type}\r\n"));
        *line.next.lock().unwrap() = script.send([ROLE, FINISH, DONE].concat()).end();
        let response = line.proxy.chat(true).await;
        assert_eq!(response.status(), 200, "{content_type}");
        assert_eq!(response.headers()["content-type"], "text/event-stream");
    }
}

#[tokio::test]
async fn a_stream_passes_over_http_2_as_it_does_over_http_1() {
    let stream = [BOM, ROLE, &token("Grüße 🦀").replace('\n', "\r\n"), FINISH, DONE].concat();
    let upstream = Upstream::start(Cut::Everywhere.script(stream.clone())).await;
    let proxy = Proxy::before(&upstream).await;
    let client = reqwest::Client::builder().http2_prior_knowledge().no_proxy().build().unwrap();
    let request =
        client.post(proxy.url("/v1/chat/completions")).header("content-type", "application/json").body(chat(true));
    let response = soon("a response head", request.send()).await.unwrap();
    assert_eq!(response.version(), http::Version::HTTP_2);
    assert_eq!(soon("the stream", response.text()).await.unwrap(), stream);
}
