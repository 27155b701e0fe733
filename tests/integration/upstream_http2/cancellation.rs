//! Two hundred clients that leave whenever they like leave nothing behind, here or there. What each of them does to its own
//! stream is told in `cancellation/http2`.

use std::time::Duration;

use tokio::runtime::Handle;
use tokio::task::JoinSet;

use super::{ask_at_once, assert_whole, proxy_before};
use crate::support::{Client, Http2Upstream, ROLE, chat, request, soon, token, until, with_header};

#[tokio::test]
async fn clients_that_leave_at_random_leave_no_stream_and_no_task() {
    let mut upstream = Http2Upstream::with_max_streams(20).await;
    let proxy = proxy_before(&upstream.url(), |limits| limits.http2_connections = 3).await;
    // The connections stay, and so do their tasks; all places on them are taken once to have them.
    let replies = ask_at_once(&proxy, 60);
    upstream.requests(60).await.into_iter().for_each(|exchange| exchange.answer("hi"));
    assert_whole(replies).await;
    proxy.has_no_connection().await;
    let tasks = || Handle::current().metrics().num_alive_tasks();
    let before = tasks();

    let mut visitors = JoinSet::new();
    for number in 0..200_u64 {
        let address = proxy.address;
        // Spread as dice would, the same every time.
        let [arrival, stay] = [number * 7919 % 600, number * 104_729 % 300].map(Duration::from_millis);
        visitors.spawn(async move {
            tokio::time::sleep(arrival).await;
            let mut client = Client::connect(address).await;
            let request = request("/v1/chat/completions", &chat(true));
            client.send(&with_header(&request, &format!("x-request-id: visitor-{number}"))).await;
            tokio::time::sleep(stay).await;
            drop(client);
        });
    }
    let left = soon("the end of all visits", async {
        let mut left = JoinSet::new();
        loop {
            tokio::select! {
                visit = visitors.join_next() => if visit.is_none() { return left },
                mut exchange = upstream.request() => {
                    left.spawn(async move {
                        // Some have left already.
                        let _ = match exchange.connection % 3 {
                            0 => Ok(()),
                            1 => exchange.try_send(": busy\n\n"),
                            _ => exchange.try_send([ROLE, &token(&"x".repeat(100_000))].concat()),
                        };
                        exchange.was_reset().await
                    });
                }
            }
        }
    });
    let left = left.await;
    assert!(left.len() > 20, "{} got anywhere", left.len());
    soon("the end of every stream", left.join_all()).await;
    proxy.has_no_connection().await;
    until("the end of every task", || tasks() == before).await;

    // All places are free again.
    let replies = ask_at_once(&proxy, 60);
    let mut running = Vec::new();
    while running.len() < 60 {
        let exchange = upstream.request().await;
        // The last of the visitors may not have been looked at.
        let id = exchange.request.headers()["x-request-id"].to_str().unwrap();
        if !id.starts_with("visitor") {
            running.push(exchange);
        }
    }
    running.into_iter().for_each(|exchange| exchange.answer("hi"));
    assert_whole(replies).await;
    assert_eq!(upstream.accepted_count(), 3);
}
