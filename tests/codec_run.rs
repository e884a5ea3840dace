//! Runs of the noise codec: what they learn, resume, explain and refuse.

mod common;

use burn::tensor::Device;
use common::terminal::{command, confab, ok, refused};
use common::untimed;
use confab::base::random::stream_rng;
use confab::checkpoint::CheckpointError;
use confab::codec::{Codec, CodecRun, Example, Fitter, Noise, analyse, entries};
use confab::config::{CodecConfig, LearnerKind, RunConfig, TaskKind};
use confab::figure::Content;
use confab::learn::Trainer;
use confab::run::AnalysisRequest;
use proptest::prelude::*;
use safetensors::tensor::{Dtype, SafeTensors, TensorView};
use std::collections::HashMap;

/// Settings of a run of a second.
fn small(kind: TaskKind) -> RunConfig {
    let mut config = RunConfig { learner: LearnerKind::Codec, seed: 3, ..RunConfig::default() };
    config.task.kind = kind;
    (config.task.words.min_letters, config.task.words.max_letters) = (16, 24);
    (config.train.records, config.train.batch) = (200, 50);
    (config.train.steps, config.train.val_every, config.train.val_batches) = (24, 4, 1);
    config
}

fn trained(config: RunConfig) -> CodecRun {
    let mut run = CodecRun::new(config).unwrap();
    while !run.is_finished() {
        run.learn();
    }
    run
}

#[test]
fn training_records_are_written_from_their_inputs_alone() {
    for kind in [TaskKind::Spacing, TaskKind::Tagging, TaskKind::Copy, TaskKind::Reverse] {
        let run = trained(small(kind));
        let training = run.training();
        assert_eq!(training.exact.of, 200, "{kind:?}");
        assert_eq!(training.exact.share(), Some(1.0), "{kind:?}: {training:?}");
        assert_eq!(training.edits.0, 0);
    }
}

/// Checks that learnt spaces serve unread sentences, and that unread inputs are copied. Reversing is not checked.
#[test]
fn held_out_spaces_are_mostly_right_and_copies_all() {
    let mut config = small(TaskKind::Spacing);
    (config.train.records, config.train.steps) = (1000, 60);
    let spacing = trained(config).held_out(200);
    assert!(spacing.spaces.f1().unwrap() > 0.9, "{spacing:?}");
    assert_eq!(trained(small(TaskKind::Copy)).held_out(200).exact.share(), Some(1.0));
}

#[test]
fn a_resumed_run_is_the_run_that_never_stopped() {
    let mut whole = trained(small(TaskKind::Spacing));
    let mut part = CodecRun::new(small(TaskKind::Spacing)).unwrap();
    // In the midst of the records' first pass, and after it.
    for stop in [2, 11] {
        while part.step < stop {
            part.learn();
        }
        part = CodecRun::from_bytes(&part.to_bytes().unwrap()).unwrap();
    }
    while !part.is_finished() {
        part.learn();
    }
    assert_eq!(part.codec, whole.codec);
    assert_eq!(part.history, whole.history);
    assert_eq!(untimed(&part.losses), untimed(&whole.losses));
    let seconds: Vec<f32> = part.losses.iter().map(|of| of.seconds.unwrap()).collect();
    assert!(seconds[0] > 0.0 && seconds.is_sorted());
    (part.losses, whole.losses) = (Vec::new(), Vec::new());
    assert_eq!(part.to_bytes().unwrap().len(), whole.to_bytes().unwrap().len());
}

