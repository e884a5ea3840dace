//! The loop between a user and a run: [`Command`](crate::protocol::Command)s in, [`Event`](crate::protocol::Event)s
//! out. The page's worker and the terminal both run it.

mod analysis_view;
mod aside;
mod begin;
mod catalogue;
mod codec;
mod command;
mod current_job;
mod describe;
mod device;
mod event_loop;
mod film;
mod heads;
mod jobs;
mod kept;
mod analysis;
mod memory;
mod pace;
mod sample;
mod save;
mod saved;
mod shown;
mod state;
mod steps;
mod storage;
mod surgery;
mod throttle;
mod trace;
mod training;
mod undo;
mod visit;
mod work;

pub use catalogue::catalogue;
pub use event_loop::run;
#[cfg(feature = "cli")]
pub use event_loop::run_on;
pub use storage::RunStorage;
