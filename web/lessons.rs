//! Lessons: what they say, what they point at, and what must have happened before each next step.

use confab::config::TaskKind;
use leptos::prelude::{Get, With};

use crate::state::State;
use crate::view::View;

pub struct Lesson {
    pub title: &'static str,
    pub level: &'static str,
    pub minutes: u8,
    pub about: &'static str,
    pub open: Open,
    pub steps: &'static [Step],
}

/// Run that a lesson opens.
#[derive(Clone, Copy)]
pub enum Open {
    /// A new model with the settings that are tuned to a task.
    New(TaskKind),
    /// A link, without `#`.
    Link(&'static str),
}

pub struct Step {
    pub text: &'static str,
    /// CSS selector of the control that it points at.
    pub points_at: &'static str,
    pub view: View,
    /// A prediction to make before going on.
    pub ask: Option<Question>,
    pub goal: Goal,
}

pub struct Question {
    pub text: &'static str,
    pub choices: &'static [&'static str],
    pub right: usize,
    pub why: &'static str,
}

/// Condition for the next step.
pub enum Goal {
    /// Nothing but to read.
    Read,
    /// So many steps are trained.
    Trained(usize),
    /// So many steps are trained of a run that began since this step did.
    Anew(usize),
    /// At least this share of the answer's tokens is right.
    Right(f32),
    /// At most this share of the answer's tokens is right.
    Wrong(f32),
    /// The last training loss is below this, in nats per token.
    TrainingBelow(f64),
    /// The last validation loss is below this, in nats per token.
    ValidationBelow(f64),
    Generated,
    Probed,
    Evaluated,
    /// A part of the model is ablated.
    Ablated,
    /// A copy of the memory is kept.
    Snapshot,
    /// The memory has no slots.
    Cleared,
}

impl Goal {
    /// True if it is reached. `begun` is the number of the run that there was when the step began.
    pub fn holds(&self, state: State, begun: Option<usize>) -> bool {
        let share = || {
            let answer = state.answer.get()?;
            Some(answer.right() as f32 / answer.truth.len().max(1) as f32)
        };
        let last = || state.last_point();
        let validation = || state.last_validation();
        match *self {
            Goal::Read => true,
            Goal::Trained(steps) => last().is_some_and(|point| point.step >= steps),
            Goal::Anew(steps) => {
                let run = state.runs.with(|runs| runs.last().map(|run| run.number));
                run != begun && last().is_some_and(|point| point.step >= steps)
            }
            Goal::Right(least) => share().is_some_and(|share| share >= least),
            Goal::Wrong(most) => share().is_some_and(|share| share <= most),
            Goal::TrainingBelow(most) => {
                last().is_some_and(|point| f64::from(point.train_loss) < most)
            }
            Goal::ValidationBelow(most) => validation().is_some_and(|loss| loss < most),
            Goal::Generated => state.sample.with(|of| !of.characters.is_empty() && !of.is_running),
            Goal::Probed => state.probed.with(Option::is_some),
            Goal::Evaluated => state.evaluated.with(Option::is_some),
            Goal::Ablated => state.ablations.with(|all| !all.is_empty()),
            Goal::Snapshot => state.remembered.with(|(_, aside)| !aside.is_empty()),
            Goal::Cleared => {
                state.remembered.with(|(slots, _)| slots.iter().all(|(_, count)| *count == 0))
            }
        }
    }
}

