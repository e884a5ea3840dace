//! Where in a run a knob's value lies, and how it is written and read.

use super::{AnswerRule, FactsSplit, TaskKind, TokenKind};
use super::{
    BlockKind, ByLayer, Distance, MemoryKind, MixerKind, MlpKind, NormKind, OptimizerKind,
    Positions, PruneBy, RunConfig,
};
use super::{Fitting, KeyDistance, LearnerKind, NoiseKind};

/// A field of [`RunConfig`]: made with [`at!`].
#[derive(Clone, Copy, Debug)]
pub(super) struct Place {
    pub key: &'static str,
    pub read: fn(&RunConfig) -> &dyn Setting,
    pub write: fn(&mut RunConfig) -> &mut dyn Setting,
}

/// `at!(model.n_layers)` is that field, with the key `model.n_layers`.
macro_rules! at {
    ($first:ident $(. $next:ident)*) => {
        Place {
            key: concat!(stringify!($first) $(, ".", stringify!($next))*),
            read: |config| &config.$first $(. $next)*,
            write: |config| &mut config.$first $(. $next)*,
        }
    };
}
pub(super) use at;

/// A value as a user would type it.
pub(super) trait Setting {
    fn show(&self) -> String;

    /// Becomes what `text` says; `None`, unchanged, if it says nothing of the kind.
    fn take(&mut self, text: &str) -> Option<()>;
}

macro_rules! impl_setting {
    ($($type:ty: $show:expr, $read:expr;)*) => {$(
        impl Setting for $type {
            fn show(&self) -> String {
                $show(self)
            }

            fn take(&mut self, text: &str) -> Option<()> {
                *self = $read(text)?;
                Some(())
            }
        }
    )*};
}

impl_setting! {
    usize: usize::to_string, |text: &str| text.trim().parse().ok();
    u64: u64::to_string, |text: &str| text.trim().parse().ok();
    bool: bool::to_string, |text: &str| text.trim().parse().ok();
    // With `?`, very small and very large ones have an exponent, and whole ones a point.
    f64: |value| format!("{value:?}"), |text: &str| text.trim().parse().ok();
    ByLayer<MixerKind>: ByLayer::to_string, ByLayer::parse;
    String: String::clone, |text: &str| Some(text.to_owned());
}

macro_rules! impl_choice {
    ($($type:ty)+) => {
        impl_setting! {
            $($type: |value: &$type| value.name().to_owned(), |text: &str| <$type>::parse(text.trim());)+
        }
    };
}

impl_choice!(LearnerKind KeyDistance NoiseKind Fitting TaskKind AnswerRule FactsSplit TokenKind NormKind BlockKind MlpKind Positions MemoryKind Distance PruneBy OptimizerKind);
