//! The comparison: rounds over all subjects, then the table.

use std::io;

use crate::about::{self, about};
use crate::args::Args;
use crate::runner;

/// Says whether every answer was as it should be.
pub async fn run(args: Args) -> io::Result<bool> {
    let settings = [("rounds", args.rounds.to_string()), ("held streams", args.size.held.to_string())];
    let about = about(&settings, &args.subjects);
    let report = runner::run(&args, &about).await?;
    about::print(&about);
    println!("{}", report.table());
    for failure in &report.failures {
        println!("FAILED: {failure}");
    }
    Ok(report.failures.is_empty())
}
