//! Trained models to explore, as links. `assets/README.md` describes the training of each.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

/// A model, the view of it to open, and a text about it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Exhibit {
    pub title: Cow<'static, str>,
    pub text: Cow<'static, str>,
    /// Name of the checkpoint, `assets/gallery/{name}.safetensors`.
    pub name: Cow<'static, str>,
    /// View of the page to open, as in a link.
    pub open: Cow<'static, str>,
}

impl Exhibit {
    /// Fragment of the link, without `#`.
    pub fn fragment(&self) -> String {
        format!("trained={}&{}", self.name, self.open)
    }
}

/// True if a checkpoint may have this name: letters, digits and hyphens, so that it names no other folder.
pub fn is_name(name: &str) -> bool {
    let is_plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    (1..=32).contains(&name.len()) && name.chars().all(is_plain)
}

pub static GALLERY: &[Exhibit] = &[
    Exhibit {
        title: Cow::Borrowed("Where a prediction comes from"),
        text: Cow::Borrowed(
            "The logit lens reads the residual stream layer by layer: see at which stage the model knows \
               that a hyphen or a line break must follow, at which it knows the digit, and where it only \
               guesses.",
        ),
        name: Cow::Borrowed("recall"),
        open: Cow::Borrowed("tab=residual&look=lens"),
    },
    Exhibit {
        title: Cow::Borrowed("Induction heads"),
        text: Cow::Borrowed(
            "Two layers of attention alone have learnt to repeat random characters. In the head scores, \
               L0H0 looks at the character before, and three heads of the second layer at what followed \
               it last time. Press New run and Train to watch them come.",
        ),
        name: Cow::Borrowed("induction-heads"),
        open: Cow::Borrowed("tab=circuits&look=heads"),
    },
    Exhibit {
        title: Cow::Borrowed("One layer is not enough"),
        text: Cow::Borrowed(
            "The same with a single layer: no head can read what another has found out, so none has \
               become an induction head, however long it trained.",
        ),
        name: Cow::Borrowed("one-layer"),
        open: Cow::Borrowed("tab=circuits&look=heads"),
    },
    Exhibit {
        title: Cow::Borrowed("How heads work together"),
        text: Cow::Borrowed(
            "K-composition of the same model: the three induction heads read their keys from what L0H0 \
               wrote, the character before. They score 0.33 to 0.38, where random heads have 0.125.",
        ),
        name: Cow::Borrowed("induction-heads"),
        open: Cow::Borrowed("tab=circuits&look=composition"),
    },
    Exhibit {
        title: Cow::Borrowed("What is lost without a head"),
        text: Cow::Borrowed(
            "Each part is knocked out in turn; beside it stands what it adds directly. At a name’s first \
               letter, head L2H2 adds little by itself, yet nearly all is lost without it: later parts \
               pass its work on. Scale parts yourself under Ablations.",
        ),
        name: Cow::Borrowed("recall"),
        open: Cow::Borrowed("tab=change&look=knockouts"),
    },
    Exhibit {
        title: Cow::Borrowed("The run that could not be right"),
        text: Cow::Borrowed(
            "As in the published study, the last line has a listed name but a fresh number: its digits \
               cannot be known. Evaluate it: names are right, digits are chance, and the floor said so \
               before training began.",
        ),
        name: Cow::Borrowed("as-published"),
        open: Cow::Borrowed("tab=retrieval"),
    },
    Exhibit {
        title: Cow::Borrowed("Saying that one does not know"),
        text: Cow::Borrowed(
            "Three records in ten ask for a name from the whole book, and the answer to one that is not \
               listed is a question mark. Evaluate it: does the model abstain, or make a number up?",
        ),
        name: Cow::Borrowed("abstain"),
        open: Cow::Borrowed("tab=retrieval"),
    },
    Exhibit {
        title: Cow::Borrowed("Facts by heart"),
        text: Cow::Borrowed(
            "Thirty facts, learnt. Point at a character of an answer to see what else it might have been, \
               and ask for a fact that was held out: the answer is a confabulation, and looks like the others.",
        ),
        name: Cow::Borrowed("facts"),
        open: Cow::Borrowed("tab=probabilities"),
    },
    Exhibit {
        title: Cow::Borrowed("What output vectors look like"),
        text: Cow::Borrowed(
            "Every character is a direction of the output. Their two main directions tell digits from \
               letters; take single vectors apart in the same tab.",
        ),
        name: Cow::Borrowed("outputs"),
        open: Cow::Borrowed("tab=outputs&look=directions"),
    },
    Exhibit {
        title: Cow::Borrowed("Reading through forgetting"),
        text: Cow::Borrowed(
            "Up to three characters in ten were hidden from all later ones while it trained. Compare its \
               attention with that of the first model here, which read everything.",
        ),
        name: Cow::Borrowed("forget"),
        open: Cow::Borrowed("tab=attention"),
    },
    Exhibit {
        title: Cow::Borrowed("A memory beside the weights"),
        text: Cow::Borrowed(
            "A layer with slots in place of its MLP has learnt twenty facts of a made-up world. See which \
               slots answered and what wrote them, delete those of “capital of France”, ask again.",
        ),
        name: Cow::Borrowed("memory-world"),
        open: Cow::Borrowed("tab=memory&look=recalled"),
    },
    Exhibit {
        title: Cow::Borrowed("Another world, the same weights"),
        text: Cow::Borrowed(
            "The same model, with settings that freeze its weights and tell of another world: Save \
               snapshot, Clear memory, Train from these weights. Only the memory learns. Restore the \
               snapshot, and the answers are the first world’s.",
        ),
        name: Cow::Borrowed("memory-world"),
        open: Cow::Borrowed(
            "seed=1&task.kind=facts&task.facts.facts=20&task.facts.shuffle=2&model.n_layers=2\
             &model.n_heads=4&model.d_model=24&model.context=160&model.memory.kind=featural\
             &model.memory.layers=1&model.memory.top_k=1&model.memory.write_threshold=0.1\
             &model.memory.max_writes=32&train.batch=8&train.frozen=true&train.lr=0.03&train.min_lr=0.001\
             &train.warmup=1&train.steps=150&tab=memory&look=recalled",
        ),
    },
    Exhibit {
        title: Cow::Borrowed("Learning without gradients"),
        text: Cow::Borrowed(
            "The noise codec has random keys, noise and nearest keys, and no gradient. It puts the spaces back into every \
               sentence that it read, and into most that it did not. See a mistake, and the training record that it was \
               borrowed from. Press New run and Train: it learns in seconds.",
        ),
        name: Cow::Borrowed("codec"),
        open: Cow::Borrowed("tab=codec&look=codec-mistake"),
    },
];
