//! Graphs of functions that go on from what the noise codec writes.

use confab::base::random::stream_rng;
use confab::codec::graph::{Dictionary, Effect, Function, Plan, plan, run, search};
use confab::codec::{Keys, levenshtein};
use confab::config::CodecConfig;
use proptest::prelude::*;
use rand::RngExt;

const TOKENS: u32 = 20;

fn keys(tokens: u32) -> Keys {
    Keys::draw(tokens as usize + 1, &CodecConfig::default(), 1).unwrap()
}

fn dictionary() -> Dictionary {
    Dictionary::new(&keys(TOKENS))
}

/// Output of a graph of functions, each with its arguments, on an input and an output.
fn made(graph: &[(Function, &[u32])], input: &[u32], output: &[u32]) -> Vec<u32> {
    run(&dictionary(), &written(&dictionary(), graph), input, output).output
}

fn written(dictionary: &Dictionary, graph: &[(Function, &[u32])]) -> Vec<u32> {
    let call = |(function, arguments): &(Function, &[u32])| {
        [&[dictionary.of(*function)], *arguments].concat()
    };
    graph.iter().flat_map(call).collect()
}

fn tokens() -> impl Strategy<Value = Vec<u32>> {
    prop::collection::vec(0..5_u32, 0..8)
}

/// Tokens in the order of their keys.
fn in_order() -> Vec<u32> {
    let keys = keys(TOKENS);
    let mut order: Vec<u32> = (0..TOKENS).collect();
    order.sort_by(|a, b| keys.of(*a).cmp(keys.of(*b)));
    order
}

fn place(token: u32) -> usize {
    in_order().iter().position(|other| *other == token).unwrap()
}

use Function::*;