/// With noises of its own, a record is replayed; the key layer that knows nothing writes nothing.
#[test]
fn fitting_finds_noise_for_every_token_and_collects_it() {
    let config = CodecConfig::default();
    let mut codec = Codec::new(10, &config, 1).unwrap();
    let example = Example { input: vec![1, 2, 3], output: vec![1, 9, 2, 3, 9, 9] };
    assert!(codec.write(&example.input).is_empty());
    let mut rng = stream_rng(1, 0);
    let mut noise = Noise::new(&config, &mut rng);
    let learned = codec.learn((0, &example), &mut Fitter::new(&config), Some(&mut noise), &mut rng);
    assert_eq!((learned.tokens, learned.right, learned.unfit), (4, 0, 0));
    assert_eq!(codec.write(&example.input), example.output);
    // One noise a token cannot write two.
    let one = CodecConfig { noises: 1, ..config };
    let mut codec = Codec::new(10, &one, 1).unwrap();
    let learned = codec.learn((0, &example), &mut Fitter::new(&one), Some(&mut noise), &mut rng);
    assert_eq!(learned.unfit, 2);
    assert_ne!(codec.write(&example.input), example.output);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// Whatever is to be written, unless two equal inputs want different outputs.
    #[test]
    fn any_mapping_is_learnt_by_heart(
        pairs in prop::collection::hash_map(
            prop::collection::vec(0..4_u32, 0..7),
            prop::collection::vec(0..4_u32, 0..7),
            1..20,
        ),
        numbers in 1..3_usize,
        reach in prop::sample::select(vec![0.0, 0.1]),
    ) {
        let config = CodecConfig { noises: 8, numbers, reach, ..CodecConfig::default() };
        let mut codec = Codec::new(4, &config, 1).unwrap();
        let examples: Vec<Example> =
            pairs.into_iter().map(|(input, output)| Example { input, output }).collect();
        let mut fitter = Fitter::new(&config);
        for pass in 0..12 {
            for (number, example) in examples.iter().enumerate() {
                let mut rng = stream_rng(pass, number as u64);
                let mut noise = (pass == 0).then(|| Noise::new(&config, &mut rng));
                let numbered = (number as u32, example);
                codec.learn(numbered, &mut fitter, noise.as_mut(), &mut rng);
            }
        }
        for example in &examples {
            prop_assert_eq!(&codec.write(&example.input), &example.output);
        }
    }
}

/// An output is explained by a context that is in the training record that it is said to be borrowed from.
#[test]
fn what_is_written_is_traced_to_a_training_record() {
    let run = trained(small(TaskKind::Spacing));
    let steps = run.trace(&run.example_input()).unwrap();
    for step in &steps {
        let explained = run.explain(step);
        let Some(source) = explained.context else { continue };
        let letters: Vec<char> = source.input.chars().collect();
        let place = source.place as usize;
        let own = letters.get(place).map_or(String::new(), char::to_string);
        assert_eq!(own, explained.token);
        assert_eq!(source.output.replace(' ', ""), source.input);
        assert!(source.wanted <= source.met && source.wanted > 0);
        for noise in &explained.noises {
            let whole = explained.key[0] - noise.noise[0];
            assert!((whole.rem_euclid(1.0) - noise.embedding[0]).abs() < 1e-9);
        }
    }
}

#[test]
fn every_analysis_of_a_codec_has_figures() {
    let mut config = small(TaskKind::Spacing);
    config.codec.numbers = 2;
    let run = trained(config);
    for entry in entries() {
        let request = |prompt: &str, position| AnalysisRequest {
            analysis: entry.id.to_string(),
            prompt: prompt.into(),
            position,
            ..AnalysisRequest::default()
        };
        for position in [None, Some(0), Some(10_000)] {
            let figures = match analyse(&run, &request(&run.example_input(), position)) {
                // What this codec is trained without.
                Err(why) if ["codec-chain", "codec-graph"].contains(&&*entry.id) => {
                    assert!(why.contains("train one with"), "{why}");
                    continue;
                }
                figures => figures.unwrap(),
            };
            assert!(!figures.is_empty(), "{}", entry.id);
            for figure in figures {
                if let Content::Grid(grid) = &figure.content {
                    assert_eq!(grid.values.len(), grid.rows.len() * grid.columns.len());
                    assert_eq!(grid.texts.len(), grid.values.len());
                }
            }
        }
        let error = analyse(&run, &request("🦑", None)).unwrap_err();
        assert!(error.contains("🦑"), "{error}");
    }
    let other = AnalysisRequest { analysis: "lens".into(), ..AnalysisRequest::default() };
    let error = analyse(&run, &other).unwrap_err();
    assert!(error.contains("noise codec") && error.contains("codec-written"), "{error}");
}

