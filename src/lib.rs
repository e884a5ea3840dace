//! Confab trains small transformers on synthetic memory tasks, in the browser and at the terminal,
//! and shows what they compute. The modules stand in the order of their layers, which `tests/architecture.rs`
//! holds: a module uses those of its own line and above.
//!
//! The first part has no Burn in it, and is all that the page's `app` is built with.

#[macro_use]
pub mod base;
pub mod arch;
pub mod config;
pub mod figure;
pub mod protocol;
pub mod report;
pub mod run;

/// Declares modules that need the feature `compute`.
macro_rules! compute {
    ($($name:ident)+) => {
        $(
            #[cfg(feature = "compute")]
            pub mod $name;
        )+
    };
}

compute! {
    tokenizer
    memory task
    kernel
    data
    host model
    generate
    checkpoint import surgery export
    learn
    codec
    device
    bench eval interp
    session
}
