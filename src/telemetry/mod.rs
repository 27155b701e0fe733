//! What sluicegate tells its operator.

pub mod logging;
pub mod record;

pub use record::Record;