#[test]
fn a_chain_and_graphs_are_shown_where_there_are_some() {
    let mut config = small(TaskKind::Reverse);
    (config.codec.chain, config.codec.graph) = (true, true);
    let run = trained(config);
    let figures = |analysis: &str| {
        let prompt = "abcdef".into();
        let request =
            AnalysisRequest { analysis: analysis.into(), prompt, ..AnalysisRequest::default() };
        analyse(&run, &request).unwrap()
    };
    let Content::Grid(transitions) = &figures("codec-chain")[0].content else { panic!("no grid") };
    for row in transitions.values.chunks(transitions.columns.len()) {
        assert!((row.iter().sum::<f32>() - 1.0).abs() < 1e-5);
    }
    let Content::Table(turns) = &figures("codec-graph")[0].content else { panic!("no table") };
    assert_eq!(turns.rows, [["backwards", "", "output: abcdef → fedcba"]]);
    let read = CodecRun::from_bytes(&run.to_bytes().unwrap()).unwrap();
    assert_eq!(read.codec, run.codec);
}

#[test]
fn a_mistake_is_traced_to_where_it_is_borrowed_from() {
    let run = trained(small(TaskKind::Spacing));
    let request =
        AnalysisRequest { analysis: "codec-mistake".into(), ..AnalysisRequest::default() };
    let figures = analyse(&run, &request).unwrap();
    let Content::Table(table) = &figures[0].content else { panic!("no table") };
    assert!(!table.rows.is_empty());
    for row in &table.rows {
        assert_ne!(row[1], row[2], "{row:?}");
        assert!(row[7].starts_with('#') && row[7].contains(" → "), "{row:?}");
        // Where it was borrowed from, it was right.
        assert_eq!(row[8], format!("“{}”", row[2]), "{row:?}");
    }
}

/// Checks that the trainer of transformers, which sweeps and benchmarks use, refuses to train a codec.
#[test]
fn no_transformer_is_trained_in_place_of_a_codec() {
    let limits = confab::device::cpu_limits();
    let made = Trainer::new(small(TaskKind::Spacing), Device::flex(), &limits);
    let error = made.map(drop).unwrap_err().to_string();
    assert!(error.contains("set it to gpt"), "{error}");
}

#[test]
fn a_task_without_answers_is_refused() {
    let mut config = small(TaskKind::Text);
    config.task.text.text =
        "a plain text without questions, which is long enough to be drawn from".into();
    let error = CodecRun::new(config).unwrap_err().to_string();
    assert!(error.contains("choose another Task"), "{error}");
}

/// The tensors and the metadata of a file, to be damaged.
type Parts = (Vec<(String, Dtype, Vec<usize>, Vec<u8>)>, HashMap<String, String>);

fn parts(bytes: &[u8]) -> Parts {
    let (_, header) = SafeTensors::read_metadata(bytes).unwrap();
    let tensors = SafeTensors::deserialize(bytes).unwrap();
    let part = |(name, view): (String, TensorView)| {
        (name, view.dtype(), view.shape().to_vec(), view.data().to_vec())
    };
    let tensors = tensors.tensors().into_iter().map(part).collect();
    (tensors, header.metadata().clone().unwrap())
}

fn read((tensors, metadata): &Parts) -> Result<CodecRun, CheckpointError> {
    let views = tensors.iter().map(|(name, dtype, shape, data)| {
        (name.as_str(), TensorView::new(*dtype, shape.clone(), data).unwrap())
    });
    CodecRun::from_bytes(&safetensors::serialize(views, Some(metadata.clone())).unwrap())
}

