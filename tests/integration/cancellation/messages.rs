//! The same for Anthropic Messages.

use std::time::Duration;

use super::{Phase, Sign};
use crate::support::anthropic::{PING, START, message, text};
use crate::support::{Script, request};

fn of(path: &str, stream: bool, script: Script, sign: Sign) -> Phase {
    Phase::of(request(path, &message(stream)), script, sign)
}

#[tokio::test]
async fn a_client_that_leaves_before_the_first_event_of_a_message_stops_the_upstream() {
    for script in [Script::silence(), Script::stream().hang(), Script::stream().send(PING).hang()] {
        of("/v1/messages", true, script, Sign::Asked).ends_when_the_client_leaves().await;
    }
}

#[tokio::test]
async fn a_client_that_leaves_while_pings_stand_in_for_the_first_event_stops_the_upstream() {
    let phase = of("/v1/messages", true, Script::silence(), Sign::Received("event: ping"));
    let configure = |config: &mut sluicegate::config::Config| {
        config.stream.commit_after = Duration::from_millis(50);
        config.stream.keep_alive = Some(Duration::from_secs(60));
    };
    Phase { configure, ..phase }.ends_when_the_client_leaves().await;
}

#[tokio::test]
async fn a_client_that_leaves_between_two_events_stops_the_upstream() {
    let script = Script::stream().send(START).send(text("one")).hang();
    of("/v1/messages", true, script, Sign::Received("one")).ends_when_the_client_leaves().await;
}

#[tokio::test]
async fn a_client_that_leaves_while_waiting_for_a_whole_message_or_a_count_stops_the_upstream() {
    for path in ["/v1/messages", "/v1/messages/count_tokens"] {
        of(path, false, Script::silence(), Sign::Asked).ends_when_the_client_leaves().await;
    }
}
