//! The terminal: `confab train | sample | inspect | memory | import | export | edit | adapter | data | eval | probe |
//! floor | sweep | distill | bench | serve | lend`.

mod cli;

use std::process::ExitCode;

fn main() -> ExitCode {
    confab::device::keep_freed_memory();
    confab::device::quiet_drivers();
    match cli::run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) if cli::is_closed_output(&error) => ExitCode::SUCCESS,
        Err(error) => {
            cli::report(format_args!("confab: {error:#}"));
            ExitCode::FAILURE
        }
    }
}