proptest! {
    #[test]
    fn count_and_extend_append_as_often_as_the_input_has_a_token(
        input in tokens(), output in tokens(), counted in 0..5_u32, appended in 0..5_u32,
    ) {
        let count = input.iter().filter(|token| **token == counted).count();
        let most = 4 * input.len().max(output.len());
        let mut expected = output.clone();
        for _ in 0..count {
            if expected.len() < most {
                expected.push(appended);
            }
        }
        prop_assert_eq!(made(&[(Count, &[counted]), (Extend, &[appended])], &input, &output), expected);
        prop_assert_eq!(made(&[(Extend, &[appended])], &input, &output), output);
    }

    #[test]
    fn gates_let_through_what_follows(input in tokens(), output in tokens(), a in 0..5_u32, b in 0..5_u32) {
        let reversed: Vec<u32> = output.iter().rev().copied().collect();
        let pair = format!(",{a},{b},");
        let text: String = input.iter().map(|token| format!(",{token},")).collect::<String>().replace(",,", ",");
        let cases = [
            (vec![(Has, vec![a])], input.contains(&a)),
            (vec![(Lacks, vec![a])], !input.contains(&a)),
            (vec![(Match, vec![a, b])], text.contains(&pair)),
        ];
        for (gate, is_open) in cases {
            let gate: Vec<(Function, &[u32])> = gate.iter().map(|(f, of)| (*f, of.as_slice())).collect();
            let graph = |not: bool| {
                let mut graph = gate.clone();
                if not {
                    graph.insert(0, (Not, &[]));
                }
                graph.push((Backwards, &[]));
                graph
            };
            let through = |is_open: bool| if is_open { &reversed } else { &output };
            prop_assert_eq!(&made(&graph(false), &input, &output), through(is_open));
            prop_assert_eq!(&made(&graph(true), &input, &output), through(!is_open));
        }
    }

    #[test]
    fn substitute_puts_one_token_for_another(output in tokens(), a in 0..5_u32, b in 0..5_u32) {
        let expected: Vec<u32> = output.iter().map(|t| if *t == a { b } else { *t }).collect();
        prop_assert_eq!(made(&[(Substitute, &[a, b])], &[], &output), expected);
    }

    #[test]
    fn sorted_puts_tokens_in_the_order_of_keys(output in tokens()) {
        let mut expected: Vec<u32> = Vec::new();
        for token in in_order() {
            expected.extend(output.iter().filter(|other| **other == token));
        }
        prop_assert_eq!(made(&[(Sorted, &[])], &[], &output), expected);
    }

    #[test]
    fn shift_moves_along_the_order_of_keys(output in tokens(), by in 0..TOKENS) {
        let order = in_order();
        let moved = |token: &u32| order[(place(*token) + place(by)) % order.len()];
        let expected: Vec<u32> = output.iter().map(moved).collect();
        prop_assert_eq!(made(&[(Shift, &[by])], &[], &output), expected);
    }

    #[test]
    fn last_spares_the_first_half(output in tokens()) {
        let (first, last) = output.split_at(output.len().div_ceil(2));
        let expected: Vec<u32> = first.iter().chain(last.iter().rev()).copied().collect();
        prop_assert_eq!(made(&[(Last, &[]), (Backwards, &[])], &[], &output), expected.clone());
        // A marker is for one function.
        let twice = made(&[(Last, &[]), (Backwards, &[]), (Backwards, &[])], &[], &output);
        prop_assert_eq!(twice, expected.into_iter().rev().collect::<Vec<u32>>());
    }

    #[test]
    fn on_input_changes_what_later_functions_read(input in tokens(), output in tokens(), a in 0..5_u32) {
        let graph: [(Function, &[u32]); 4] =
            [(OnInput, &[]), (Substitute, &[a, 19]), (Has, &[a]), (Backwards, &[])];
        prop_assert_eq!(made(&graph, &input, &output), output);
    }

    #[test]
    fn any_graph_ends_within_bounds_and_tells_each_change(
        input in tokens(), output in tokens(), graph in prop::collection::vec(0..60_u32, 0..40),
    ) {
        let ran = run(&dictionary(), &graph, &input, &output);
        prop_assert!(ran.output.len() <= 4 * input.len().max(output.len()));
        let parts: usize = ran.turns.iter().map(|turn| 1 + turn.arguments.len()).sum();
        prop_assert_eq!(parts, graph.len());
        let mut last = [output, input];
        for turn in &ran.turns {
            if let Effect::Changed { on_input, before, after } = &turn.effect {
                let known = &mut last[usize::from(*on_input)];
                prop_assert_eq!(&*known, before);
                *known = after.clone();
            }
        }
        prop_assert_eq!(&last[0], &ran.output);
    }

    #[test]
    fn what_a_search_returns_leads_to_the_output(input in tokens(), output in tokens()) {
        let plan = search(&dictionary(), &input, &output);
        prop_assert_eq!(run(&dictionary(), &plan.graph, &input, &plan.written).output, output.clone());
        if plan.graph.is_empty() {
            prop_assert_eq!(plan.written, output);
        } else {
            let saved = levenshtein(&input, &output) - levenshtein(&input, &plan.written);
            prop_assert!(saved > plan.graph.len());
            let functions = plan.graph.iter().filter_map(|token| dictionary().function(*token));
            prop_assert!(functions.filter(|function| !function.is_marker()).count() <= 3);
        }
    }
}

proptest! {
    #[test]
    fn a_known_graph_is_kept_unless_another_is_better(
        input in tokens(), output in tokens(), known in prop::collection::vec(0..32_u32, 0..4),
    ) {
        let dictionary = dictionary();
        let found = search(&dictionary, &input, &output);
        let Plan { graph, written } = plan(&dictionary, &input, &output, &known);
        prop_assert_eq!(&run(&dictionary, &graph, &input, &written).output, &output);
        let edits = |written: &[u32]| levenshtein(&input, written);
        if graph == found.graph {
            prop_assert_eq!(written, found.written);
        } else {
            prop_assert_eq!(graph, known);
            prop_assert!(edits(&written) <= edits(&found.written) + found.graph.len());
        }
    }
}

