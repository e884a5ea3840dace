//! Confab trains small transformers on synthetic memory tasks, in the browser and at the terminal,
//! and shows what they compute. The modules in reading order:
//!
//! - no Burn in it, and all that the page's `app` uses: [`config`], [`task`], [`tokenizer`],
//!   [`link`], [`protocol`], [`report`], [`color`]
//! - what computes: [`batch`], [`kernel`], [`model`], [`loss`], [`schedule`], [`optimizer`], [`trainer`]
//! - what a trained model shows: [`sample`], [`trace`], [`analysis`], [`eval`]
//! - around it: [`checkpoint`], [`session`], [`platform`], [`selfcheck`]

pub mod analysis;
pub mod batch;
pub mod checkpoint;
pub mod color;
pub mod config;
pub mod eval;
pub mod kernel;
pub mod link;
pub mod loss;
pub mod model;
pub mod optimizer;
pub mod platform;
pub mod protocol;
pub mod report;
pub mod sample;
pub mod schedule;
pub mod selfcheck;
pub mod session;
pub mod task;
pub mod tokenizer;
pub mod trace;
pub mod trainer;
