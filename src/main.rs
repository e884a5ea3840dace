//! The terminal: `confab train | sample | inspect | memory | import | edit | data | eval | probe | floor | sweep |
//! distill | bench`.

mod cli;

use std::process::ExitCode;

fn main() -> ExitCode {
    confab::device::keep_freed_memory();
    confab::device::quiet_drivers();
    match cli::run() {
        Ok(()) => ExitCode::SUCCESS,
        // A reader that has seen enough, as `head`, is no failure.
        Err(error) if is_broken_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => {
            cli::report(format_args!("confab: {error:#}"));
            ExitCode::FAILURE
        }
    }
}

fn is_broken_pipe(error: &anyhow::Error) -> bool {
    let cause = error.root_cause().downcast_ref::<std::io::Error>();
    cause.is_some_and(|io| io.kind() == std::io::ErrorKind::BrokenPipe)
}
