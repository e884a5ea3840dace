//! Messages between the page and its worker. The terminal exchanges the same messages with a session in its own
//! process.

mod answer;
mod command;
mod event;
mod film;
mod job;
mod memory;
mod sample;
mod trace;

pub use answer::{Answer, Said};
pub use command::{Baseline, Command, NamedFile, SaveAs, Then};
pub use event::{Built, Event, KeptRun, RunState, StepReport, TaskFacts};
pub use film::{Film, FilmForm};
pub use job::{
    AverageAttention, Bench, Distill, DistillOptions, Evaluate, JobKind, JobReport, JobRequest,
    Probe, ProbeOptions, RunsOptions, Sweep,
};
pub use memory::{MemoryChange, SlotChange};
pub use sample::{ALTERNATIVES, Alternative, CharacterReport, Cost, SampleOptions};
pub use trace::{Expected, Trace};