#[test]
fn a_function_without_its_arguments_does_nothing() {
    let dictionary = dictionary();
    for graph in [
        vec![dictionary.of(Substitute), 1],
        vec![dictionary.of(Count)],
        vec![dictionary.of(Shift), dictionary.of(Shift)],
        vec![3],
        vec![dictionary.len() as u32 - 1],
        vec![u32::MAX],
    ] {
        let ran = run(&dictionary, &graph, &[1, 2], &[1, 2, 3]);
        assert_eq!(ran.output, [1, 2, 3]);
        assert!(ran.turns.iter().all(|turn| turn.effect == Effect::Malformed), "{graph:?}");
    }
}

#[test]
fn a_trace_tells_the_register_and_the_gate() {
    let dictionary = dictionary();
    let graph = written(&dictionary, &[(Count, &[1]), (Has, &[7]), (Backwards, &[]), (Not, &[])]);
    let effects: Vec<Effect> =
        run(&dictionary, &graph, &[1, 1], &[2]).turns.into_iter().map(|turn| turn.effect).collect();
    assert_eq!(
        effects,
        [
            Effect::Register { before: 0, after: 2 },
            Effect::Gate { before: true, after: false },
            Effect::Closed,
            Effect::Marked
        ]
    );
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

#[test]
fn the_search_finds_what_was_done() {
    let dictionary = dictionary();
    for (number, input) in sequences(200).into_iter().enumerate() {
        let found = |output: &[u32]| {
            let plan = search(&dictionary, &input, output);
            assert_eq!(plan.written, input, "{number}");
            plan.graph
        };
        let reversed: Vec<u32> = input.iter().rev().copied().collect();
        assert_eq!(found(&reversed), [dictionary.of(Backwards)]);
        let by = in_order()[1 + number % 19];
        let moved = made(&[(Shift, &[by])], &[], &input);
        assert_eq!(found(&moved), [dictionary.of(Shift), by]);
    }
}

#[test]
fn the_search_finds_a_substitution() {
    let dictionary = dictionary();
    for (number, sequence) in sequences(100).into_iter().enumerate() {
        let a = sequence[0];
        // Four more of the token that is replaced than a graph of three tokens costs.
        let input = [&[a; 4], sequence.as_slice()].concat();
        let b = (0..TOKENS).find(|token| !sequence.contains(token)).unwrap();
        let output: Vec<u32> = input.iter().map(|t| if *t == a { b } else { *t }).collect();
        let plan = search(&dictionary, &input, &output);
        assert_eq!(plan.graph, [dictionary.of(Substitute), a, b], "{number}");
        assert_eq!(plan.written, input);
    }
}

#[test]
fn the_search_goes_on_past_the_length() {
    let dictionary = dictionary();
    let input = [3, 1, 3, 2, 3, 3, 3, 3];
    let output = [&input[..], &[5; 6]].concat();
    let plan = search(&dictionary, &input, &output);
    assert_eq!(plan.graph, written(&dictionary, &[(Count, &[3]), (Extend, &[5])]));
}

#[test]
fn the_search_finds_none_for_pairs_that_have_nothing_to_do_with_each_other() {
    let dictionary = Dictionary::new(&keys(1000));
    for number in 0..200 {
        let mut rng = stream_rng(22, number);
        let [input, output] = [0, 1].map(|_| {
            let length = rng.random_range(4..13);
            (0..length).map(|_| rng.random_range(0..1000)).collect::<Vec<u32>>()
        });
        assert!(search(&dictionary, &input, &output).graph.is_empty(), "{input:?} {output:?}");
    }
}

#[test]
fn the_search_of_long_sequences_is_bounded_and_finds_what_comes_first() {
    let dictionary = Dictionary::new(&keys(1000));
    let input: Vec<u32> = (0..600).collect();
    let reversed: Vec<u32> = input.iter().rev().copied().collect();
    assert_eq!(search(&dictionary, &input, &reversed).graph, [dictionary.of(Backwards)]);
    let endless = vec![1; 100_000];
    assert!(search(&dictionary, &input, &endless).graph.is_empty());
}
