//! A whole response, as a client reads it.

use reqwest::header::HeaderMap;
use serde_json::Value;

use super::soon;

pub const KEEP_ALIVE: &str = ": keep-alive\n";

#[derive(Debug)]
pub struct Reply {
    pub status: u16,
    pub headers: HeaderMap,
    pub body: String,
}

impl Reply {
    /// Reads `response` to its proper end; one that breaks off fails the test.
    pub async fn of(response: reqwest::Response) -> Self {
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let body = soon("the end of the response", response.text()).await.expect("a response that does not break off");
        Self { status, headers, body }
    }

    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    pub fn request_id(&self) -> &str {
        self.header("x-request-id")
    }

    /// The body without what the proxy added to keep it alive.
    pub fn without_keep_alives(&self) -> String {
        self.body.replace(KEEP_ALIVE, "")
    }

    /// The error that the response is.
    pub fn error(&self) -> Value {
        let body: Value = serde_json::from_str(&self.body).unwrap_or_else(|_| panic!("no JSON: {self:?}"));
        assert!(body["error"]["message"].as_str().is_some_and(|message| !message.is_empty()), "no error: {self:?}");
        body["error"].clone()
    }

    /// The error that the stream ends in: one, the last thing in it, and no `[DONE]`.
    pub fn error_event(&self) -> Value {
        let errors: Vec<_> = self.events().filter(|event| event["error"].is_object()).collect();
        assert_eq!(errors.len(), 1, "not one error: {self:?}");
        assert!(!self.body.contains("[DONE]"), "a lie: {self:?}");
        assert_eq!(self.events().last(), errors.first().cloned(), "something behind the error: {self:?}");
        assert!(self.body.ends_with("\n\n"), "an event that is never dispatched: {self:?}");
        errors[0]["error"].clone()
    }

    /// The data of every event that is JSON.
    fn events(&self) -> impl Iterator<Item = Value> {
        self.body.lines().filter_map(|line| serde_json::from_str(line.strip_prefix("data:")?).ok())
    }
}
