//! Whoever comes back goes on where they were.

use std::sync::Arc;

use tokio::sync::Notify;

use super::{TONGUES, begin, body, come_back, cued, events, name, proxy, resumable, said};
use crate::support::{Client, Proxy, Reply, Tongue, Upstream, client, soon, with_header};

const TEXTS: [&str; 5] = ["eins", "zwei", "drei", "vier", "fünf"];

/// Leaves the stream at every text, comes back, and returns all that was said.
async fn leave_at_every_token(proxy: &Proxy, tongue: Tongue, cue: &Arc<Notify>) -> String {
    let mut reader = begin(proxy, tongue, None).await;
    let (mut whole, mut last, mut stream) = (String::new(), None, String::new());
    for text in TEXTS {
        cue.notify_one();
        reader.read_until(text).await;
        if stream.is_empty() {
            stream = name(&reader);
        }
        // Only what has come whole counts, as for every client.
        let came = events(&body(&reader));
        whole.extend(came.iter().map(|event| event.text.as_str()));
        last = came.last().map(|event| event.id.clone()).or(last);
        drop(reader);
        reader = come_back(proxy, &stream, last.as_deref()).await;
    }
    cue.notify_one();
    reader.read_until("\r\n0\r\n\r\n").await;
    whole + &said(&body(&reader))
}

#[tokio::test]
async fn a_client_that_leaves_at_every_token_and_comes_back_loses_nothing_and_gets_nothing_twice() {
    for tongue in TONGUES {
        let cue = Arc::<Notify>::default();
        let upstream = Upstream::start(cued(tongue, &TEXTS, &cue)).await;
        let proxy = proxy(&upstream, tongue, |_| {}).await;
        let whole = leave_at_every_token(&proxy, tongue, &cue).await;
        let texts: String = TEXTS.iter().map(|text| tongue.text(text)).collect();
        let sent = tongue.begin() + &texts + &tongue.end(&TEXTS.concat());
        assert_eq!(whole, sent.replace("\r\n", "\n"), "{tongue:?}");
        assert_eq!(upstream.request_count(), 1);
    }
}

#[tokio::test]
async fn a_translated_stream_goes_on_where_it_was_left() {
    let (client, speaks) = (Tongue::Anthropic, Tongue::Chat);
    let cue = Arc::<Notify>::default();
    let upstream = Upstream::start(cued(speaks, &TEXTS, &cue)).await;
    let proxy = proxy(&upstream, speaks, |_| {}).await;
    let whole = leave_at_every_token(&proxy, client, &cue).await;
    for text in TEXTS {
        assert_eq!(whole.matches(&format!("\"{text}\"")).count(), 1, "{whole}");
    }
    assert!(client.is_whole(&whole) && whole.matches("message_start").count() == 2, "{whole}");
    assert_eq!(upstream.request_count(), 1);
}

#[tokio::test]
async fn a_stream_that_is_cut_anywhere_is_whole_with_what_is_fetched_behind_its_last_event() {
    for tongue in TONGUES {
        let upstream = Upstream::start(tongue.stream(&TEXTS)).await;
        let proxy = proxy(&upstream, tongue, |_| {}).await;
        let mut reader = begin(&proxy, tongue, None).await;
        reader.read_until("\r\n0\r\n\r\n").await;
        let (stream, whole) = (name(&reader), body(&reader));
        let expected = events(&whole);
        for cut in (0..=whole.len()).step_by(13).filter(|cut| whole.is_char_boundary(*cut)) {
            let mut came = events(&whole[..cut]);
            let after = came.last().map_or("0", |event| event.id.rsplit(':').next().unwrap()).to_owned();
            let rest = Reply::of(proxy.get(&format!("/v1/streams/{stream}?after={after}")).await).await;
            came.extend(events(&rest.body));
            assert_eq!(came, expected, "{tongue:?} cut at {cut}");
        }
    }
}

