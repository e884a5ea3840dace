//! Graphs: short sequences of functions that turn the tokens that noise writes into the output. The noises of the
//! input's tokens write these tokens; a further noise of the input's end leads to the graph.

mod function;
mod mapper;
mod run;
mod search;

pub use function::{Dictionary, Function, MACROS};
pub use mapper::{Chosen, GraphMapper, Met, ROOM};
pub use run::{Effect, Ran, Turn, run};
pub use search::{Plan, plan, search};