pub static LESSONS: &[Lesson] = &[
    Lesson {
        title: "Copying",
        level: "First",
        minutes: 4,
        about: "A model that knows nothing learns to find what it has read, and to copy it.",
        open: Open::New(TaskKind::Phone),
        steps: &[
            Step {
                text: "Each record is a name with its number, and then the name again. The model reads it \
                       character by character and must write the number. Below stands a question, the \
                       true answer, and the model’s.",
                points_at: ".lesson .answer",
                view: View::Answer,
                ask: Some(Question {
                    text: "How much of a number will a model get right that was never trained?",
                    choices: &["Next to nothing", "About half", "All of it"],
                    right: 0,
                    why: "Its weights are random: every character is as likely as any other.",
                }),
                goal: Goal::Read,
            },
            Step {
                text: "Make such a model, and begin to train it: press Train.",
                points_at: ".toolbar .primary",
                view: View::Answer,
                ask: None,
                goal: Goal::Trained(20),
            },
            Step {
                text: "The loss falls in steps: each is something that the model has found out. What it knows shows in the \
                       answer: where hyphens stand, then the number that belongs to the name.",
                points_at: ".panel.loss",
                view: View::Loss,
                ask: Some(Question {
                    text: "What will it get right first?",
                    choices: &["The digits", "The hyphens", "All at once"],
                    right: 1,
                    why: "A hyphen always stands at the same place, and that is easy. To find digits it must look \
                          something up.",
                }),
                goal: Goal::Trained(200),
            },
            Step {
                text: "Go on until nine in ten characters of the answer are right. That takes a minute or two.",
                points_at: ".lesson .answer",
                view: View::Answer,
                ask: None,
                goal: Goal::Right(0.9),
            },
            Step {
                text: "Now point at digits of its answer. A line goes to what one attention head reads for each.",
                points_at: ".lesson .answer",
                view: View::Answer,
                ask: Some(Question {
                    text: "What does the head read?",
                    choices: &[
                        "The same digit in the list",
                        "The name",
                        "The last digit of the list",
                    ],
                    right: 0,
                    why: "It finds the place in the list that it has come to, and copies what stands there.",
                }),
                goal: Goal::Read,
            },
        ],
    },
    Lesson {
        title: "Making things up",
        level: "First",
        minutes: 3,
        about: "A model that knows facts by heart is asked for one that it was never told.",
        open: Open::Link("trained=facts&tab=probabilities"),
        steps: &[
            Step {
                text: "This model has learnt thirty facts by heart. It was never told that it may not know.",
                points_at: ".samples",
                view: View::Answer,
                ask: Some(Question {
                    text: "What will it say about a fact that it never saw?",
                    choices: &["Nothing", "A question mark", "Something that looks like an answer"],
                    right: 2,
                    why: "All that it has learnt is to go on as records do, and after a question they have an answer.",
                }),
                goal: Goal::Read,
            },
            Step {
                text: "Under Probe choose a question that was held out. The page draws twenty answers to it.",
                points_at: "#probe",
                view: View::Answer,
                ask: None,
                goal: Goal::Probed,
            },
            Step {
                text: "The table tells of each answer whether it stands in the prompt, whether training had it, or whether \
                       it is made up. The bars tell how unsure the model was at each character.",
                points_at: "[data-testid=probe]",
                view: View::Answer,
                ask: Some(Question {
                    text: "Where might you see that an answer is made up?",
                    choices: &["In its spelling", "In how unsure the model was", "Nowhere"],
                    right: 1,
                    why: "Many made-up answers are spelled like true ones. But where the model chose between several words, \
                          it was unsure, and a user who sees only the text does not know.",
                }),
                goal: Goal::Read,
            },
            Step {
                text: "Set Temperature to 0 and press Generate: it says one of them, and nothing tells you of the others.",
                points_at: ".samples .primary",
                view: View::Answer,
                ask: None,
                goal: Goal::Generated,
            },
        ],
    },
    Lesson {
        title: "What cannot be known",
        level: "First",
        minutes: 3,
        about: "A loss that cannot fall, and a floor that says so before training begins.",
        open: Open::Link("trained=as-published&tab=retrieval"),
        steps: &[
            Step {
                text: "In this phone book the last line has a name of the list, but a fresh number. It was a mistake in the \
                       data of a study, and its loss would not fall.",
                points_at: ".panel.loss",
                view: View::Loss,
                ask: Some(Question {
                    text: "How many of ten digits can the best model get right?",
                    choices: &["All", "About one", "None"],
                    right: 1,
                    why: "The number stands nowhere. A guess of a digit is right once in ten times.",
                }),
                goal: Goal::Read,
            },
            Step {
                text: "The dashed line is the best possible loss. It is counted from the task alone: what is drawn at \
                       random costs its logarithm, and no model can do better.",
                points_at: ".panel.loss",
                view: View::Loss,
                ask: None,
                goal: Goal::Read,
            },
            Step {
                text: "Now have the model answer: press Evaluate.",
                points_at: "#panel-retrieval .primary",
                view: View::Inspect,
                ask: None,
                goal: Goal::Evaluated,
            },
            Step {
                text: "Names are right, digits are chance. The model is as good as can be: the data are at fault.",
                points_at: "[data-testid=retrieval]",
                view: View::Inspect,
                ask: Some(Question {
                    text: "Your own loss does not fall below a number. What do you ask first?",
                    choices: &["Is the model too small?", "What could be known at all?"],
                    right: 1,
                    why: "A larger model learns no coin tosses. The floor tells which part of a loss can be avoided.",
                }),
                goal: Goal::Read,
            },
        ],
    },
    Lesson {
        title: "Induction heads",
        level: "Circuits",
        minutes: 4,
        about: "Two heads work together to repeat what has been there before. Break one, and see what is lost.",
        open: Open::Link("trained=induction-heads&tab=circuits&look=heads"),
        steps: &[
            Step {
                text: "This model of two layers reads random letters and must repeat them. At a letter it must know: \
                       what followed it the last time?",
                points_at: ".lesson .answer",
                view: View::Inspect,
                ask: Some(Question {
                    text: "Can one layer of attention do this?",
                    choices: &["Yes", "No"],
                    right: 1,
                    why: "A head must look for the place after an equal letter. So each place must first be told which \
                          letter stands before it, and that takes a layer of its own.",
                }),
                goal: Goal::Read,
            },
            Step {
                text: "The head scores say what each head looks for. L0H0 looks at the letter before. Heads of the second \
                       layer look at what followed the same letter the last time: induction heads.",
                points_at: "#panel-circuits",
                view: View::Inspect,
                ask: None,
                goal: Goal::Read,
            },
            Step {
                text: "Take away the head that the others build on: open Ablations, write L0H0 as Part, and add it with \
                       scale 0.",
                points_at: ".inspector .changes",
                view: View::Inspect,
                ask: Some(Question {
                    text: "What will become of the answer?",
                    choices: &["It stays right", "Most of it becomes wrong"],
                    right: 1,
                    why: "The induction heads are still there, but no place tells any more which letter stands before it.",
                }),
                goal: Goal::Ablated,
            },
            Step {
                text: "See the answer: the copy is gone, with one head of eight.",
                points_at: ".lesson .answer",
                view: View::Inspect,
                ask: None,
                goal: Goal::Wrong(0.6),
            },
            Step {
                text: "Take the ablation away, and it is back: nothing was trained.",
                points_at: ".inspector .changes",
                view: View::Inspect,
                ask: None,
                goal: Goal::Right(0.6),
            },
        ],
    },
    Lesson {
        title: "Grokking",
        level: "Training",
        minutes: 5,
        about: "A model learns a table by heart. Long after, it understands it.",
        open: Open::New(TaskKind::Modular),
        steps: &[
            Step {
                text: "The task is a + b, beginning at 0 again after the largest number. Half of all sums are trained on; \
                       the other half is held out, for validation.",
                points_at: ".panel.loss",
                view: View::Loss,
                ask: Some(Question {
                    text: "What will a model learn first?",
                    choices: &["The sums it is shown", "How to add"],
                    right: 0,
                    why: "To learn by heart is quick. It says nothing about sums that were not shown.",
                }),
                goal: Goal::Read,
            },
            Step {
                text: "Press Train, and wait until the training loss, the thin line, is below 0.1.",
                points_at: ".toolbar .primary",
                view: View::Loss,
                ask: None,
                goal: Goal::TrainingBelow(0.1),
            },
            Step {
                text: "The thick line is the loss on sums that were held out. It is where it began, or above: the model \
                       knows its table and cannot add.",
                points_at: ".panel.loss",
                view: View::Loss,
                ask: Some(Question {
                    text: "What if it trains on?",
                    choices: &["Nothing more", "The held-out loss falls too"],
                    right: 1,
                    why: "Weight decay makes large weights cost. Adding needs smaller ones than a table, and wins in the end.",
                }),
                goal: Goal::Read,
            },
            Step {
                text: "Wait for the thick line to fall below 0.3. It is the same model and the same data: it has \
                       understood. This is called grokking.",
                points_at: ".panel.loss",
                view: View::Loss,
                ask: None,
                goal: Goal::ValidationBelow(0.3),
            },
        ],
    },
    Lesson {
        title: "A memory that is swapped",
        level: "Memory",
        minutes: 5,
        about: "What a model knows, taken out of its weights: emptied, taught anew, and put back.",
        open: Open::Link(
            "seed=1&trained=memory-world&task.kind=facts&task.facts.facts=20&task.facts.shuffle=2&model.n_layers=2\
               &model.n_heads=4&model.d_model=24&model.context=160&model.memory.kind=featural\
               &model.memory.layers=1&model.memory.top_k=1&model.memory.write_threshold=0.1\
               &model.memory.max_writes=32&train.batch=8&train.frozen=true&train.lr=0.03&train.min_lr=0.001\
               &train.warmup=1&train.steps=150&tab=memory&look=recalled",
        ),
        steps: &[
            Step {
                text: "This model keeps facts in slots beside its weights: in place of an MLP it looks up the nearest of \
                       them. It has learnt twenty facts of a made-up world.",
                points_at: "#panel-memory",
                view: View::Inspect,
                ask: Some(Question {
                    text: "Where are the facts?",
                    choices: &["In the weights", "In the slots"],
                    right: 1,
                    why: "You will see: without the slots the facts are gone, and the weights are the same.",
                }),
                goal: Goal::Right(0.9),
            },
            Step {
                text: "Keep a copy of this memory: press Save snapshot.",
                points_at: "#panel-memory",
                view: View::Inspect,
                ask: None,
                goal: Goal::Snapshot,
            },
            Step {
                text: "Empty it: press Clear memory.",
                points_at: "#panel-memory",
                view: View::Inspect,
                ask: Some(Question {
                    text: "What will the model answer now?",
                    choices: &["The same", "Something that looks like an answer"],
                    right: 1,
                    why: "It still knows how answers are written. What the answer is, it does not know any more.",
                }),
                goal: Goal::Cleared,
            },
            Step {
                text: "Teach it another world. The settings of this lesson freeze the weights, so only the memory learns: \
                       open the model’s name at the top, and choose Train from these weights.",
                points_at: ".chip-holder button",
                view: View::Inspect,
                ask: None,
                goal: Goal::Anew(150),
            },
            Step {
                text: "Now put the first world back: choose your snapshot under Snapshot, and press Restore snapshot. The \
                       true answer above is that of the second world, so the first world’s is wrong here.",
                points_at: "#panel-memory",
                view: View::Inspect,
                ask: None,
                goal: Goal::Wrong(0.8),
            },
        ],
    },
];
