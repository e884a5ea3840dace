//! Codecs that map inputs to graphs.

use confab::base::random::stream_rng;
use confab::codec::graph::{Dictionary, Function, run};
use confab::codec::{Codec, Example, Fitter, Keys, Noise};
use confab::config::{CodecConfig, Fitting};
use rand::RngExt;

const TOKENS: u32 = 20;

/// The dictionary of the codecs below, which have the same seed.
fn dictionary() -> Dictionary {
    Dictionary::new(&Keys::draw(TOKENS as usize + 1, &CodecConfig::default(), 1).unwrap())
}

/// `count` sequences of different tokens.
fn sequences(count: u64) -> Vec<Vec<u32>> {
    let one = |number| {
        let mut rng = stream_rng(21, number);
        let mut left: Vec<u32> = (0..TOKENS).collect();
        let length = rng.random_range(4..13);
        (0..length).map(|_| left.swap_remove(rng.random_range(0..left.len()))).collect()
    };
    (0..count).map(one).collect()
}

fn learn(codec: &mut Codec, examples: &[Example], passes: usize) {
    let config = codec.config.clone();
    let mut fitter = Fitter::new(&config);
    for pass in 0..passes {
        for (number, example) in examples.iter().enumerate() {
            let mut rng = stream_rng(23, number as u64);
            let mut noise = Noise::new(&config, &mut rng);
            let noise = (pass == 0).then_some(&mut noise);
            codec.learn((number as u32, example), &mut fitter, noise, &mut rng);
        }
    }
}

/// A codec that has read 200 training records, and the held-out records that it writes exactly, of 200.
fn trained(graph: bool, output: impl Fn(&[u32]) -> Vec<u32>) -> (Codec, usize) {
    let example = |input: Vec<u32>| Example { output: output(&input), input };
    let examples: Vec<Example> = sequences(400).into_iter().map(example).collect();
    let (train, held_out) = examples.split_at(200);
    let config = CodecConfig { graph, fitting: Fitting::Cell, ..CodecConfig::default() };
    let mut codec = Codec::new(TOKENS as usize, &config, 1).unwrap();
    learn(&mut codec, train, 3);
    let exact = held_out.iter().filter(|of| codec.write(&of.input) == of.output).count();
    (codec, exact)
}

#[test]
fn a_codec_with_graphs_turns_unknown_sequences_round() {
    let reversed = |input: &[u32]| input.iter().rev().copied().collect();
    let (_, without) = trained(false, reversed);
    let (_, with) = trained(true, reversed);
    println!("held-out records turned round, of 200: {without} without graphs, {with} with");
    assert_eq!(with, 200);
    assert!(without < 20, "{without}");
}

#[test]
fn the_context_tells_the_graph() {
    // What ends with an even token is turned round, and the rest stays as it is.
    let mixed = |input: &[u32]| {
        let is_even = input.last().is_some_and(|last| last % 2 == 0);
        if is_even { input.iter().rev().copied().collect() } else { input.to_vec() }
    };
    let [without, with] = [false, true].map(|graph| trained(graph, mixed).1);
    println!("held-out records, of 200: {without} without graphs, {with} with");
    assert_eq!(with, 200);
}

#[test]
fn records_without_a_rule_are_written_exactly_too() {
    let mut rng = stream_rng(24, 0);
    let mut sequence = || -> Vec<u32> {
        let length = rng.random_range(4..13);
        (0..length).map(|_| rng.random_range(0..TOKENS)).collect()
    };
    let examples: Vec<Example> =
        (0..200).map(|_| Example { input: sequence(), output: sequence() }).collect();
    let config =
        CodecConfig { graph: true, noises: 16, fitting: Fitting::Cell, ..CodecConfig::default() };
    let mut codec = Codec::new(TOKENS as usize, &config, 1).unwrap();
    learn(&mut codec, &examples, 5);
    for example in &examples {
        assert_eq!(codec.write(&example.input), example.output);
    }
}

#[test]
fn a_frequent_graph_gets_a_macro() {
    let dictionary = dictionary();
    let shift = vec![dictionary.of(Function::Shift), dictionary.at(3).unwrap()];
    let shifted = |input: &[u32]| run(&dictionary, &shift, &[], input).output;
    let (codec, exact) = trained(true, shifted);
    assert_eq!(exact, 200);
    let graphs = codec.graphs.as_ref().unwrap();
    let steps = codec.trace(&[1, 2, 3, 4, 5]);
    let (chosen, ran) = codec.graph(&steps).unwrap();
    assert_eq!(chosen.short, [graphs.dictionary.of_macro(0)]);
    assert_eq!(chosen.graph, shift);
    assert_eq!(ran.output, codec.write(&[1, 2, 3, 4, 5]));
}
