//! Analyses of models whose answers are known: built by hand, or by brute force.

#[path = "../common/mod.rs"]
mod common;

mod circuits;
mod heads;
mod lens;
mod linear;
mod model;
mod output;
mod patching;
mod training;
