//! Counts instructions with valgrind's cachegrind, under which this program runs itself.

use std::env;
use std::io::ErrorKind;
use std::process::{Child, Command, Stdio};

/// The argument with which it does; how many units and the case's name follow.
pub(crate) const RUN: &str = "--run";

/// Enough for what happens once in a while, such as the growth of a buffer, to hardly count.
const UNITS: u64 = 200;

/// Whether counts of this machine can be compared with those of another one. valgrind shows every program the same
/// processor wherever there is AVX2; without it, searching and copying take other ways.
pub(crate) fn is_comparable() -> bool {
    #[cfg(target_arch = "x86_64")]
    let has_avx2 = std::arch::is_x86_feature_detected!("avx2");
    #[cfg(not(target_arch = "x86_64"))]
    let has_avx2 = false;
    has_avx2 && cfg!(all(target_os = "linux", target_env = "gnu"))
}

/// Instructions in user space per unit of the case `name`: the difference between some units and twice as many, which is
/// without what comes before and after them.
pub(crate) fn count(name: &str) -> Result<u64, String> {
    let (once, twice) = (start(name, UNITS)?, start(name, 2 * UNITS)?);
    let (once, twice) = (instructions(name, once)?, instructions(name, twice)?);
    Ok(twice.saturating_sub(once) / UNITS)
}

fn start(name: &str, units: u64) -> Result<Child, String> {
    let this = env::current_exe().map_err(|error| format!("this program cannot be found: {error}"))?;
    let mut command = Command::new("valgrind");
    command.args(["--tool=cachegrind", "--cache-sim=no", "--cachegrind-out-file=/dev/stdout"]);
    command.arg(this).args([RUN, &units.to_string(), name]).stdout(Stdio::piped()).stderr(Stdio::piped());
    // Variables of the caller may change what valgrind and the C library do.
    command.env_clear().envs(env::var_os("PATH").map(|path| ("PATH", path)));
    command.spawn().map_err(|error| match error.kind() {
        ErrorKind::NotFound => "valgrind is missing; on Debian: apt-get install valgrind".to_owned(),
        _ => format!("valgrind does not start: {error}"),
    })
}

/// The sum at the end of what cachegrind writes.
fn instructions(name: &str, child: Child) -> Result<u64, String> {
    let output = child.wait_with_output().map_err(|error| format!("valgrind cannot be read: {error}"))?;
    let report = String::from_utf8_lossy(&output.stdout);
    let sum = report.lines().rev().find_map(|line| line.strip_prefix("summary: ")?.trim().parse().ok());
    sum.filter(|_| output.status.success()).ok_or_else(|| {
        format!("{name} cannot be counted: {}\n{}", output.status, String::from_utf8_lossy(&output.stderr))
    })
}
