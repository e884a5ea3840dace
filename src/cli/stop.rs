//! Signals that end a run once it is saved: Ctrl-C, SIGTERM, and SIGHUP as of a terminal that is closed.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};

/// A signal that comes so soon after the first is taken for the same: `timeout` and a closing terminal send two.
const SAME: Duration = Duration::from_secs(1);

/// Calls `stop` at the first signal. A later one ends the program.
pub fn on_signal(stop: impl FnOnce() + Send + 'static) -> Result<()> {
    let (mut stop, mut first) = (Some(stop), None);
    let handle = move || match (stop.take(), first) {
        (Some(stop), _) => {
            first = Some(Instant::now());
            stop();
        }
        (None, Some(first)) if Instant::now() - first < SAME => {}
        (None, _) => std::process::exit(130),
    };
    let was_ignored = ignore_hangup();
    ctrlc::set_handler(handle).context("setting up Ctrl-C")?;
    if was_ignored {
        ignore_hangup();
    }
    Ok(())
}

/// A flag that the first signal sets.
pub fn flag() -> Result<Arc<AtomicBool>> {
    let is_stopped = Arc::new(AtomicBool::new(false));
    let stop = is_stopped.clone();
    on_signal(move || stop.store(true, Ordering::SeqCst))?;
    Ok(is_stopped)
}

/// Ignores SIGHUP from now on; true if it was before, as under `nohup`.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
fn ignore_hangup() -> bool {
    // SAFETY: no handler is set that could be called.
    unsafe { libc::signal(libc::SIGHUP, libc::SIG_IGN) == libc::SIG_IGN }
}

#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
fn ignore_hangup() -> bool {
    false
}