#[tokio::test]
async fn ids_count_the_events_and_only_the_first_says_when_to_come_back() {
    for tongue in TONGUES {
        let upstream = Upstream::start(tongue.stream(&TEXTS)).await;
        let proxy = proxy(&upstream, tongue, |_| {}).await;
        let mut reader = begin(&proxy, tongue, None).await;
        reader.read_until("\r\n0\r\n\r\n").await;
        let (stream, whole) = (name(&reader), body(&reader));
        let ids: Vec<String> = events(&whole).into_iter().map(|event| event.id).collect();
        let counted: Vec<String> = (1..=ids.len()).map(|number| format!("{stream}:{number}")).collect();
        assert_eq!(ids, counted, "{tongue:?}");
        assert_eq!((stream.len(), whole.matches("retry: 1000").count()), (32, 1), "{tongue:?}");
        let first = whole.replace("\r\n", "\n");
        assert!(first.starts_with(&format!("id: {stream}:1\nretry: 1000\n")), "{tongue:?}: {whole}");
    }
}

#[tokio::test]
async fn a_post_with_the_last_event_id_goes_on_and_asks_nobody_again() {
    for tongue in TONGUES {
        let upstream = Upstream::start(tongue.stream(&TEXTS)).await;
        let proxy = proxy(&upstream, tongue, |_| {}).await;
        let mut reader = begin(&proxy, tongue, None).await;
        reader.read_until("\r\n0\r\n\r\n").await;
        let whole = events(&body(&reader));
        let mut again = Client::connect(proxy.address).await;
        again.send(&with_header(&resumable(tongue), &format!("last-event-id: {}", whole[1].id))).await;
        again.read_until("\r\n0\r\n\r\n").await;
        assert_eq!(events(&body(&again)), whole[2..], "{tongue:?}");
        assert_eq!(name(&again), name(&reader));
        assert_eq!(upstream.request_count(), 1, "{tongue:?}");
    }
}

#[tokio::test]
async fn a_last_event_id_of_somebody_else_s_is_no_reason_not_to_ask() {
    let upstream = Upstream::start(Tongue::Chat.stream(&TEXTS)).await;
    let proxy = proxy(&upstream, Tongue::Chat, |_| {}).await;
    for id in ["7", "chatcmpl-1:3", ""] {
        let mut reader = begin(&proxy, Tongue::Chat, Some(&format!("last-event-id: {id}"))).await;
        reader.read_until("[DONE]").await;
    }
    assert_eq!(upstream.request_count(), 3);
}

#[tokio::test]
async fn a_stream_that_has_been_delivered_whole_answers_204() {
    let upstream = Upstream::start(Tongue::Chat.stream(&TEXTS)).await;
    let proxy = proxy(&upstream, Tongue::Chat, |_| {}).await;
    let mut reader = begin(&proxy, Tongue::Chat, None).await;
    reader.read_until("\r\n0\r\n\r\n").await;
    let last = events(&body(&reader)).pop().unwrap().id;
    let get = client().get(proxy.url(&format!("/v1/streams/{}", name(&reader)))).header("last-event-id", &last);
    let reply = Reply::of(soon("an answer", get.send()).await.unwrap()).await;
    assert_eq!((reply.status, &*reply.body), (204, ""));
    let by_url = proxy.get(&format!("/v1/streams/{}?after={}", name(&reader), last.replace(':', "%3A"))).await;
    assert_eq!(by_url.status(), 204);
    let post = client().post(proxy.url("/v1/chat/completions")).header("last-event-id", &last).body("{}");
    assert_eq!(soon("an answer", post.send()).await.unwrap().status(), 204);
    assert_eq!(upstream.request_count(), 1);
}

#[tokio::test]
async fn an_end_that_is_an_error_is_kept_like_any_other() {
    let broken = Tongue::Chat.head().send(Tongue::Chat.begin()).send(Tongue::Chat.text("eins")).wait(100).close();
    let upstream = Upstream::start(broken).await;
    let proxy = proxy(&upstream, Tongue::Chat, |_| {}).await;
    let mut reader = begin(&proxy, Tongue::Chat, None).await;
    reader.read_until("\r\n0\r\n\r\n").await;
    let whole = events(&body(&reader));
    assert!(whole.last().unwrap().text.contains("\"error\""), "{whole:?}");
    let rest = Reply::of(proxy.get(&format!("/v1/streams/{}?after=2", name(&reader))).await).await;
    assert_eq!(events(&rest.body), whole[2..]);
    assert_eq!(rest.error_event()["code"], "upstream_connection_broken");
}
