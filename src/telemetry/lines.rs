//! Where log lines go: to standard error, at once, or when the thread has nothing better to do.
//!
//! A request's line is written when the last of it is dropped, and that is before its last bytes are written to the client.
//! So a worker holds its lines back until it would wait for something to happen: clients come first, and many lines leave in
//! one write.

use std::cell::RefCell;
use std::io::{self, Write};

use tracing_subscriber::fmt::MakeWriter;

/// More is not held back.
const FULL: usize = 64 * 1024;

thread_local! {
    static HELD: RefCell<Held> = const { RefCell::new(Held { is_holding: false, lines: Vec::new() }) };
}

/// The lines of a thread that holds them back.
struct Held {
    is_holding: bool,
    lines: Vec<u8>,
}

impl Held {
    fn release(&mut self) -> io::Result<()> {
        if self.lines.is_empty() {
            return Ok(());
        }
        let result = io::stderr().write_all(&self.lines);
        self.lines.clear();
        result
    }
}

/// Whatever ends a thread, its lines are written.
impl Drop for Held {
    fn drop(&mut self) {
        let _ = self.release();
    }
}

/// Holds back the lines of this thread from now on. Whoever calls this sees to it that [`release`] is called in time.
pub fn hold() {
    HELD.with_borrow_mut(|held| held.is_holding = true);
}

/// Writes the lines that this thread has held back. Nobody could be told if standard error takes no more.
pub fn release() {
    let _ = HELD.with_borrow_mut(Held::release);
}

/// Makes writers of whole lines.
pub(super) struct Lines;

impl MakeWriter<'_> for Lines {
    type Writer = Self;

    fn make_writer(&self) -> Self {
        Self
    }
}

impl Write for Lines {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let hold = |held: &RefCell<Held>| -> io::Result<bool> {
            let mut held = held.borrow_mut();
            if held.is_holding {
                held.lines.extend_from_slice(line);
                if held.lines.len() > FULL {
                    held.release()?;
                }
            }
            Ok(held.is_holding)
        };
        // A thread that ends has nothing to hold a line in any more.
        if !HELD.try_with(hold).unwrap_or(Ok(false))? {
            io::stderr().write_all(line)?;
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