#[test]
fn damaged_and_hostile_files_are_refused() {
    let whole = trained(small(TaskKind::Spacing)).to_bytes().unwrap();
    let parts = parts(&whole);
    assert!(read(&parts).is_ok());
    for end in (0..whole.len()).step_by(whole.len() / 40) {
        assert!(CodecRun::from_bytes(&whole[..end]).is_err(), "{end} bytes");
    }
    let names: Vec<String> = parts.0.iter().map(|(name, ..)| name.clone()).collect();
    for (at, name) in names.iter().enumerate() {
        let refused = |damage: &dyn Fn(&mut Parts)| {
            let mut damaged = parts.clone();
            damage(&mut damaged);
            let error = read(&damaged).map(drop).unwrap_err().to_string();
            assert!(error.contains("codec."), "{name}: {error}");
        };
        // Without its contexts, a window is one that nothing is known in.
        if !name.ends_with(".contexts") {
            refused(&|parts| drop(parts.0.remove(at)));
        }
        refused(&|parts| {
            let dtype = &mut parts.0[at].1;
            *dtype = if *dtype == Dtype::F64 { Dtype::I64 } else { Dtype::I32 };
        });
        refused(&|parts| {
            let (_, _, shape, data) = &mut parts.0[at];
            shape[0] -= 1;
            let size: usize = shape.iter().product();
            let each = data.len() / (size + shape.iter().skip(1).product::<usize>());
            data.truncate(size * each);
        });
        let may_be_any = [".counts", ".origins"].iter().any(|ending| name.ends_with(ending));
        if !may_be_any {
            refused(&|parts| parts.0[at].3.fill(0xff));
        }
    }
    let find = |ending: &str| names.iter().position(|name| name.ends_with(ending)).unwrap();
    let refused = |ending: &str, damage: &dyn Fn(&mut Vec<u8>)| {
        let mut damaged = parts.clone();
        damage(&mut damaged.0[find(ending)].3);
        assert!(read(&damaged).is_err(), "{ending}");
    };
    // Two tokens with one key, a context without a mode, one that was never wanted, a variance that is no number.
    refused("codec.keys", &|bytes| bytes.fill(0));
    refused(".modes", &|bytes| bytes.fill(0));
    refused(".counts", &|bytes| bytes.fill(0));
    refused(".variances", &|bytes| bytes.fill(0x7f));
    for (key, value) in [
        ("confab.codec.counts", "{}"),
        ("confab.codec.history", "7"),
        ("confab.step", "-1"),
        ("confab.tokenizer", "{\"characters\":\"ab\"}"),
    ] {
        let mut damaged = parts.clone();
        damaged.1.insert(key.into(), value.into());
        assert!(read(&damaged).is_err(), "{key}");
    }
    // Settings that ask for something else than the file holds.
    let mut config = small(TaskKind::Spacing);
    config.codec.numbers = 16;
    let mut damaged = parts.clone();
    damaged.1.insert("confab.config".into(), serde_json::to_string(&config).unwrap());
    assert!(read(&damaged).is_err());
}

const TRAIN: &[&str] = &[
    "train",
    "--learner",
    "codec",
    "--task",
    "spacing",
    "--train-records",
    "100",
    "--batch",
    "50",
    "--val-every",
    "2",
    "--seed",
    "3",
];

