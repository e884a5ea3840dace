//! Tasks that users write themselves, as a **grammar**: rules that draw records, among them what is copied, reversed
//! or sorted. A grammar knows the exact probability of each next character, and so its entropy floor.
//!
//! `text → lexer → parse (tree) → resolve (names) → compile (nodes) → measure → plan`. Records are drawn by a walk
//! over the nodes (`draw`); beliefs run all derivations of a text at once (`machine`, `floor`, `filter`).

mod compile;
mod draw;
mod endless;
mod filter;
mod floor;
mod heap;
mod lexer;
mod limits;
mod machine;
mod measure;
mod mixer;
mod node;
mod parse;
mod plan;
mod planning;
mod program;
mod reads;
mod refusal;
mod resolve;
mod resolved;
mod shape;
mod tree;
mod want;

use rand_chacha::ChaCha8Rng;

pub use draw::Drawn;
pub use filter::{Estimate, Mean};
pub use floor::{Counted, Floor, Part};
pub use refusal::Refusal;

use plan::Plan;

/// A task in a few lines of rules.
#[derive(Debug)]
pub struct Grammar {
    plan: Plan,
}

impl Grammar {
    /// Reads a grammar. Time and memory are bounded, whatever the text.
    ///
    /// # Errors
    /// The first fault: its line, and a sentence on what to do.
    pub fn parse(text: &str) -> Result<Self, Refusal> {
        let rules = parse::rules(text)?;
        let rules = resolve::resolve(&rules)?;
        Ok(Self { plan: Plan::new(&rules)? })
    }

    /// Draws a record.
    pub fn draw(&self, rng: &mut ChaCha8Rng) -> Drawn {
        draw::draw(&self.plan, rng)
    }

    /// The characters that records are made of, in order; rarely, one that occurs in none.
    pub fn alphabet(&self) -> &[char] {
        &self.plan.alphabet
    }

    /// Upper bound of the length of records, in characters.
    pub fn longest(&self) -> usize {
        self.plan.size(self.plan.root).chars as usize
    }

    /// Characters that may follow `prefix`, each with its exact probability; `None` in place of a character is the
    /// end of the record. Nothing may follow what begins no record. `None` in all if more than `limit` derivations may
    /// have written `prefix`.
    pub fn next(&self, prefix: &str, limit: usize) -> Option<Vec<(Option<char>, f64)>> {
        filter::next(&self.plan, prefix, limit)
    }

    /// Counts the floor over at most `states` states.
    pub fn floor(&self, states: usize) -> Counted {
        floor::count(&self.plan, states)
    }

    /// Estimates the floor as the mean of the exact costs of `records` drawn records; of fewer, if that would take long.
    ///
    /// # Errors
    /// A record that more than `limit` derivations may have written.
    pub fn estimate(
        &self,
        records: usize,
        limit: usize,
        rng: &mut ChaCha8Rng,
    ) -> Result<Estimate, Refusal> {
        filter::estimate(&self.plan, records, limit, rng)
    }
}
