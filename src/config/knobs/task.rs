//! The task, and the options of each.

use super::super::knob::{float, int, knob};
use super::super::setting::{Place, at};
use super::super::{
    AnswerRule, FactsSplit, Knob, MAX_GRAMMAR_BYTES, MAX_NAMES, MAX_SENTENCES_BYTES,
    MAX_TEXT_BYTES, Range, TaskKind, TokenKind,
};

pub(super) const KNOBS: &[Knob] = &[
    knob(at!(task.kind), "Task", Range::Choice(TaskKind::NAMES), "records to train on"),
    int(at!(task.phone.lines), "Lines", 1, 5, "names and numbers in the list of a record"),
    int(at!(task.phone.names), "Names", 2, MAX_NAMES as u64, "first names to draw from"),
    knob(
        at!(task.phone.answer),
        "Answer",
        Range::Choice(AnswerRule::NAMES),
        "number on the last line: from the list or, as published, random",
    ),
    float(
        at!(task.phone.unknown),
        "Share of unknown names",
        0.0,
        1.0,
        "share of records that ask for any name of the book; ? answers an unlisted one",
    ),
    int(at!(task.facts.facts), "Facts", 10, 5000, "distinct facts to learn"),
    int(at!(task.facts.repetitions), "Repetitions", 1, 4, "wordings of each generated fact"),
    int(
        at!(task.facts.shuffle),
        "Fact shuffle",
        0,
        1000,
        "0 keeps facts true; any other number deals their answers anew",
    ),
    int(
        at!(task.facts.hand_written),
        "Hand-written facts",
        0,
        256,
        "most facts written by hand, in one wording each; they come first, the generated ones after them",
    ),
    knob(
        at!(task.facts.split),
        "Split",
        Range::Choice(FactsSplit::NAMES),
        "held out are whole facts, or single wordings of facts that are trained on in others",
    ),
    knob(
        at!(task.text.text),
        "Text",
        Range::Text { max_bytes: MAX_TEXT_BYTES },
        "your own text, or JSON records",
    ),
    knob(
        at!(task.text.tokens),
        "Tokens",
        Range::Choice(TokenKind::NAMES),
        "tokens of a new model: the text's characters, or byte pairs learned from it at the terminal",
    ),
    int(at!(task.text.vocab), "Vocabulary", 257, 65_536, "most tokens, where they are byte pairs"),
    int(at!(task.induction.characters), "Characters", 2, 62, "different characters to draw from"),
    int(at!(task.induction.min_len), "Min length", 1, 512, "fewest characters to repeat"),
    int(at!(task.induction.max_len), "Max length", 1, 512, "most characters to repeat"),
    int(at!(task.modular.modulus), "Modulus", 2, 151, "modulus of the sums"),
    float(
        at!(task.modular.fraction),
        "Training fraction",
        0.0,
        1.0,
        "share of all sums to train on; the others are held out",
    ),
    knob(
        at!(task.grammar.text),
        "Grammar",
        Range::Text { max_bytes: MAX_GRAMMAR_BYTES },
        "your own task: rules that draw its records",
    ),
    int(
        at!(task.sequence.characters),
        "Input characters",
        2,
        62,
        "different characters to draw from",
    ),
    int(at!(task.sequence.min_len), "Min input length", 1, 512, "fewest characters of an input"),
    int(at!(task.sequence.max_len), "Max input length", 1, 512, "most characters of an input"),
    int(at!(task.words.words), "Words", 10, 5000, "words of the vocabulary"),
    int(at!(task.words.vocabulary), "Vocabulary number", 0, 1000, "each number makes other words"),
    float(
        at!(task.words.ambiguous),
        "Ambiguous words",
        0.0,
        1.0,
        "share of words that are in two classes",
    ),
    int(
        at!(task.words.min_letters),
        "Min letters",
        1,
        100,
        "fewest letters of a sentence, spaces not counted",
    ),
    int(
        at!(task.words.max_letters),
        "Max letters",
        1,
        100,
        "letters from which on a sentence ends with its next word",
    ),
    knob(
        at!(task.words.text),
        "Own sentences",
        Range::Text { max_bytes: MAX_SENTENCES_BYTES },
        "your own text, a sentence a line, of which spaces are put back; empty for the made-up language",
    ),
];
