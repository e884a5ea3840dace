//! The catalogue that a session sends when it starts.

use crate::config::KNOBS;
use crate::codec;
use crate::interp::lab;
use crate::run::{Catalogue, OPERATIONS};
use crate::run::gallery::GALLERY;

pub fn catalogue() -> Catalogue {
    Catalogue {
        analyses: lab::entries().chain(codec::entries()).cloned().collect(),
        help: KNOBS.iter().map(|knob| knob.help.to_owned()).collect(),
        operations: OPERATIONS.iter().map(|operation| operation.takes.to_owned()).collect(),
        gallery: GALLERY.to_vec(),
    }
}