#[test]
fn the_terminal_trains_resumes_samples_evaluates_and_inspects() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    let train = |more: &[&str]| ok(&confab(at, &[TRAIN, more].concat()));
    train(&["--steps", "12", "--out", "whole.st", "--log", "whole.jsonl", "--plot", "whole.svg"]);
    train(&["--steps", "5", "--out", "part.st", "--log", "part.jsonl"]);
    ok(&confab(
        at,
        &[
            "train",
            "--resume",
            "part.st",
            "--steps",
            "12",
            "--out",
            "rest.st",
            "--log",
            "part.jsonl",
        ],
    ));
    let read = |name: &str| CodecRun::from_bytes(&std::fs::read(at.join(name)).unwrap()).unwrap();
    assert_eq!(read("whole.st").codec, read("rest.st").codec);
    let lines = |name: &str| std::fs::read_to_string(at.join(name)).unwrap();
    assert_eq!(lines("whole.jsonl").lines().count(), 6);
    // The run that was stopped was validated at its end, too.
    assert_eq!(lines("part.jsonl").lines().count(), 7);
    assert!(lines("whole.svg").contains("likeliest outputs of held-out records"));

    let run = read("whole.st");
    let input = run.example_input();
    let written = ok(&confab(at, &["sample", "whole.st", "--prompt", &input]));
    assert_eq!(
        written.trim_end_matches('\n'),
        run.tokenizer.decode(&run.codec.write(&run.tokenizer.encode(&input).unwrap()))
    );
    let told = ok(&confab(at, &["sample", "whole.st", "--prompt", &input, "--probs"]));
    assert_eq!(told.lines().count(), input.chars().count() + 1);
    let report: serde_json::Value =
        serde_json::from_str(&ok(&confab(at, &["eval", "whole.st", "--json"]))).unwrap();
    assert_eq!(report["training"]["exact"]["of"], 100);
    // No learner gets more right than the source's own likeliest outputs do, and counting comes near.
    let right = |of: &str| report[of]["exact"]["right"].as_u64().unwrap();
    assert!(right("held_out") < right("likeliest") && right("grams") <= right("likeliest"));
    assert!(ok(&confab(at, &["eval", "whole.st"])).contains("likeliest outputs: F1 of spaces"));
    let table = ok(&confab(at, &["inspect", "whole.st", "--what", "codec-written"]));
    assert!(table.contains("Borrowed from"), "{table}");

    refused(at, &["sample", "whole.st", "--prompt", "🦑"], &["🦑", "whole.st"]);
    refused(at, &["inspect", "whole.st", "--what", "lens"], &["noise codec", "codec-written"]);
    refused(at, &["train", "--from", "whole.st", "--out", "x.st"], &["noise codec", "--resume"]);
    refused(
        at,
        &["train", "--resume", "whole.st", "--out", "x.st"],
        &["12 of 12 steps", "--steps"],
    );
    refused(
        at,
        &["train", "--resume", "part.st", "--codec-digits", "3", "--out", "x.st"],
        &["--codec-digits cannot be changed"],
    );
    refused(at, &["edit", "whole.st"], &["noise codec"]);
    refused(at, &["export", "whole.st", "--to", "nanogpt", "x"], &["noise codec"]);
    refused(
        at,
        &[TRAIN, &["--steps", "2", "--keep-steps", "kept", "--out", "x.st"]].concat(),
        &["--keep-steps"],
    );
    refused(
        at,
        &[
            "train",
            "--learner",
            "codec",
            "--task",
            "text",
            "--text",
            "a plain text without questions, which is long enough to be cut into windows, and goes on",
            "--out",
            "x.st",
        ],
        &["choose another Task"],
    );
    // Stopped in the midst, it is saved.
    let mut stopped = command(at, &[TRAIN, &["--steps", "100000", "--out", "stopped.st"]].concat())
        .spawn()
        .unwrap();
    while !at.join("stopped.st").exists() && stopped.try_wait().unwrap().is_none() {
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
    assert!(
        std::process::Command::new("kill")
            .args(["-TERM", &stopped.id().to_string()])
            .status()
            .unwrap()
            .success()
    );
    assert!(stopped.wait().unwrap().success());
    assert!(read("stopped.st").step > 0);
}

/// Both kinds of learner read the same records.
#[test]
fn a_limited_number_of_records_is_the_same_for_every_learner() {
    use confab::task::{Split, Task};
    use std::collections::BTreeSet;
    let config = small(TaskKind::Spacing);
    let task = Task::new(&config.task).unwrap();
    let texts: BTreeSet<String> = (0..5).map(|number| task.numbered(number, 64, 3).text).collect();
    let limited = task.clone().limited(5, 3);
    let drawn: BTreeSet<String> = (0..20)
        .flat_map(|stream| limited.draw_batch(Split::Train, 64, 8, &mut stream_rng(1, stream)))
        .map(|record| record.text)
        .collect();
    assert_eq!(drawn, texts);
    let held_out = |task: &Task| task.draw(Split::Validation, 64, &mut stream_rng(1, 1));
    assert_eq!(held_out(&limited), held_out(&task));
    assert_eq!(
        task.clone().limited(0, 3).draw(Split::Train, 64, &mut stream_rng(1, 1)),
        task.draw(Split::Train, 64, &mut stream_rng(1, 1))
    );
}
