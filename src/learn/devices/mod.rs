//! Several devices for one run: others of this machine, and other programs that lend theirs (`confab lend`).
//!
//! Each holds a copy of the model, is brought up to date by every order, and takes shards of a step through their passes
//! ([`Helper`](super::Helper)). Their gradients are summed in the order of the shards on the run's own device, where all
//! that crosses shards is done once. So losses are the same to the bit, whoever takes them.

mod connection;
mod crew;
mod hand;
mod lender;
mod wire;

pub use connection::Connection;
pub use crew::Devices;
pub use hand::{Hand, Taker};
pub use lender::Lender;
pub use wire::WireError;
