//! Reads the log lines that the proxy writes.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, Once};
use std::time::Duration;

use tracing::field::{Field, Visit};
use tracing::{Event, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::{Context, SubscriberExt};
use tracing_subscriber::util::SubscriberInitExt;

/// The fields of one log line, written out.
pub type Line = BTreeMap<String, String>;

static LINES: Mutex<Vec<Line>> = Mutex::new(Vec::new());

/// Keeps every log line of this process from now on.
pub fn capture() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| tracing_subscriber::registry().with(Keep).init());
}

/// A request id that no other request has.
pub fn new_id() -> String {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    format!("request-{}", NEXT.fetch_add(1, Ordering::Relaxed))
}

/// Waits for the line of the request with this id.
pub async fn line_of(request_id: &str) -> Line {
    loop {
        match lines_of(request_id).pop() {
            Some(line) => return line,
            None => tokio::time::sleep(Duration::from_millis(5)).await,
        }
    }
}

/// The lines so far of the request with this id.
pub fn lines_of(request_id: &str) -> Vec<Line> {
    let is_its = |line: &&Line| line.get("request_id").is_some_and(|id| id == request_id);
    LINES.lock().unwrap().iter().filter(is_its).cloned().collect()
}

/// Every line so far, of all tests.
pub fn all() -> Vec<Line> {
    LINES.lock().unwrap().clone()
}

struct Keep;

impl<S: Subscriber> Layer<S> for Keep {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let mut fields = Fields(Line::new());
        event.record(&mut fields);
        LINES.lock().unwrap().push(fields.0);
    }
}

struct Fields(Line);

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.0.insert(field.name().to_owned(), format!("{value:?}"));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.0.insert(field.name().to_owned(), value.to_owned());
    }
}
