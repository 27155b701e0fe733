//! The line that a request leaves in the log.

use std::time::Duration;

use http::{Method, StatusCode};
use sluicegate::canonical::Usage;
use sluicegate::config::Config;
use sluicegate::telemetry::record::{Facts, Outcome};
use sluicegate::telemetry::{Record, logging};

use super::{Case, clock};

pub(super) const CASES: &[Case] = &[Case { name: "log line/a stream", set_up: write }];

/// Writes lines to standard error.
fn write() -> Box<dyn FnMut()> {
    logging::init(&Config::for_testing().log);
    let stopped = clock::stop();
    Box::new(move || {
        let _ = &stopped;
        let path = "/v1/chat/completions".to_owned();
        let record = Record::new("0123456789abcdef0123456789abcdef".to_owned(), Method::POST, path);
        *record.facts() = facts();
    })
}

fn facts() -> Facts {
    Facts {
        model: Some("gpt-4o-mini".to_owned()),
        provider: Some("openai".into()),
        status: Some(StatusCode::OK),
        outcome: Some(Outcome::Completed),
        time_to_first_token: Some(Duration::from_micros(412_345)),
        frames: 345,
        bytes: 98_765,
        usage: Some(Usage { input_tokens: 1234, output_tokens: 341, ..Usage::default() }),
        ..Facts::default()
    }
}
