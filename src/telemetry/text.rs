//! Log lines for people: time, level, message, then `name=value` pairs, as short as they can be.
//!
//! A line is written for every request, so it is formatted in one pass without styles. Values come from outside in part (a
//! model's name, a path): what is not plain is quoted and escaped, so that no value can pretend to be a line or a field.

use std::cell::RefCell;
use std::fmt;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tracing::field::{Field, Visit};
use tracing::{Event, Subscriber};
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::registry::LookupSpan;

/// Writes one event as one line.
pub(super) struct Text;

impl<S, N> FormatEvent<S, N> for Text
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(&self, _: &FmtContext<'_, S, N>, mut line: Writer<'_>, event: &Event<'_>) -> fmt::Result {
        write_time(&mut line)?;
        line.write_char(' ')?;
        line.write_str(event.metadata().level().as_str())?;
        let mut fields = Fields { line, result: Ok(()) };
        event.record(&mut fields);
        fields.result?;
        fields.line.write_char('\n')
    }
}

thread_local! {
    /// The last second that was written, and how.
    static SECOND: RefCell<(u64, String)> = const { RefCell::new((0, String::new())) };
}

/// Writes the time of day in UTC, to the microsecond. The calendar is asked once a second.
fn write_time(line: &mut Writer<'_>) -> fmt::Result {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let write = |(second, text): &mut (u64, String)| {
        if *second != now.as_secs() || text.is_empty() {
            *second = now.as_secs();
            *text = humantime::format_rfc3339_seconds(UNIX_EPOCH + Duration::from_secs(*second)).to_string();
        }
        write!(line, "{}.{:06}Z", text.trim_end_matches('Z'), now.subsec_micros())
    };
    SECOND.with_borrow_mut(write)
}

struct Fields<'a> {
    line: Writer<'a>,
    result: fmt::Result,
}

impl Fields<'_> {
    fn write(&mut self, field: &Field, value: impl FnOnce(&mut Writer<'_>) -> fmt::Result) {
        if self.result.is_ok() {
            self.result = (|| {
                self.line.write_char(' ')?;
                if field.name() != "message" {
                    self.line.write_str(field.name())?;
                    self.line.write_char('=')?;
                }
                value(&mut self.line)
            })();
        }
    }
}

impl Visit for Fields<'_> {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.write(field, |line| if is_plain(value) { line.write_str(value) } else { write!(line, "{value:?}") });
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        // Seconds, to the microsecond, by way of integers: those are cheaper to write.
        let micros = (value * 1e6).round() as i64;
        let (sign, micros) = (if micros < 0 { "-" } else { "" }, micros.unsigned_abs());
        self.write(field, |line| write!(line, "{sign}{}.{:06}", micros / 1_000_000, micros % 1_000_000));
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.write(field, |line| write!(line, "{value:?}"));
    }
}

fn is_plain(value: &str) -> bool {
    !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_graphic() && !matches!(byte, b'"' | b'=' | b'\\'))
}

#[cfg(test)]
mod tests {
    use std::io::{self, Write};
    use std::sync::{Arc, Mutex};

    use super::*;

    #[derive(Clone, Default)]
    struct Lines(Arc<Mutex<Vec<u8>>>);

    impl Write for Lines {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_line_is_one_line_whatever_its_values() {
        let lines = Lines::default();
        let writer = lines.clone();
        let subscriber = tracing_subscriber::fmt().event_format(Text).with_writer(move || writer.clone()).finish();
        tracing::subscriber::with_default(subscriber, || {
            tracing::info!(model = "a\nb outcome=forged", status = 200, seconds = 0.25, path = "/v1/x", "request");
        });
        let text = String::from_utf8(lines.0.lock().unwrap().clone()).unwrap();
        assert!(
            text.ends_with("Z INFO request model=\"a\\nb outcome=forged\" status=200 seconds=0.250000 path=/v1/x\n"),
            "{text:?}"
        );
    }
}
