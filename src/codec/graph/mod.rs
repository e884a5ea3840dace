//! Graphs: short sequences of functions that go on from what the tokens' noise writes. Input tokens that the codec maps to
//! a graph are mapped to output tokens as well; the graph then makes the output of these.

mod function;
mod mapper;
mod run;
mod search;

pub use function::{Dictionary, Function, MACROS};
pub use mapper::{Chosen, GraphMapper, Met, ROOM};
pub use run::{Effect, Ran, Turn, run};
pub use search::{Plan, plan, search};
