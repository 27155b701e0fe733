//! Log lines on standard error, as text or JSON.

use tracing::level_filters::LevelFilter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

use super::lines::Lines;
use super::text::Text;
use crate::config::log::{Format, Level, Log};

/// Starts logging for the whole process. Only the first call has an effect.
pub fn init(config: &Log) {
    let level = match config.level {
        Level::Error => LevelFilter::ERROR,
        Level::Warn => LevelFilter::WARN,
        Level::Info => LevelFilter::INFO,
        Level::Debug => LevelFilter::DEBUG,
        Level::Trace => LevelFilter::TRACE,
    };
    let lines = tracing_subscriber::fmt::layer().with_writer(Lines);
    let registry = tracing_subscriber::registry().with(level);
    let result = match config.format {
        Format::Text => registry.with(lines.event_format(Text)).try_init(),
        Format::Json => registry.with(lines.json().flatten_event(true)).try_init(),
    };
    if result.is_err() {
        tracing::debug!("logging was already set up");
    }
}
