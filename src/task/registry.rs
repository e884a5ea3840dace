//! The list of all tasks, and a task as it is set up.

use std::any::Any;
use std::ops::Deref;
use std::sync::Arc;

use super::source::RecordSource;
use super::limited::{Limited, numbered};
use super::split::Split;
use super::supplement::Mixture;
use super::{
    Asked, Brackets, Facts, Induction, Modular, Mqar, Order, Phone, Sentences, Sequence, Spaced, Text, Written,
};
use crate::base::random::stream_rng;
use crate::base::text::named;
use crate::config::{ConfigError, SupplementConfig, TaskConfig, TaskKind};
use crate::run::{Field, Record};
use crate::tokenizer::Tokenizer;

/// A task that has been set up from its [`TaskConfig`]. Clones share it.
#[derive(Clone, Debug)]
pub struct Task {
    /// The task's own records, which are evaluated and have a floor.
    source: Arc<dyn RecordSource>,
    /// With those of a supplement, to be trained on.
    mixture: Option<Arc<Mixture>>,
}

impl Task {
    /// Sets up the task that `config` names.
    ///
    /// # Errors
    /// If the task has nothing to train on, such as an empty text.
    pub fn new(config: &TaskConfig) -> Result<Self, ConfigError> {
        let task: Self = match config.kind {
            TaskKind::Phone => Phone::new(&config.phone).map_err(ConfigError::Task)?.into(),
            TaskKind::Facts => Facts::new(&config.facts)?.into(),
            TaskKind::Text => Text::new(&config.text, None).map_err(ConfigError::Task)?.into(),
            TaskKind::Induction => Induction::new(&config.induction).into(),
            TaskKind::Copy => Sequence::new(&config.sequence, Order::Forwards).into(),
            TaskKind::Reverse => Sequence::new(&config.sequence, Order::Backwards).into(),
            TaskKind::Spacing if config.has_own_sentences() => {
                Spaced::new(&config.words).map_err(ConfigError::Task)?.into()
            }
            TaskKind::Spacing => Sentences::new(&config.words, Asked::Spaces).into(),
            TaskKind::Tagging => Sentences::new(&config.words, Asked::Tags).into(),
            TaskKind::Brackets => Brackets::new(&config.brackets).into(),
            TaskKind::Mqar => Mqar::new(&config.mqar).into(),
            TaskKind::Modular => Modular::new(&config.modular).into(),
            TaskKind::Grammar => Written::new(&config.grammar).map_err(ConfigError::Task)?.into(),
        };
        task.with_supplement(&config.supplement, None)
    }

    /// The task with a supplement, if there is one, in tokens of its own or in those of a model.
    fn with_supplement(
        mut self,
        supplement: &SupplementConfig,
        of_model: Option<&Tokenizer>,
    ) -> Result<Self, ConfigError> {
        if !supplement.is_empty() {
            let mixture = Mixture::new(self.source.clone(), supplement, of_model);
            self.mixture = Some(Arc::new(mixture.map_err(ConfigError::Task)?));
        }
        Ok(self)
    }

    /// The records that a model is trained on: with a supplement, a mixture.
    pub fn training(&self) -> Self {
        match &self.mixture {
            Some(mixture) => Self { source: mixture.clone(), mixture: None },
            None => self.clone(),
        }
    }

    /// The first `records` of the records that a run with `seed` is trained on; all of them, without end, if it is 0.
    pub fn limited(self, records: usize, seed: u64) -> Self {
        match records {
            0 => self,
            _ => Limited { own: self.source, records, seed }.into(),
        }
    }

    /// Training record `number` of a run with `seed`, as [`limited`](Self::limited) counts them.
    pub fn numbered(&self, number: usize, window: usize, seed: u64) -> Record {
        numbered(&*self.source, number, window, seed)
    }

    /// Tokenizer of all that a model is trained on.
    pub fn tokenizer(&self) -> Tokenizer {
        self.training().source.tokenizer()
    }

    /// Length of the longest record that a model is trained on, in symbols; 2 for plain text, which is cut.
    pub fn longest(&self) -> usize {
        self.training().source.longest()
    }

    /// Sets up the task that `config` names for a model with `tokenizer`.
    ///
    /// # Errors
    /// As of [`new`](Self::new), and a symbol that the model has no token for.
    pub fn for_model(config: &TaskConfig, tokenizer: &Tokenizer) -> Result<Self, ConfigError> {
        if config.kind == TaskKind::Text {
            let text = Text::new(&config.text, Some(tokenizer)).map_err(ConfigError::Task)?;
            return Self::from(text).with_supplement(&config.supplement, Some(tokenizer));
        }
        if config.kind == TaskKind::Mqar && tokenizer.is_of_pieces() {
            let why = "the task mqar (task.kind) takes a model whose tokens are its numbers, and those of this model are \
                       pieces of text; train a new one";
            return Err(ConfigError::Task(why.into()));
        }
        let task = Self::new(config)?;
        let symbols = task.tokenizer();
        let mut symbols = (0..symbols.text_size() as u32).filter_map(|id| symbols.token(id));
        let is_unknown = |symbol: &&str| match tokenizer.is_of_pieces() {
            true => tokenizer.tokenize(symbol).is_err(),
            false => tokenizer.id(symbol).is_none(),
        };
        match symbols.find(is_unknown) {
            Some(symbol) => {
                let shown: String = symbol.chars().map(named).collect();
                let why = format!("this model has never seen “{shown}”, which the records have");
                Err(ConfigError::Task(why))
            }
            None => Ok(task),
        }
    }

    /// The task of a model from elsewhere, whose training records are not known: every record is empty.
    pub fn none() -> Self {
        Text::none().into()
    }

    /// Source of the records, if it is a `T`.
    pub fn downcast_ref<T: RecordSource>(&self) -> Option<&T> {
        let source: &dyn Any = &*self.source;
        source.downcast_ref()
    }

    /// A prompt to try: a validation record up to where its answer begins.
    pub fn example_prompt(&self, seed: u64) -> String {
        let record = self.draw(Split::Validation, 64, &mut stream_rng(seed, EXAMPLE_STREAM));
        let query = record.targets.as_ref().and_then(|targets| targets.last());
        let answer = record.fields.iter().position(|field| *field == Field::Answer);
        let cut = query.map(|(place, _)| place + 1).or(answer);
        let cut = cut.unwrap_or(record.len() / 2).max(1);
        record.symbols().take(cut).collect()
    }
}

impl<T: RecordSource> From<T> for Task {
    fn from(source: T) -> Self {
        Self { source: Arc::new(source), mixture: None }
    }
}

impl Deref for Task {
    type Target = dyn RecordSource;

    fn deref(&self) -> &Self::Target {
        &*self.source
    }
}

const EXAMPLE_STREAM: u64 = u64::MAX;
