//! The page and its parts, one component a file.

mod alternatives;
mod attention;
mod bench;
mod by_type;
mod capacity;
mod controls;
mod distill;
mod experiment;
mod fields;
mod figure;
mod gallery;
mod grid;
mod head;
mod inspector;
mod keys;
mod knob;
mod lab;
mod lines;
mod loss;
mod memory;
mod page;
mod probabilities;
mod probes;
mod prompt;
mod retrieval;
mod samples;
mod sizes;
mod status;
mod steps;
mod surgery;
mod sweep;
mod theme;
mod tokens;
mod toolbar;
mod trace;

pub use page::Page;
