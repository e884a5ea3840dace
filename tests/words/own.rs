//! Spaces of the user's own text.

use std::collections::HashSet;

use crate::common::terminal::{confab as run, ok};
use confab::base::random::stream_rng;
use confab::config::WordsConfig;
use confab::run::Field;
use confab::task::{RecordSource, Spaced, Split};

fn spaced(text: &str, max_letters: usize) -> Result<Spaced, String> {
    Spaced::new(&WordsConfig { text: text.into(), max_letters, ..WordsConfig::default() })
}

#[test]
fn spaces_of_an_own_text_are_put_back_and_a_tenth_is_held_out() {
    let line = |number| format!("The {number}  dogs see\ta\u{e4}\n\nAlone\n");
    let text: String = (10..50).map(line).collect();
    let task = spaced(&text, 100).unwrap();
    let records = |split| -> HashSet<String> {
        task.records(split).iter().map(|record| record.text.clone()).collect()
    };
    let (trained, held_out) = (records(Split::Train), records(Split::Validation));
    assert_eq!((trained.len(), held_out.len()), (36, 4));
    let wanted = |number| format!("The{number}dogsseea\u{e4}=The {number} dogs see a\u{e4}\n");
    let all: HashSet<String> = trained.union(&held_out).cloned().collect();
    assert_eq!(all, (10..50).map(wanted).collect());
    assert_eq!((task.longest(), task.floor()), (wanted(10).chars().count(), None));
    let draw = |stream| task.draw(Split::Train, 0, &mut stream_rng(1, stream)).text;
    assert_eq!((0..1000).map(draw).collect::<HashSet<_>>(), trained);
}

#[test]
fn long_lines_are_cut_after_a_word() {
    let task = spaced("a bc def ghij k lm nopq rs\nx y z", 5).unwrap();
    let outputs: HashSet<String> = [Split::Train, Split::Validation]
        .into_iter()
        .flat_map(|split| task.records(split).iter().map(|record| record.part(Field::Answer)))
        .collect();
    let wanted = ["a bc def", "ghij k", "lm nopq", "x y z"];
    assert_eq!(outputs, wanted.into_iter().map(str::to_owned).collect());
}

#[test]
fn a_text_without_spaces_to_put_back_is_refused() {
    for text in [" ", "one\ntwo\n", "the same\nthe same\n"] {
        assert!(spaced(text, 20).unwrap_err().contains("give it more"), "{text:?}");
    }
    assert!(spaced("a b\nc d\na = b", 20).unwrap_err().contains("line 3"));
}

#[test]
fn a_file_of_sentences_is_read_at_the_terminal() {
    let folder = tempfile::tempdir().unwrap();
    let data = |text: &str| {
        std::fs::write(folder.path().join("own.txt"), text).unwrap();
        run(
            folder.path(),
            &["data", "--task", "spacing", "--text-file", "own.txt", "--records", "1"],
        )
    };
    let printed = ok(&data("two words\nof two\n"));
    assert!(["twowords=two words\n", "oftwo=of two\n"].contains(&printed.as_str()), "{printed}");
    for text in ["", "\n", "word\n", "a = b\nc d\n"] {
        let refused = data(text);
        let told = String::from_utf8_lossy(&refused.stderr);
        assert!(!refused.status.success() && told.contains("own.txt"), "{text:?}: {told}");
    }
}
