//! Confab trains small transformers on synthetic memory tasks, in the browser and at the terminal,
//! and shows what they compute. The modules in reading order:
//!
//! - no Burn in it, and all that the page's `app` is built with: [`config`], [`task`] but for what
//!   draws records, [`edit`],
//!   [`figure`], [`look`], [`surgery`], [`link`], [`gallery`], [`protocol`], [`report`], [`capacity`],
//!   [`color`], [`plot`]
#![cfg_attr(
    feature = "compute",
    doc = "- what a model reads: [`tokenizer`], [`noise`]
- what is remembered outside the weights: [`memory`]
- what computes: [`batch`], [`kernel`], [`model`], [`loss`], [`schedule`], [`optimizer`], [`trainer`]
- what a trained model shows: [`plain`], [`decode`], [`sample`], [`trace`], [`analysis`], [`lab`], [`eval`], [`distill`]
- around it: [`checkpoint`], [`import`], [`session`], [`platform`], [`selfcheck`], [mod@bench]"
)]

#[macro_use]
mod names;

pub mod capacity;
pub mod color;
pub mod config;
pub mod edit;
pub mod figure;
pub mod gallery;
pub mod link;
pub mod look;
pub mod plot;
pub mod protocol;
pub mod report;
pub mod surgery;
pub mod task;

#[cfg(feature = "compute")]
pub mod analysis;
#[cfg(feature = "compute")]
pub mod batch;
#[cfg(feature = "compute")]
pub mod bench;
#[cfg(feature = "compute")]
pub mod checkpoint;
#[cfg(feature = "compute")]
pub mod decode;
#[cfg(feature = "compute")]
pub mod distill;
#[cfg(feature = "compute")]
pub mod eval;
#[cfg(feature = "compute")]
pub mod import;
#[cfg(feature = "compute")]
pub mod kernel;
#[cfg(feature = "compute")]
pub mod lab;
#[cfg(feature = "compute")]
pub mod loss;
#[cfg(feature = "compute")]
pub mod memory;
#[cfg(feature = "compute")]
pub mod model;
#[cfg(feature = "compute")]
pub mod noise;
#[cfg(feature = "compute")]
pub mod optimizer;
#[cfg(feature = "compute")]
pub mod plain;
#[cfg(feature = "compute")]
pub mod platform;
#[cfg(feature = "compute")]
pub mod sample;
#[cfg(feature = "compute")]
pub mod schedule;
#[cfg(feature = "compute")]
pub mod selfcheck;
#[cfg(feature = "compute")]
pub mod session;
#[cfg(feature = "compute")]
pub mod tokenizer;
#[cfg(feature = "compute")]
pub mod trace;
#[cfg(feature = "compute")]
pub mod trainer;
