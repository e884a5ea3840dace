//! Trained models to explore, as links. `assets/README.md` describes the training of each.

/// A model, the view of it to open, and a text about it.
#[derive(Clone, Copy, Debug)]
pub struct Exhibit {
    pub title: &'static str,
    pub text: &'static str,
    /// Name of the checkpoint, `assets/gallery/{name}.safetensors`; empty if it is not trained yet.
    pub name: &'static str,
    /// View of the page to open, as in a link.
    pub open: &'static str,
}

impl Exhibit {
    /// Fragment of the link, without `#`.
    pub fn fragment(&self) -> String {
        match self.name {
            "" => self.open.into(),
            name => format!("trained={name}&{}", self.open),
        }
    }
}

/// True if a checkpoint of this name is shipped.
pub fn ships(name: &str) -> bool {
    !name.is_empty() && GALLERY.iter().any(|exhibit| exhibit.name == name)
}

/// Twenty facts of a world, and a model with a memory.
macro_rules! memory_world {
    ($world:literal) => {
        concat!(
            "seed=1&task.kind=facts&task.facts.facts=20&task.facts.world=",
            $world,
            "&model.n_layers=2&model.n_heads=4&model.d_model=24&model.context=160\
             &model.memory.kind=featural&model.memory.layers=1&model.memory.top_k=1&train.batch=8"
        )
    };
}

pub const GALLERY: &[Exhibit] = &[
    Exhibit {
        title: "Where a prediction comes from",
        text: "The logit lens reads the residual stream layer by layer: see at which stage the model knows \
               that a hyphen or a line break must follow, at which it knows the digit, and where it only \
               guesses.",
        name: "recall",
        open: "tab=residual&look=lens",
    },
    Exhibit {
        title: "Induction heads",
        text: "Two layers of attention alone have learnt to repeat random characters. In the head scores, \
               L0H0 looks at the character before, and three heads of the second layer at what followed \
               it last time. Press Reset and Train to watch them come.",
        name: "induction-heads",
        open: "tab=circuits&look=heads",
    },
    Exhibit {
        title: "One layer is not enough",
        text: "The same with a single layer: no head can read what another has found out, so none has \
               become an induction head, however long it trained.",
        name: "one-layer",
        open: "tab=circuits&look=heads",
    },
    Exhibit {
        title: "How heads work together",
        text: "K-composition of the same model: the three induction heads read their keys from what L0H0 \
               wrote, the character before. They score 0.33 to 0.38, where random heads have 0.125.",
        name: "induction-heads",
        open: "tab=circuits&look=composition",
    },
    Exhibit {
        title: "What is lost without a head",
        text: "Each part is knocked out in turn; beside it stands what it adds directly. At a name’s first \
               letter, head L2H2 adds little by itself, yet nearly all is lost without it: later parts \
               pass its work on. Scale parts yourself under Changes.",
        name: "recall",
        open: "tab=change&look=knockouts",
    },
    Exhibit {
        title: "The run that could not be right",
        text: "As in the published study, the last line has a listed name but a fresh number: its digits \
               cannot be known. Evaluate it: names are right, digits are chance, and the floor said so \
               before training began.",
        name: "as-published",
        open: "tab=retrieval",
    },
    Exhibit {
        title: "Saying that one does not know",
        text: "Three records in ten ask for a name from the whole book, and the answer to one that is not \
               listed is a question mark. Evaluate it: does the model abstain, or make a number up?",
        name: "abstain",
        open: "tab=retrieval",
    },
    Exhibit {
        title: "Facts by heart",
        text: "Thirty facts, learnt. Point at a character of an answer to see what else it might have been, \
               and ask for a fact that was held out: the answer is a confabulation, and looks like the others.",
        name: "facts",
        open: "tab=probabilities",
    },
    Exhibit {
        title: "What output vectors look like",
        text: "Every character is a direction of the output. Their two main directions tell digits from \
               letters; take single vectors apart in the same tab.",
        name: "outputs",
        open: "tab=outputs&look=directions",
    },
    Exhibit {
        title: "Reading through forgetting",
        text: "Up to three characters in ten were hidden from all later ones while it trained. Compare its \
               attention with that of the first model here, which read everything.",
        name: "forget",
        open: "tab=attention",
    },
    Exhibit {
        title: "A memory beside the weights",
        text: "A layer with slots in place of its MLP learns twenty facts of a made-up world: press Train. See \
               which slots answered and what wrote them, delete those of “capital of France”, ask again.",
        name: "",
        open: concat!(
            memory_world!("1"),
            "&model.memory.threshold=0.35&train.lr=0.008&train.min_lr=0.0004&train.warmup=20\
             &train.steps=500&tab=memory&look=recalled"
        ),
    },
    Exhibit {
        title: "Another world, the same weights",
        text: "After the link before: put its memory aside, Empty it and press Train on. Only the memory \
               learns another world now. Swap the first one in, and the answers are the first world’s.",
        name: "",
        open: concat!(
            memory_world!("2"),
            "&model.memory.threshold=0.1&model.memory.inserts=32&train.frozen=true&train.lr=0.03\
             &train.min_lr=0.001&train.warmup=1&train.steps=150&tab=memory&look=recalled"
        ),
    },
];
