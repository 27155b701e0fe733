//! A stream that outlives its connection changes hands as any other.

use super::{SWITCHED, TOKENS, begun, proxy, successor, way};
use crate::support::{Client, Tongue, Upstream, request, told, with_header};

#[tokio::test]
async fn a_reader_who_comes_back_misses_nothing_of_either_upstream() {
    for tongue in [Tongue::Chat, Tongue::Anthropic] {
        let first = Upstream::start(begun(tongue, &TOKENS[..3]).close()).await;
        let second = successor(tongue).await;
        let targets = [(&first, tongue, None), (&second, tongue, Some(way(tongue)))];
        let proxy = proxy(&targets, |config| config.stream.keep_alive = None).await;
        let ask = request(tongue.path(true), &tongue.request(true).to_string());
        let mut reader = Client::connect(proxy.address).await;
        reader.send(&with_header(&ask, "x-sluicegate-resumable: true")).await;
        reader.read_until("\r\n0\r\n\r\n").await;
        let body = String::from_utf8(reader.body()).unwrap();
        let whole = told::read(tongue.name(), body.as_bytes());
        assert_eq!((whole.text.as_str(), whole.ended), (&*TOKENS.concat(), true), "{tongue:?}: {body}");
        let ids: Vec<&str> = body.lines().filter_map(|line| line.strip_prefix("id: ")).collect();
        assert!(body.contains(SWITCHED) && ids.len() > TOKENS.len(), "{tongue:?}: {body}");
        for (place, id) in ids.iter().enumerate().take(ids.len() - 1) {
            let mut back = Client::connect(proxy.address).await;
            back.send(&with_header(&ask, &format!("last-event-id: {id}"))).await;
            back.read_until("\r\n0\r\n\r\n").await;
            let missed = String::from_utf8(back.body()).unwrap();
            let told: Vec<&str> = missed.lines().filter_map(|line| line.strip_prefix("id: ")).collect();
            assert_eq!(told, ids[place + 1..], "{tongue:?} behind {id}: {missed}");
        }
        assert_eq!((first.request_count(), second.request_count()), (1, 1), "{tongue:?}");
    }
}

#[tokio::test]
async fn a_page_is_told_each_word_once() {
    let tongue = Tongue::Chat;
    let first = Upstream::start(begun(tongue, &TOKENS[..3]).close()).await;
    let second = successor(tongue).await;
    let targets = [(&first, tongue, None), (&second, tongue, Some(way(tongue)))];
    let proxy = proxy(&targets, |config| config.stream.keep_alive = None).await;
    let created = proxy.post("/v1/streams", tongue.request(true).to_string()).await.text().await.unwrap();
    let created: serde_json::Value = serde_json::from_str(&created).unwrap();
    let url = format!("{}&events=named", created["url"].as_str().unwrap());
    let page = proxy.get(&url).await.text().await.unwrap();
    let words = page.lines().filter_map(|line| line.strip_prefix("data: "));
    let words = words.filter_map(|data| serde_json::from_str::<serde_json::Value>(data).ok());
    let text: String = words.filter_map(|word| word["text"].as_str().map(str::to_owned)).collect();
    assert_eq!(text, TOKENS.concat(), "{page}");
    assert!(page.contains("event: done\n"), "{page}");
}
