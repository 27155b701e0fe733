//! What sluicegate tells its operator.

pub mod logging;
pub mod record;
mod text;

pub use record::Record;
