//! What each case costs in instructions, and whether that is what has been accepted.
//!
//! Time depends on the machine and on what else runs on it; the number of instructions hardly does.

use std::env;
use std::process::ExitCode;

use accepted::{Counts, percent};

mod accepted;
mod cases;
mod valgrind;

const USAGE: &str = "usage: cargo bench [-- --check | --accept]";

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let result = match arguments[..] {
        [valgrind::RUN, units, name] => run(units, name),
        // cargo bench adds `--bench`.
        ["--bench"] => count_all().map(drop),
        ["--check", "--bench"] => check(),
        ["--accept", "--bench"] => accept(),
        // cargo test does not, and there is nothing to test.
        [] => {
            println!("{USAGE}");
            Ok(())
        }
        _ => Err(USAGE.to_owned()),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("{message}");
            ExitCode::FAILURE
        }
    }
}

/// Runs a case and nothing else: what valgrind looks at.
fn run(units: &str, name: &str) -> Result<(), String> {
    let units: u64 = units.parse().map_err(|error| format!("{units:?} units: {error}"))?;
    let case = cases::all().find(|case| case.name == name).ok_or_else(|| format!("there is no case {name:?}"))?;
    let mut unit = (case.set_up)();
    (0..units).for_each(|_| unit());
    Ok(())
}

/// Counts every case and prints it beside what has been accepted.
fn count_all() -> Result<Counts, String> {
    let accepted = accepted::read()?;
    println!("{:42} {:>12} {:>12}", "instructions of", "counted", "accepted");
    let count = |name: &str| {
        let count = valgrind::count(name)?;
        let beside = accepted.get(name).map(|&accepted| format!("{accepted:12} {:+7.2} %", percent(count, accepted)));
        println!("{name:42} {count:12} {}", beside.unwrap_or_default());
        Ok((name.to_owned(), count))
    };
    cases::all().map(|case| count(case.name)).collect()
}

fn check() -> Result<(), String> {
    if !valgrind::is_comparable() {
        println!("The accepted counts are for Linux on x86_64 with AVX2: nothing is checked on this machine.");
        return Ok(());
    }
    let differences = accepted::compare(&count_all()?, &accepted::read()?);
    if differences.is_empty() {
        return Ok(());
    }
    Err(format!(
        "\n{}\n\nIf that is meant, run `cargo bench -- --accept` and commit the change of {}.\n\
         If it is not, docs/performance.md says how to see where the instructions are.",
        differences.join("\n"),
        accepted::FILE
    ))
}

fn accept() -> Result<(), String> {
    if !valgrind::is_comparable() {
        return Err("Counts are accepted on Linux on x86_64 with AVX2 only.".to_owned());
    }
    accepted::write(&count_all()?)
}
