//! Messages on standard error, and results on standard output.

use std::fmt::{Display, Formatter};
use std::io::{Error, ErrorKind, Result, StdoutLock, Write};

use confab::report::Score;

/// Steps between two lines of a log, and on a standard error that is no terminal.
pub const LOG_EVERY: usize = 10;

/// Says `text` on standard error; one that is closed or full is no reason to stop.
pub fn report(text: impl Display) {
    let _ = writeln!(std::io::stderr(), "{text}");
}

/// Standard output, whose errors name it.
pub struct Output(StdoutLock<'static>);

pub fn output() -> Output {
    Output(std::io::stdout().lock())
}

impl Write for Output {
    fn write(&mut self, bytes: &[u8]) -> Result<usize> {
        self.0.write(bytes).map_err(named)
    }

    fn flush(&mut self) -> Result<()> {
        self.0.flush().map_err(named)
    }
}

/// A failure of standard output.
#[derive(Debug)]
struct Unwritten(Error);

impl Display for Unwritten {
    fn fmt(&self, f: &mut Formatter) -> std::fmt::Result {
        write!(f, "writing to standard output: {}", self.0)
    }
}

impl std::error::Error for Unwritten {}

fn named(error: Error) -> Error {
    Error::new(error.kind(), Unwritten(error))
}

/// True if the reader of standard output has seen enough, as `head`, which is no failure.
pub fn is_closed_output(error: &anyhow::Error) -> bool {
    let of_output = |error: &Error| error.get_ref().is_some_and(|inner| inner.is::<Unwritten>());
    let mut causes = error.chain().filter_map(|cause| cause.downcast_ref::<Error>());
    causes.any(|error| error.kind() == ErrorKind::BrokenPipe && of_output(error))
}

/// A share of right answers, to write in a table.
pub fn percent(score: &Score) -> String {
    score.share().map_or("-".into(), |share| format!("{:.1}%", 100.0 * share))
}
