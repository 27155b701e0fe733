//! What every dialect can say, in one vocabulary.

pub mod usage;

pub use usage::Usage;
