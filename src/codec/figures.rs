//! Figures of a codec: what it writes, from where, and how keys are compared.

mod keys;
mod of_run;
mod traced;
mod written;

use super::run::CodecRun;
use crate::figure::Figure;
use crate::run::{AnalysisEntry, AnalysisRequest, Group, Input};
use keys::{digits, keys};
use of_run::{chain, graph, progress};
use traced::Traced;
use written::{mistake, written};

type Draw = fn(&Traced) -> Result<Vec<Figure>, String>;

const PROMPTED: &[Input] = &[Input::Prompt, Input::Position];

/// All analyses of a codec, in the order of display.
static ANALYSES: [(AnalysisEntry, Draw); 7] = [
    (entry("codec-written", "What is written, and where it comes from", PROMPTED), written),
    (entry("codec-mistake", "A mistake, and where it comes from", &[]), mistake),
    (entry("codec-keys", "Keys and noise", PROMPTED), keys),
    (entry("codec-digits", "Digits compared", PROMPTED), digits),
    (entry("codec-chain", "Chain of noises", &[]), chain),
    (entry("codec-graph", "Graph tokens", &[Input::Prompt]), graph),
    (entry("codec-progress", "Progress", &[]), progress),
];

const fn entry(id: &'static str, label: &'static str, inputs: &'static [Input]) -> AnalysisEntry {
    AnalysisEntry::new(id, label, Group::Codec, inputs)
}

/// Descriptions of all analyses, in the order of display.
pub fn entries() -> impl Iterator<Item = &'static AnalysisEntry> {
    ANALYSES.iter().map(|(entry, _)| entry)
}

/// The figures of an analysis.
///
/// # Errors
/// A sentence, if there is no such analysis of a codec, or the prompt has a character that it does not know.
pub fn analyse(run: &CodecRun, request: &AnalysisRequest) -> Result<Vec<Figure>, String> {
    let known = ANALYSES.iter().find(|(entry, _)| entry.id == request.analysis);
    let Some((_, draw)) = known else {
        let names: Vec<&str> = entries().map(|entry| &*entry.id).collect();
        return Err(format!(
            "`{}` is of transformers, and this is a noise codec; choose one of {}",
            request.analysis.chars().take(60).collect::<String>(),
            names.join(", ")
        ));
    };
    let prompt = match &*request.prompt {
        "" => &run.example_input(),
        prompt => prompt,
    };
    let steps = run.trace(prompt).map_err(|error| error.to_string())?;
    // Without a choice, the first token that becomes another.
    let changed = steps.iter().position(|step| run.codec.output(&step.reached) != [step.token]);
    let at = request.position.or(changed).unwrap_or(0).min(steps.len() - 1);
    draw(&Traced { run, steps, at })
}
