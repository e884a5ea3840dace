//! Interpretation: [`analysis`] derives numbers from weights and activations, [`lab`] runs analyses and shows them as
//! figures, [`trace`](mod@trace) follows the prompt that the page inspects.

pub mod analysis;
pub mod lab;
pub mod trace;
