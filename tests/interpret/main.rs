//! What analyses say of models whose answers are known: built by hand, or by brute force.

mod circuits;
mod heads;
mod lens;
mod linear;
mod model;
mod output;
mod patching;
mod training;
