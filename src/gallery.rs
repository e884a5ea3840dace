//! Experiments worth a look, as links.

/// An experiment, and what to look at in it.
#[derive(Clone, Copy, Debug)]
pub struct Exhibit {
    pub title: &'static str,
    pub text: &'static str,
    /// The link's fragment, without `#`.
    pub fragment: &'static str,
}

pub const GALLERY: &[Exhibit] = &[
    Exhibit {
        title: "Where a prediction comes from",
        text: "The logit lens reads the residual stream layer by layer: see at which stage the model knows \
               that a hyphen or a line break must follow, and where it only guesses.",
        fragment: "task.phone.lines=1&task.phone.names=100&model.context=96&model.n_layers=4&model.n_heads=4\
                   &model.d_model=16&train.lr=0.004&tab=residual&look=lens",
    },
    Exhibit {
        title: "Induction heads",
        text: "Two layers of attention alone learn to repeat random characters. Watch the head scores: once \
               the loss drops, a head of the first layer looks at the character before, and one of the \
               second at what followed it last time.",
        fragment: "task.kind=induction&model.n_layers=2&model.n_heads=4&model.d_model=64&model.context=50\
                   &model.mlp=none&model.positions=rotary&train.batch=32&train.lr=0.01&train.steps=1500\
                   &tab=circuits&look=heads",
    },
    Exhibit {
        title: "One layer is not enough",
        text: "The same with a single layer: no head can read what another has found out, so none becomes an \
               induction head, however long it trains.",
        fragment: "task.kind=induction&model.n_layers=1&model.n_heads=4&model.d_model=64&model.context=50\
                   &model.mlp=none&model.positions=rotary&train.batch=32&train.lr=0.01&train.steps=1500\
                   &tab=circuits&look=heads",
    },
    Exhibit {
        title: "What is lost without a head",
        text: "Each part is knocked out in turn; beside it stands what it adds directly. Where the two differ, \
               other parts pass its work on, or make up for its loss. Scale parts yourself under Changes.",
        fragment: "task.phone.lines=1&task.phone.names=100&model.context=96&model.n_layers=4&model.n_heads=4\
                   &model.d_model=16&train.lr=0.004&tab=change&look=knockouts",
    },
    Exhibit {
        title: "The run that could not be right",
        text: "As in the published study, the last line has a listed name but a fresh number: its digits \
               cannot be known. The floor says so before training begins, field by field.",
        fragment: "task.phone.lines=2&task.phone.names=100&task.phone.recall=as_published&model.context=160\
                   &model.n_layers=2&model.n_heads=4&model.d_model=32&train.lr=0.004&tab=retrieval",
    },
    Exhibit {
        title: "Saying that one does not know",
        text: "Three records in ten ask for a name from the whole book, and the answer to one that is not \
               listed is a question mark. Does the model abstain, or make a number up?",
        fragment: "task.phone.lines=1&task.phone.names=100&task.phone.abstain=0.3&model.context=96\
                   &model.n_layers=2&model.n_heads=4&model.d_model=32&train.lr=0.004&tab=retrieval",
    },
    Exhibit {
        title: "Facts by heart",
        text: "Thirty facts to learn. Hover a character of an answer to see what else it might have been, and \
               ask for a fact that was held out: the answer is a confabulation, and looks like the others.",
        fragment: "task.kind=facts&task.facts.facts=30&model.n_layers=4&model.n_heads=4&model.d_model=32\
                   &train.lr=0.004&tab=probabilities",
    },
    Exhibit {
        title: "What output vectors look like",
        text: "Every character is a direction of the output. Their two main directions tell digits from \
               letters soon after training begins; take single vectors apart in the same tab.",
        fragment: "task.phone.lines=1&task.phone.names=100&model.context=96&model.bias=true&model.d_model=16\
                   &model.n_heads=4&train.lr=0.004&tab=outputs&look=directions",
    },
    Exhibit {
        title: "Reading through forgetting",
        text: "Up to three characters in ten are hidden from all later ones while training. Compare its \
               attention with that of a run without.",
        fragment: "task.phone.lines=1&task.phone.names=100&model.context=96&model.n_layers=2&model.n_heads=4\
                   &model.d_model=32&train.lr=0.004&noise.forget=0.3",
    },
];
