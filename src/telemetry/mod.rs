//! What sluicegate tells its operator.

pub mod lines;
pub mod logging;
pub mod record;
mod text;

pub use record::Record;
