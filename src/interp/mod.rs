//! Interpretation: [`analysis`] derives numbers from weights and activations, [`lab`] runs analyses and shows them as
//! figures, [`trace`](mod@trace) follows the prompt that the page inspects.

pub mod analysis;
mod answer;
pub mod lab;
pub mod trace;

pub use answer::answer;
