//! Several readers of one stream, each at its own pace.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Notify;

use super::{a_moment, begin, body, come_back, cued, events, list, name, proxy, said};
use crate::support::logs;
use crate::support::{Reply, Tongue, Upstream, new_id, soon, until};

const CHAT: Tongue = Tongue::Chat;

#[tokio::test]
async fn two_readers_follow_one_stream_at_different_paces() {
    let cue = Arc::<Notify>::default();
    let upstream = Upstream::start(cued(CHAT, &["eins", "zwei", "drei"], &cue)).await;
    let proxy = proxy(&upstream, CHAT, |_| {}).await;
    let mut first = begin(&proxy, CHAT, None).await;
    cue.notify_one();
    first.read_until("eins").await;
    // One that comes later sees the same from the beginning, then live.
    let mut second = come_back(&proxy, &name(&first), None).await;
    second.read_until("eins").await;
    let listed = list(&proxy).await;
    assert_eq!(
        (&listed[0]["readers"], &listed[0]["events"], &listed[0]["state"]),
        (&2.into(), &2.into(), &"running".into())
    );
    cue.notify_one();
    second.read_until("zwei").await;
    cue.notify_one();
    second.read_until("drei").await;
    cue.notify_one();
    second.read_until("\r\n0\r\n\r\n").await;
    first.read_until("\r\n0\r\n\r\n").await;
    assert_eq!(events(&body(&first)), events(&body(&second)));
    assert_eq!(upstream.request_count(), 1);
    assert_eq!(list(&proxy).await[0]["state"], "finished");
}

#[tokio::test]
async fn a_reader_that_does_not_read_stalls_neither_the_upstream_nor_the_others() {
    let script = CHAT.head().send(CHAT.begin()).repeat(CHAT.text(&"x".repeat(8 * 1024)), 1000).send(CHAT.end("")).end();
    let upstream = Upstream::start(script).await;
    let proxy = proxy(&upstream, CHAT, |config| config.resume.max_stream_bytes = 1024 * 1024).await;
    let mut stalled = begin(&proxy, CHAT, Some("connection: close")).await;
    stalled.read_until("x-sluicegate-stream-id").await;
    let second = Reply::of(proxy.get(&format!("/v1/streams/{}", name(&stalled))).await).await;
    assert!(second.body.len() > 8_000_000 && second.body.ends_with("data: [DONE]\n\n"), "{}", second.body.len());
    assert_eq!(events(&second.body).len(), 1004);
    let listed = list(&proxy).await;
    assert!(listed[0]["bytes"].as_u64().unwrap() <= 1024 * 1024, "{listed:?}");
    // The one that was left too far behind is told, and not as if it had all.
    stalled.read_to_end().await;
    assert!(body(&stalled).contains("stream_not_found") && !body(&stalled).contains("[DONE]"));
}

#[tokio::test]
async fn a_stream_whose_only_reader_does_not_read_ends_all_the_same() {
    let script = CHAT.head().send(CHAT.begin()).repeat(CHAT.text(&"x".repeat(8 * 1024)), 1000).send(CHAT.end("")).end();
    let upstream = Upstream::start(script).await;
    let proxy = proxy(&upstream, CHAT, |config| config.resume.max_stream_bytes = 1024 * 1024).await;
    let mut stalled = begin(&proxy, CHAT, None).await;
    stalled.read_until("x-sluicegate-stream-id").await;
    soon("the end of the stream", async {
        while list(&proxy).await[0]["state"] != "finished" {
            a_moment().await;
        }
    })
    .await;
}

#[tokio::test]
async fn each_reader_has_its_own_signs_of_life_and_none_of_them_is_kept() {
    for tongue in super::TONGUES {
        let upstream = Upstream::start(tongue.head().send(tongue.begin()).send(tongue.text("eins")).hang()).await;
        let proxy = proxy(&upstream, tongue, |config| config.stream.keep_alive = Some(Duration::from_millis(50))).await;
        let mut reader = begin(&proxy, tongue, None).await;
        reader.read_until("eins").await;
        let events_before = list(&proxy).await[0]["events"].clone();
        a_moment().await;
        let sign = match tongue {
            Tongue::Anthropic => "event: ping\n",
            Tongue::Gemini => r#""parts":[{"text":""}]"#,
            _ => ": keep-alive\n",
        };
        reader.read_until(sign).await;
        assert_eq!(list(&proxy).await[0]["events"], events_before, "{tongue:?}");
        let mut second = come_back(&proxy, &name(&reader), None).await;
        second.read_until(sign).await;
        assert_eq!(said(&body(&second)), (tongue.begin() + &tongue.text("eins")).replace("\r\n", "\n"));
    }
}

#[tokio::test]
async fn a_generation_and_each_of_its_readers_have_one_log_line() {
    let upstream = Upstream::start(CHAT.stream(&["eins"])).await;
    let proxy = proxy(&upstream, CHAT, |_| {}).await;
    let request = new_id();
    let mut first = begin(&proxy, CHAT, Some(&format!("x-request-id: {request}"))).await;
    first.read_until("\r\n0\r\n\r\n").await;
    let reply = proxy.get(&format!("/v1/streams/{}", name(&first))).await;
    let id = reply.headers()["x-request-id"].to_str().unwrap().to_owned();
    soon("the end", reply.text()).await.unwrap();
    until("two lines", || logs::lines_of(&request).len() == 2).await;
    let mut lines = logs::lines_of(&request);
    lines.sort_by_key(|line| line["part"].clone());
    let told = lines.iter().map(|line| [&*line["part"], &*line["outcome"], &*line["stream"]]);
    let short = &name(&first)[..8];
    assert_eq!(told.collect::<Vec<_>>(), [["generation", "completed", short], ["reader", "completed", short]]);
    assert_eq!(
        [lines[0].get("output_tokens").map(|count| &**count), lines[1].get("output_tokens").map(|count| &**count)],
        [Some("9"), None]
    );
    let line = proxy.log_line(&id).await;
    assert_eq!([&*line["part"], &*line["stream"], &*line["outcome"]], ["reader", short, "completed"]);
    // Without keys the name is all it takes to read it.
    assert_eq!(line["path"], "/v1/streams/{id}");
    assert!(logs::all().iter().flatten().all(|(_, value)| !value.contains(&name(&first))));
}
