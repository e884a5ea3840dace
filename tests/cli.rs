//! The terminal, as its user sees it.

mod common;

use std::path::Path;
use std::process::Command;

use common::terminal::{TINY, confab, ok, refused, train};
use confab::checkpoint::Checkpoint;
use confab::config::{Knob, OLD_CHOICES, OLD_KEYS, Range};

/// `(step, train_loss, val_loss)` of each line of a log.
fn log(folder: &Path, file: &str) -> Vec<(u64, f64, Option<f64>)> {
    let text = std::fs::read_to_string(folder.join(file)).unwrap();
    text.lines()
        .map(|line| {
            let line: serde_json::Value = serde_json::from_str(line).unwrap();
            assert!(line["tokens_per_s"].as_f64().unwrap() > 0.0);
            let step = line["step"].as_u64().unwrap();
            (step, line["train_loss"].as_f64().unwrap(), line["val_loss"].as_f64())
        })
        .collect()
}

#[test]
fn a_model_of_a_grammar_writes_on_from_a_record_of_its_own() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    let grammar = "record = \"a\"..\"c\" * 3 as word \"|\" answer(word)";
    std::fs::write(at.join("mine.txt"), grammar).unwrap();
    let args =
        ["train", "--grammar", "mine.txt", "--preset", "tuned", "--steps", "2", "--device", "cpu"];
    ok(&confab(at, &[&args[..], &["--out", "run.safetensors"]].concat()));
    let text =
        ok(&confab(at, &["sample", "run.safetensors", "--device", "cpu", "--max-chars", "9"]));
    let (word, answer) = text.split_once('|').expect(&text);
    assert!(word.len() == 3 && word.chars().all(|c| ('a'..='c').contains(&c)), "{text}");
    assert!(!answer.trim().is_empty(), "{text}");
}

#[test]
fn trains_samples_inspects_and_resumes() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    ok(&train(at, &["--steps", "20", "--out", "whole.safetensors", "--log", "whole.jsonl"]));
    let whole = log(at, "whole.jsonl");
    assert_eq!(whole.iter().map(|line| line.0).collect::<Vec<_>>(), [1, 5, 10, 15, 20]);
    assert!(whole[4].1 < whole[0].1);

    let sample = |seed: &str| {
        let args = ["sample", "whole.safetensors", "--device", "cpu", "--seed", seed];
        ok(&confab(at, &[&args[..], &["--prompt", "{B}\\n", "--max-chars", "20"]].concat()))
    };
    assert_eq!(sample("3"), sample("3"));
    assert_ne!(sample("3"), sample("4"));
    assert!(sample("3").starts_with("{B}\n"));

    let probs = confab(
        at,
        &["sample", "whole.safetensors", "--device", "cpu", "--probs", "--max-chars", "3"],
    );
    for line in ok(&probs).lines() {
        let line: serde_json::Value = serde_json::from_str(line).unwrap();
        let alternatives = line["alternatives"].as_array().unwrap();
        let total: f64 = alternatives.iter().map(|a| a["probability"].as_f64().unwrap()).sum();
        assert!(total > 0.0 && total < 1.0 + 1e-5);
    }

    for file in ["out.png", "out.json"] {
        let args = ["inspect", "whole.safetensors", "--device", "cpu", "--attention", file];
        ok(&confab(at, &[&args[..], &["--prompt", "{B}\\nAnna"]].concat()));
    }
    let png = std::fs::read(at.join("out.png")).unwrap();
    assert_eq!(&png[..8], b"\x89PNG\r\n\x1a\n");
    let json = std::fs::read_to_string(at.join("out.json")).unwrap();
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(json["attention"].as_array().unwrap().len(), 4);

    ok(&confab(
        at,
        &[
            "train",
            "--resume",
            "whole.safetensors",
            "--steps",
            "25",
            "--device",
            "cpu",
            "--out",
            "longer.safetensors",
            "--log",
            "longer.jsonl",
        ],
    ));
    assert_eq!(log(at, "longer.jsonl").last().unwrap().0, 25);
}

#[test]
fn a_command_that_does_not_train_says_nothing_of_the_device() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    ok(&train(at, &["--steps", "2", "--out", "run.safetensors"]));
    let commands: [&[&str]; 3] = [
        &["sample", "run.safetensors", "--max-chars", "3"],
        &["inspect", "run.safetensors", "--what", "lens", "--prompt", "{B}"],
        &["probe", "run.safetensors", "--samples", "1"],
    ];
    for command in commands {
        let mut confab = Command::new(env!("CARGO_BIN_EXE_confab"));
        confab.env_remove("XDG_RUNTIME_DIR").env_remove("DISPLAY").env_remove("WAYLAND_DISPLAY");
        let output = confab.args(command).current_dir(at).output().unwrap();
        ok(&output);
        assert_eq!(String::from_utf8_lossy(&output.stderr), "", "{command:?}");
    }
}

#[test]
fn a_link_gives_the_run() {
    let folder = tempfile::tempdir().unwrap();
    let link = "http://127.0.0.1:8080/#task.phone.lines=1&task.phone.names=8&model.context=96\
                &train.batch=4&train.steps=3&train.val_batches=1";
    let output = confab(folder.path(), &["train", "--link", link, "--device", "cpu", "--log", "a"]);
    ok(&output);
    assert_eq!(log(folder.path(), "a").last().unwrap().0, 3);
}

#[test]
fn a_bad_command_line_is_2_and_a_failure_is_1() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    for bad in [
        &["train", "--task", "nonsense"][..],
        &["train", "--device", "abacus"],
        &["fly"],
        &["train", "--lines", "99"],
    ] {
        assert_eq!(confab(at, bad).status.code(), Some(2), "{bad:?}");
    }
    std::fs::write(at.join("cut.safetensors"), [7; 9]).unwrap();
    for (args, says) in [
        (&["sample", "cut.safetensors"][..], "cut.safetensors"),
        (&["sample", "absent.safetensors"], "absent.safetensors"),
        (&["train", "--d-model", "5", "--n-heads", "2", "--device", "cpu"], "Heads"),
        (&["train", "--context", "16", "--device", "cpu"], "Context"),
        (&["train", "--link", "http://x/#model.n_layers=1e99"], "Layers"),
        (&["train", "--task", "text", "--device", "cpu"], "text"),
        (&["train", "--task", "text", "--text-file", "absent.txt"], "absent.txt"),
    ] {
        let output = confab(at, args);
        let errors = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{args:?}: {errors}");
        assert!(errors.contains(says), "{args:?}: {errors}");
        assert!(!errors.contains("panicked"), "{errors}");
    }
}

#[test]
fn data_prints_records_of_the_task() {
    let folder = tempfile::tempdir().unwrap();
    let phone = ok(&confab(folder.path(), &["data", "--task", "phone", "--records", "5"]));
    assert_eq!(phone.matches("{B}\n").count(), 5);
    assert_eq!(phone.matches("=========\n").count(), 5);
    let facts =
        ok(&confab(folder.path(), &["data", "--task", "facts", "--records", "2", "--fields"]));
    for line in facts.lines() {
        let line: serde_json::Value = serde_json::from_str(line).unwrap();
        let fields = line["fields"].as_array().unwrap().len();
        assert_eq!(fields, line["text"].as_str().unwrap().chars().count());
    }
}

/// A file of `assets/grammars`.
fn grammar(name: &str) -> String {
    format!("{}/assets/grammars/{name}.txt", env!("CARGO_MANIFEST_DIR"))
}

#[test]
fn data_prints_records_of_a_grammar() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    let file = grammar("reversal");
    let data = |more: &[&str]| ok(&confab(at, &[&["data", "--grammar", &file], more].concat()));
    let records = data(&["--records", "7"]);
    assert_eq!(records.lines().count(), 7);
    for line in records.lines() {
        let (word, reversed) = line.split_once('|').unwrap();
        assert_eq!(word.chars().rev().collect::<String>(), reversed);
    }
    assert_eq!(data(&["--records", "7"]), records);
    assert_ne!(data(&["--records", "7", "--seed", "2"]), records);
    for line in data(&["--fields"]).lines() {
        let line: serde_json::Value = serde_json::from_str(line).unwrap();
        let (text, fields) = (line["text"].as_str().unwrap(), line["fields"].as_array().unwrap());
        let answer = text.chars().zip(fields).filter(|(_, field)| *field == "answer");
        let answer: String = answer.map(|(c, _)| c).collect();
        assert_eq!(text.trim_end().split_once('|').unwrap().1, answer);
    }
    assert_eq!(data(&["--task", "grammar", "--records", "7"]), records);
    refused(at, &["data", "--grammar", &file, "--task", "facts"], &["add --task grammar"]);
    let both = ["data", "--grammar", &file, "--grammar-text", "record = \"ab\""];
    assert_eq!(confab(at, &both).status.code(), Some(2));
    let inline = ["data", "--grammar-text", "record = \"ab\\n\"", "--records", "2"];
    assert_eq!(ok(&confab(at, &inline)), "ab\nab\n");
}

#[test]
fn floor_of_a_grammar_is_counted_or_estimated() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    let floor = |file: &str, more: &[&str]| {
        ok(&confab(at, &[&["floor", "--grammar", file], more].concat()))
    };
    let book = floor(&grammar("phone_book"), &[]);
    assert!(
        book.starts_with("field ") && book.contains("\nquestion ") && book.contains("\nrecord "),
        "{book}"
    );
    assert!(book.contains("Counted over "), "{book}");
    let json =
        |file: &str| serde_json::from_str::<serde_json::Value>(&floor(file, &["--json"])).unwrap();
    let book = json(&grammar("phone_book"));
    // The first letter, which tells one of six names, is given.
    let nats = (5f64 * 2.0).ln() + 8.0 * 10f64.ln();
    assert!((book["total_nats"].as_f64().unwrap() - nats).abs() < 1e-6, "{book}");
    assert!(book["found"]["counted"]["states"].as_u64().unwrap() > 10, "{book}");

    // Which letters come again, and in which order, is not known before they do.
    let large = "l = \"a\"..\"z\"\nrecord = l * 12 as w \"|\" (answer(w) | l * 1..12)";
    std::fs::write(at.join("large.txt"), large).unwrap();
    let told = floor("large.txt", &[]);
    assert!(told.contains("the mean of ") && told.contains("standard error"), "{told}");
}

#[test]
fn a_grammar_is_refused_with_its_file_and_its_line() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    std::fs::write(at.join("bad.txt"), "# mine\nrecord = letter * 3\n").unwrap();
    std::fs::write(at.join("long.txt"), "#".repeat(20_000)).unwrap();
    std::fs::write(at.join("short.txt"), "record = \"a\" | \"b\"").unwrap();
    for command in ["data", "floor"] {
        let refuse = |file, says: &[&str]| refused(at, &[command, "--grammar", file], says);
        refuse("bad.txt", &["bad.txt", "line 2", "`letter`", "add"]);
        refuse("long.txt", &["long.txt", "20000 bytes", "16384"]);
        refuse("absent.txt", &["absent.txt"]);
        refuse("short.txt", &["short.txt", "write more"]);
    }
}

#[cfg(unix)]
#[test]
fn ctrl_c_saves_and_says_where() {
    use std::io::{BufRead, BufReader};
    let folder = tempfile::tempdir().unwrap();
    let mut child = Command::new(env!("CARGO_BIN_EXE_confab"))
        .args([&["train"], TINY, &["--steps", "1000000", "--out", "kept.safetensors"]].concat())
        .current_dir(folder.path())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
    lines.by_ref().find(|line| line.as_ref().unwrap().starts_with("step 5:")).unwrap().unwrap();
    let id = child.id().to_string();
    assert!(Command::new("kill").args(["-INT", &id]).status().unwrap().success());
    let rest: Vec<String> = lines.map(Result::unwrap).collect();
    assert!(child.wait().unwrap().success(), "{rest:?}");
    assert!(rest.last().unwrap().contains("kept.safetensors"), "{rest:?}");
    let sample = ["sample", "kept.safetensors", "--device", "cpu", "--max-chars", "2"];
    ok(&confab(folder.path(), &sample));
}

#[test]
fn floor_tells_what_no_model_gets_below() {
    let folder = tempfile::tempdir().unwrap();
    let floor = |more: &[&str]| {
        let args = ["floor", "--task", "phone", "--names", "2000", "--lines", "5", "--json"];
        let json = ok(&confab(folder.path(), &[&args[..], more].concat()));
        serde_json::from_str::<serde_json::Value>(&json).unwrap()
    };
    let recalled = floor(&[]);
    let sum = |of: &str| -> f64 {
        recalled["fields"].as_array().unwrap().iter().map(|f| f[of].as_f64().unwrap()).sum()
    };
    assert!((sum("nats") - recalled["total_nats"].as_f64().unwrap()).abs() < 1e-9);
    assert!((sum("chars") - recalled["chars"].as_f64().unwrap()).abs() < 1e-9);
    let total = |floor: &serde_json::Value| floor["total_nats"].as_f64().unwrap();
    assert!(total(&floor(&["--as-published"])) > total(&recalled) + 20.0);

    let text =
        confab(folder.path(), &["floor", "--task", "text", "--text", &"some text ".repeat(9)]);
    assert_eq!(text.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&text.stderr).contains("source"));
}

#[test]
fn eval_tells_losses_and_answers() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    ok(&confab(at, &[&["train"], TINY, &["--steps", "3", "--out", "run.safetensors"]].concat()));
    let eval = ["eval", "run.safetensors", "--device", "cpu", "--records", "4"];
    let json = ok(&confab(at, &[&eval[..], &["--temperature", "0,1.5", "--json"]].concat()));
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    let evaluations = json["evaluations"].as_array().unwrap();
    let temperatures: Vec<f64> =
        evaluations.iter().map(|e| e["options"]["temperature"].as_f64().unwrap()).collect();
    assert_eq!(temperatures, [0.0, 1.5]);
    assert!(evaluations.iter().all(|e| e["done"] == 4 && e["step"] == 3));
    assert!(json["fields"].as_array().unwrap().iter().all(|f| f["val"].as_f64().unwrap() > 0.0));
    let table = ok(&confab(at, &eval));
    assert!(table.contains("digits by place") && table.contains("excess"), "{table}");
    for bad in [["--temperature", "3"], ["--records", "0"]] {
        assert_eq!(confab(at, &[&eval[..4], &bad].concat()).status.code(), Some(2), "{bad:?}");
    }
}

#[test]
fn what_cannot_be_saved_is_found_out_before_training() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    for out in [".", "absent/run.safetensors"] {
        let output = confab(at, &[&["train"], TINY, &["--out", out]].concat());
        let errors = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{errors}");
        assert!(errors.contains(out) && !errors.contains("step 1:"), "{errors}");
    }
}

#[test]
fn a_run_that_diverges_fails() {
    let folder = tempfile::tempdir().unwrap();
    let wild =
        ["--lr", "10", "--min-lr", "10", "--warmup", "0", "--weight-decay", "10", "--clip", "0"];
    let more = ["--dropout", "0.9", "--bias", "true", "--steps", "500"];
    let output = confab(folder.path(), &[&["train"], TINY, &wild, &more].concat());
    let errors = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{errors}");
    assert!(errors.contains("diverged") && errors.contains("--lr"), "{errors}");
}

#[test]
fn a_run_whose_weights_or_moments_are_no_longer_finite_keeps_its_last_good_step() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    // Losses stay finite, but the second moments do not.
    let wild = ["--preset", "1.7k", "--lr", "10", "--clip", "0", "--warmup", "0", "--norm", "none"];
    let more = ["--init-std", "1", "--steps", "300", "--out", "run.safetensors"];
    let output = confab(at, &[&["train"], TINY, &wild, &more].concat());
    let errors = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{errors}");
    assert!(errors.contains("no longer a finite number") && errors.contains("--lr"), "{errors}");
    let good = Checkpoint::from_bytes(&std::fs::read(at.join("run.safetensors")).unwrap()).unwrap();
    assert!(good.is_finite());
    assert!(errors.contains(&format!("back at step {}", good.step)), "{errors}");
}

#[test]
fn memories_of_another_alphabet_are_not_swapped_in() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    std::fs::write(at.join("a.txt"), "a red kite over the hill\n".repeat(40)).unwrap();
    std::fs::write(at.join("b.txt"), "o red kite over the hxll\n".repeat(40)).unwrap();
    for name in ["a", "b"] {
        let (text, out) = (format!("{name}.txt"), format!("{name}.safetensors"));
        let task =
            ["train", "--task", "text", "--text-file", &text, "--n-layers", "1", "--n-heads", "2"];
        let model =
            ["--d-model", "8", "--context", "32", "--memory", "featural", "--memory-slots", "64"];
        let run = ["--batch", "4", "--steps", "3", "--device", "cpu", "--out", &out];
        ok(&confab(at, &[&task[..], &model, &run].concat()));
    }
    let swap = ["memory", "swap", "a.safetensors", "--with", "b.safetensors", "--device", "cpu"];
    let output = confab(at, &swap);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{errors}");
    assert!(errors.contains("b.safetensors") && errors.contains("alphabet"), "{errors}");
}

#[test]
fn a_text_is_read_in_the_encoding_it_was_written_in() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    let text = "a red kite\nover the hill\n".repeat(8);
    let wide = |mark: &[u16]| -> Vec<u8> {
        mark.iter().copied().chain(text.encode_utf16()).flat_map(u16::to_le_bytes).collect()
    };
    let read = |name: &str, bytes: &[u8]| {
        std::fs::write(at.join(name), bytes).unwrap();
        let args =
            ["data", "--task", "text", "--text-file", name, "--context", "64", "--records", "3"];
        let output = confab(at, &args);
        (ok(&output), String::from_utf8_lossy(&output.stderr).into_owned())
    };
    let (plain, quiet) = read("plain.txt", text.as_bytes());
    assert_eq!(quiet, "");
    for (name, bytes) in [
        ("marked.txt", wide(&[0xfeff])),
        ("unmarked.txt", wide(&[])),
        ("mac.txt", text.replace('\n', "\r").into_bytes()),
    ] {
        let (records, told) = read(name, &bytes);
        assert_eq!(records, plain, "{name}");
        assert!(told.contains(name) && told.contains("converted"), "{told}");
    }
    // Not UTF-8, and no sign of UTF-16.
    std::fs::write(at.join("latin.txt"), b"caf\xe9 et th\xe9, na\xefve et gar\xe7on\n".repeat(8))
        .unwrap();
    let latin = confab(at, &["data", "--task", "text", "--text-file", "latin.txt"]);
    let errors = String::from_utf8_lossy(&latin.stderr);
    assert!(errors.contains("latin.txt") && errors.contains("UTF-8"), "{errors}");
    assert_eq!(read("mark.txt", &[b"\xef\xbb\xbf", text.as_bytes()].concat()).0, plain);
    let (records, _) = read("sign.txt", text.replace("kite", "\u{fffd}").as_bytes());
    assert!(records.contains('\u{fffd}'), "{records}");
}

#[test]
fn probabilities_of_a_sample_are_those_it_was_drawn_from() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    ok(&train(at, &["--steps", "1", "--out", "run.safetensors"]));
    let drawn = |more: &[&str]| -> Vec<serde_json::Value> {
        let args = ["sample", "run.safetensors", "--device", "cpu", "--probs", "--max-chars", "20"];
        let lines = ok(&confab(at, &[&args[..], more].concat()));
        lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    };
    for line in drawn(&["--temperature", "0.5", "--top-k", "2"]) {
        let [first, second] = [0, 1].map(|rank| {
            let of = &line["alternatives"][rank];
            let number = |name: &str| of[name].as_f64().unwrap();
            (of["token"].clone(), number("drawn"), number("logit"), number("probability"))
        });
        assert_eq!(line["alternatives"][2]["drawn"], 0.0);
        assert!((first.1 + second.1 - 1.0).abs() < 1e-6, "{line}");
        // Softmax of twice the logits.
        assert!((first.1 / second.1 / (2.0 * (first.2 - second.2)).exp() - 1.0).abs() < 1e-3);
        // Softmax of the logits.
        assert!((first.3 / second.3 / (first.2 - second.2).exp() - 1.0).abs() < 1e-3);
        assert!([first.0, second.0].contains(&line["picked"]), "{line}");
        assert_eq!((&line["temperature"], &line["top_k"]), (&0.5.into(), &2.into()));
    }
    let greedy = &drawn(&["--temperature", "0"])[0];
    assert_eq!(greedy["alternatives"][0]["drawn"], 1.0);
    assert!(greedy["alternatives"][0]["probability"].as_f64().unwrap() < 0.5);
}

#[test]
fn a_study_s_model_is_evaluated_on_the_records_of_a_task() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    let files = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/reference/pytorch");
    let [model, tokens] = ["synthModel.pt", "synthTok.pkl"].map(|name| files.join(name));
    let [model, tokens] = [&model, &tokens].map(|path| path.to_str().unwrap());
    ok(&confab(at, &["import", model, tokens, "--out", "study.safetensors"]));
    let eval = |task: &[&str]| {
        let args = ["eval", "study.safetensors", "--device", "cpu", "--records", "3", "--json"];
        confab(at, &[&args[..], task].concat())
    };
    let alone = eval(&[]);
    assert!(String::from_utf8_lossy(&alone.stderr).contains("--as-task"));
    let task = ["--as-task", "phone", "--lines", "1", "--names", "8"];
    let told: serde_json::Value = serde_json::from_str(&ok(&eval(&task))).unwrap();
    let report = &told["evaluations"][0]["report"]["Phone"];
    assert_eq!(report["asked"]["of"], 3, "{told}");
    assert_eq!(report["digits"].as_array().unwrap().len(), 10);
    assert!(report["last_name"]["of"] == 3 && report["first_name"]["of"] == 3);
    let by_type = ["inspect", "study.safetensors", "--device", "cpu", "--by-type", "2"];
    assert!(ok(&confab(at, &[&by_type[..], &task].concat())).contains("digit"));
    let probe = ["probe", "study.safetensors", "--device", "cpu", "--samples", "1"];
    assert!(ok(&confab(at, &[&probe[..], &task].concat())).contains("name not on the list"));
    let longer = eval(&["--as-task", "phone", "--lines", "5"]);
    let errors = String::from_utf8_lossy(&longer.stderr);
    assert!(errors.contains("--as-task") && errors.contains("ontext"), "{errors}");
}

#[test]
fn a_backslash_can_be_written_in_a_prompt() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    std::fs::write(at.join("paths.txt"), "C:\\new and C:\\old\n".repeat(20)).unwrap();
    let train = [
        "train",
        "--task",
        "text",
        "--text-file",
        "paths.txt",
        "--n-layers",
        "1",
        "--n-heads",
        "2",
    ];
    let run = [
        "--d-model",
        "8",
        "--context",
        "16",
        "--steps",
        "1",
        "--device",
        "cpu",
        "--out",
        "t.safetensors",
    ];
    ok(&confab(at, &[&train[..], &run].concat()));
    let written = |prompt: &str| {
        let args =
            ["sample", "t.safetensors", "--prompt", prompt, "--max-chars", "1", "--device", "cpu"];
        ok(&confab(at, &args))
    };
    assert!(written("C:\\\\new").starts_with("C:\\new"));
    assert!(written("C:\\new").starts_with("C:\new"));
    assert!(written("C:\\old").starts_with("C:\\old"));
}

#[test]
fn a_finished_run_is_not_resumed_without_more_steps() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    ok(&confab(at, &[&["train"], TINY, &["--steps", "3", "--out", "run.safetensors"]].concat()));
    let output = confab(at, &["train", "--resume", "run.safetensors", "--device", "cpu"]);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{errors}");
    assert!(errors.contains("3 of 3 steps") && errors.contains("--steps"), "{errors}");
}

#[test]
fn an_error_is_told_once() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    std::fs::write(at.join("cut.safetensors"), [7; 9]).unwrap();
    for (args, sentence) in [
        (&["sample", "cut.safetensors"][..], "header too large"),
        (&["floor", "--link", "#seed=99999999999999999999"], "Seed"),
        (&["floor", "--text", "some text", "--task", "facts"], "--task text"),
    ] {
        let output = confab(at, args);
        let errors = String::from_utf8_lossy(&output.stderr);
        assert_eq!(errors.matches(sentence).count(), 1, "{errors}");
    }
}

#[test]
fn probe_draws_samples_after_every_probe_or_a_prompt() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    ok(&confab(at, &[&["train"], TINY, &["--steps", "2", "--out", "run.safetensors"]].concat()));
    let probe = ["probe", "run.safetensors", "--device", "cpu", "--samples", "3"];
    let all = ok(&confab(at, &probe));
    assert!(all.contains("name not on the list: 3 samples"), "{all}");
    let own = ok(&confab(at, &[&probe[..], &["--prompt", "{B}\\n", "--json"]].concat()));
    let own: serde_json::Value = serde_json::from_str(&own).unwrap();
    assert_eq!(own["report"]["prompt"], "{B}\n");
    assert_eq!(own["report"]["samples"].as_array().unwrap().len(), 3);
    let unknown = confab(at, &[&probe[..], &["--prompt", "☃"]].concat());
    assert_eq!(unknown.status.code(), Some(1));
}

#[test]
fn sweep_goes_on_where_it_was_stopped_and_draws_its_curves() {
    let folder = tempfile::tempdir().unwrap();
    let sweep = |facts: &str, more: &[&str]| {
        let args = ["sweep", "--facts", facts, "--preset", "1.7k", "--seeds", "2", "--steps", "3"];
        let fixed = ["--batch", "4", "--val-batches", "1", "--device", "cpu", "--out", "s.jsonl"];
        confab(folder.path(), &[&args[..], &fixed[..], more].concat())
    };
    let lines = || {
        let text = std::fs::read_to_string(folder.path().join("s.jsonl")).unwrap();
        text.lines().map(str::to_owned).collect::<Vec<_>>()
    };
    let table = ok(&sweep("10", &[]));
    assert_eq!(table.lines().count(), 2, "{table}");
    let first = lines();
    assert_eq!(first.len(), 2);
    // The last line was cut off: its run is done again, the other is not, new ones are added.
    let cut = format!("{}\n{}", first[0], &first[1][..30]);
    std::fs::write(folder.path().join("s.jsonl"), cut).unwrap();
    ok(&sweep("10,20", &["--task", "facts"]));
    let all = lines();
    assert_eq!(all.len(), 4);
    assert_eq!(all[..2], first[..]);
    let again = sweep("10,20", &[]);
    assert_eq!(ok(&again).lines().count(), 3);
    assert_eq!(lines(), all);
    let svg = std::fs::read_to_string(folder.path().join("s.svg")).unwrap();
    assert!(svg.starts_with("<svg") && svg.contains("recalled"), "{svg}");

    assert_eq!(sweep("10", &["--task", "phone"]).status.code(), Some(1));
    assert_eq!(sweep("9", &[]).status.code(), Some(2));
    std::fs::write(folder.path().join("s.jsonl"), "{}\n").unwrap();
    let broken = sweep("10", &[]);
    let message = String::from_utf8(broken.stderr).unwrap();
    assert_eq!(broken.status.code(), Some(1));
    assert!(message.contains("s.jsonl") && message.contains("line 1"), "{message}");
}

#[test]
fn shards_of_a_sweep_join_to_the_whole() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    let sweep = |more: &[&str]| {
        let args =
            ["sweep", "--facts", "10,20", "--preset", "1.7k", "--seeds", "2", "--steps", "2"];
        let fixed = ["--batch", "4", "--val-batches", "1", "--device", "cpu"];
        confab(at, &[&args[..], &fixed[..], more].concat())
    };
    let read = |name: &str| std::fs::read_to_string(at.join(name)).unwrap();
    let parts: Vec<String> = (1..=3)
        .map(|part| {
            ok(&sweep(&["--shard", &format!("{part}/3")]));
            read(&format!("sweep-{part}-of-3.jsonl"))
        })
        .collect();
    assert_eq!(parts.iter().map(|part| part.lines().count()).collect::<Vec<_>>(), [2, 1, 1]);
    std::fs::write(at.join("sweep.jsonl"), parts.concat()).unwrap();
    // All runs are there: none is trained again, and the curves are of all.
    assert_eq!(ok(&sweep(&[])).lines().count(), 3);
    assert_eq!(read("sweep.jsonl"), parts.concat());

    let none = sweep(&["--shard", "5/5"]);
    assert!(ok(&none).is_empty() && String::from_utf8_lossy(&none.stderr).contains("4 runs only"));
    for shard in ["0/3", "4/3", "1", "1/0", "1/100000", "a/b"] {
        assert_eq!(sweep(&["--shard", shard]).status.code(), Some(2), "{shard}");
    }
}

#[test]
fn data_as_read_shows_the_noise_of_training() {
    let folder = tempfile::tempdir().unwrap();
    let data =
        |more: &[&str]| ok(&confab(folder.path(), &[&["data", "--records", "2"], more].concat()));
    let clean = data(&[]);
    assert_eq!(data(&["--as-read"]), clean);
    let doubled = data(&["--as-read", "--noise-double", "1"]);
    assert!(doubled.starts_with("{BB}}"), "{doubled}");
    assert!(data(&["--as-read", "--noise-forget", "1"]).contains('·'));
    assert_eq!(data(&["--noise-double", "1"]), clean);
}

#[test]
fn eval_tells_how_well_a_model_abstains() {
    let folder = tempfile::tempdir().unwrap();
    ok(&train(folder.path(), &["--steps", "2", "--unknown", "0.5", "--out", "a.safetensors"]));
    let eval =
        confab(folder.path(), &["eval", "a.safetensors", "--records", "4", "--device", "cpu"]);
    assert!(ok(&eval).contains("asked for an unlisted name: ?"));
}

#[cfg(unix)]
#[test]
fn a_sweep_that_is_stopped_keeps_the_run_under_way() {
    use std::io::{BufRead, BufReader};
    let folder = tempfile::tempdir().unwrap();
    let sweep = ["sweep", "--facts", "10", "--preset", "1.7k,30k", "--seeds", "1", "--steps", "60"];
    let args =
        [&sweep[..], &["--val-batches", "1", "--device", "cpu", "--out", "s.jsonl"]].concat();
    let part = folder.path().join("s.jsonl.part");
    let mut child = Command::new(env!("CARGO_BIN_EXE_confab"))
        .args(&args)
        .current_dir(folder.path())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    // The first run has ended, so the second is under way.
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
    lines.by_ref().find(|line| line.as_ref().unwrap().contains("recalled after")).unwrap().unwrap();
    let id = child.id().to_string();
    assert!(Command::new("kill").args(["-INT", &id]).status().unwrap().success());
    let rest: Vec<String> = lines.map(Result::unwrap).collect();
    assert_eq!(child.wait().unwrap().code(), Some(1), "{rest:?}");
    assert!(rest.last().unwrap().contains("goes on from here"), "{rest:?}");
    let eval = ["eval", "s.jsonl.part", "--device", "cpu", "--records", "1"];
    ok(&confab(folder.path(), &eval)); // it is a whole checkpoint

    assert_eq!(ok(&confab(folder.path(), &args)).lines().count(), 3);
    let outcomes = std::fs::read_to_string(folder.path().join("s.jsonl")).unwrap();
    assert_eq!(outcomes.lines().count(), 2);
    assert!(!part.exists(), "a run that has ended needs no file of its own");
}

#[test]
fn inspect_prints_draws_and_refuses_analyses() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    ok(&train(at, &["--steps", "2", "--out", "run.safetensors"]));
    let look = |more: &[&str]| {
        confab(at, &[&["inspect", "run.safetensors", "--device", "cpu", "--what"], more].concat())
    };
    let printed = ok(&look(&["heads"]));
    assert!(printed.contains("L1H1") && printed.contains("induction"), "{printed}");
    let figures = ok(&look(&["lens", "--prompt", "{B}\\nAda", "--json"]));
    let figures: serde_json::Value = serde_json::from_str(&figures).unwrap();
    let labels = figures[0]["content"]["Grid"]["columns"]["labels"].as_array().unwrap();
    assert_eq!(labels.len(), 7);

    ok(&look(&["distances", "--svg", "d.svg", "--png", "d.png"]));
    for file in ["d.svg", "d-2.svg"] {
        assert!(std::fs::read_to_string(at.join(file)).unwrap().starts_with("<svg"), "{file}");
    }
    let png = png::Decoder::new(std::io::BufReader::new(
        std::fs::File::open(at.join("d-2.png")).unwrap(),
    ));
    assert!(png.read_info().unwrap().info().width > 500);

    let changes =
        ["--change", "L0H0=-30", "--change", "L1MLP@0-99=2", "--change", "ln_final.w[3]=2"];
    let changed = ok(&look(&[&["edited"][..], &changes].concat()));
    assert!(changed.contains("with 3 interventions"), "{changed}");
    // Flags of earlier versions are those of today.
    for (old, new) in [
        (
            changes.to_vec(),
            changes.map(|word| if word == "--change" { "--intervene" } else { word }).to_vec(),
        ),
        (vec!["--character", "A", "--against", "d"], vec!["--target", "A", "--contrast", "d"]),
        (vec!["--less", "run.safetensors"], vec!["--compare-with", "run.safetensors"]),
    ] {
        let [old, new] =
            [old, new].map(|flags| ok(&look(&[&["attribution"][..], &flags].concat())));
        assert_eq!(old, new);
    }
    for (more, reason) in [
        (&["ov", "--head", "L7H0"][..], "there is no head L7H0"),
        (&["patch-heads", "--other", "x"], "equally many tokens"),
        (&["output", "--png", "o.png"], "use --svg"),
        (&["paths"], "norms"),
    ] {
        let refused = look(more);
        let errors = String::from_utf8_lossy(&refused.stderr);
        assert!(!refused.status.success() && errors.contains(reason), "{errors}");
    }
}

#[test]
fn a_model_from_elsewhere_is_imported_looked_into_and_writes() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    let models = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/reference/import");
    let file = |name: &str| format!("{models}/gpt2/{name}");
    let (config, weights) = (file("config.json"), file("model.safetensors"));
    let tokenizer = file("tokenizer.json");
    let out = ["--out", "gpt2.safetensors"];
    let import = confab(at, &[&["import", &config, &weights, &tokenizer][..], &out].concat());
    ok(&import);
    let told = String::from_utf8_lossy(&import.stderr);
    assert!(told.contains("7840 parameters") && told.contains("62 tokens"), "{told}");

    let lens =
        ["inspect", "gpt2.safetensors", "--prompt", "the cat sat", "--what", "lens", "--json"];
    let figures: serde_json::Value = serde_json::from_str(&ok(&confab(at, &lens))).unwrap();
    let tokens = &figures[0]["content"]["Grid"]["columns"]["labels"];
    assert_eq!(*tokens, serde_json::json!(["the", "·cat", "·sat"]));
    let sample = ["sample", "gpt2.safetensors", "--prompt", "the cat", "--max-chars", "4"];
    assert!(ok(&confab(at, &sample)).starts_with("the cat"));

    let resumed = confab(at, &["train", "--resume", "gpt2.safetensors", "--steps", "5"]);
    let error = String::from_utf8_lossy(&resumed.stderr);
    assert!(!resumed.status.success() && error.contains("nothing to train on"), "{error}");
    for args in [&["eval"][..], &["probe"], &["inspect", "--by-type", "3"]] {
        let output = confab(at, &[args, &["gpt2.safetensors"]].concat());
        let error = String::from_utf8_lossy(&output.stderr);
        assert!(
            !output.status.success() && error.contains("brought no records"),
            "{args:?}: {error}"
        );
    }
    let half = confab(at, &[&["import", &weights][..], &out].concat());
    let error = String::from_utf8_lossy(&half.stderr);
    assert!(!half.status.success() && error.contains("config.json"), "{error}");
}

#[test]
fn a_model_of_16_bits_keeps_them_until_it_is_changed() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    let model = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/reference/import/llama_bf16");
    let dtypes = |name: &str| {
        let bytes = std::fs::read(at.join(name)).unwrap();
        let tensors = safetensors::SafeTensors::deserialize(&bytes).unwrap();
        let dtypes = tensors.tensors().into_iter().map(|(_, view)| format!("{:?}", view.dtype()));
        dtypes.collect::<std::collections::BTreeSet<_>>().into_iter().collect::<Vec<_>>()
    };
    ok(&confab(at, &["import", model, "--out", "half.safetensors"]));
    ok(&confab(at, &["import", "half.safetensors", "--out", "again.safetensors"]));
    ok(&confab(
        at,
        &["edit", "half.safetensors", "--prune-weights", "10", "--out", "cut.safetensors"],
    ));
    let found = ["half.safetensors", "again.safetensors", "cut.safetensors"].map(dtypes);
    assert_eq!(found, [["BF16"], ["BF16"], ["F32"]]);
    let listed = ok(&confab(at, &["edit", "half.safetensors"]));
    assert!(listed.contains("blocks.1.mlp.W_gate") && listed.contains("16 × 20"), "{listed}");
}

#[test]
fn a_folder_is_imported_as_a_trainer_left_it_and_what_is_passed_over_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    let model = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/reference/import/gpt2");
    std::fs::create_dir(at.join("model")).unwrap();
    for name in ["config.json", "model.safetensors", "tokenizer.json"] {
        std::fs::copy(format!("{model}/{name}"), at.join("model").join(name)).unwrap();
    }
    for name in ["optimizer.pt", "README.md", "training_args.bin", "trainer_state.json"] {
        std::fs::write(at.join("model").join(name), "{}").unwrap();
    }
    let listed = std::fs::read_dir(at.join("model")).unwrap().map(|entry| entry.unwrap().path());
    let listed: Vec<String> = listed.map(|path| path.to_str().unwrap().into()).collect();
    for files in [vec!["model"], listed.iter().map(String::as_str).collect()] {
        let import = confab(at, &[&["import"], &files[..], &["--out", "x.safetensors"]].concat());
        ok(&import);
        let told = String::from_utf8_lossy(&import.stderr);
        let passed_over = told.lines().find(|line| line.starts_with("Passed over: "));
        let passed_over = passed_over.expect("a line names what is passed over");
        assert!(passed_over.contains("optimizer.pt") && passed_over.contains("training_args.bin"));
        assert!(!passed_over.contains("README") && !passed_over.contains("json"), "{told}");
    }
}

#[test]
fn what_only_training_needs_is_left_out_and_two_steps_are_held_against_each_other() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    ok(&train(at, &["--steps", "2", "--out", "two.safetensors"]));
    ok(&train(at, &["--steps", "4", "--out", "four.safetensors"]));
    ok(&confab(at, &["import", "four.safetensors", "--out", "small.safetensors"]));
    let size = |name: &str| std::fs::metadata(at.join(name)).unwrap().len();
    assert!(size("small.safetensors") < size("four.safetensors") / 2);

    let ov = |more: &[&str]| -> Vec<f64> {
        let args = [&["inspect", "small.safetensors", "--what", "ov", "--json"][..], more].concat();
        let figures: serde_json::Value = serde_json::from_str(&ok(&confab(at, &args))).unwrap();
        let values = figures[0]["content"]["Grid"]["values"].as_array().unwrap();
        values.iter().map(|value| value.as_f64().unwrap()).collect()
    };
    assert!(
        ov(&["--less", "four.safetensors"]).iter().all(|value| *value == 0.0),
        "the same weights"
    );
    let (whole, less) = (ov(&[]), ov(&["--less", "two.safetensors"]));
    assert_eq!(whole.len(), less.len());
    assert!(less.iter().any(|value| *value != 0.0));

    let more = ["--out", "three.safetensors", "--keep-steps", "steps", "--plot", "losses.svg"];
    ok(&train(at, &[&["--steps", "3"][..], &more].concat()));
    let plot = std::fs::read_to_string(at.join("losses.svg")).unwrap();
    assert!(plot.starts_with("<svg") && plot.contains("training") && plot.contains("validation"));
    let mut kept: Vec<String> = std::fs::read_dir(at.join("steps"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    kept.sort();
    assert_eq!(
        kept,
        ["step0", "step1", "step2", "step3"].map(|name| format!("{name}.safetensors"))
    );
    assert!(ov(&["--less", "steps/step2.safetensors"]).iter().any(|value| *value != 0.0));
}

#[test]
fn a_model_is_examined_edited_and_trained_on() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    ok(&train(at, &["--steps", "5", "--out", "run.safetensors"]));
    let edit = |args: &[&str]| confab(at, &[&["edit"], args].concat());

    let examined = ok(&edit(&["run.safetensors"]));
    assert!(
        examined.starts_with("2 layers of 2 heads, 2 wide, on a residual stream of 4"),
        "{examined}"
    );
    let row = examined.lines().find(|line| line.contains("blocks.1.attn.W_Q")).unwrap();
    assert!(row.contains("4 × 4") && row.contains('%'), "{row}");
    let inspected = ["inspect", "run.safetensors", "--device", "cpu", "--what", "architecture"];
    assert_eq!(ok(&confab(at, &inspected)), examined);

    let before = std::fs::read(at.join("run.safetensors")).unwrap();
    let operations = ["--widen", "2", "--add-layer", "0", "--drop-layer", "1", "--add-layer", "2"];
    let output = edit(&[&["run.safetensors", "-o", "out.safetensors"], &operations[..]].concat());
    ok(&output);
    assert_eq!(std::fs::read(at.join("run.safetensors")).unwrap(), before);
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    let starts =
        ["Widen the residual stream: 2.", "Add a layer: 0.", "Drop a layer: 1.", "Add a layer: 2."];
    for (line, start) in told.lines().zip(starts) {
        assert!(line.starts_with(start) && line.contains("(KL)"), "{told}");
    }
    let history = ok(&edit(&["out.safetensors", "--history"]));
    for start in starts {
        let (label, number) = start.trim_end_matches('.').split_once(": ").unwrap();
        let is_told =
            |line: &str| line.contains(label) && line.trim_end().ends_with(&format!("  {number}"));
        assert!(history.lines().any(is_told), "{history}");
    }
    let json = ok(&edit(&["out.safetensors", "--history", "--json"]));
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    let done: Vec<_> = json[0]["content"]["Table"]["rows"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| row[2].clone())
        .collect();
    assert_eq!(done, ["2", "0", "1", "2"]);

    let resume =
        ["train", "--resume", "out.safetensors", "--steps", "8", "--device", "cpu", "--out"];
    ok(&confab(at, &[&resume[..], &["on.safetensors"]].concat()));
    assert_eq!(ok(&edit(&["on.safetensors", "--history"])), history);
    ok(&edit(&["on.safetensors", "--widen-mlp", "4", "-o", "on.safetensors"]));

    for (args, code, says) in [
        (
            &["run.safetensors", "--drop-head", "L0H3", "-o", "x"][..],
            2,
            "the head that every layer loses",
        ),
        (&["run.safetensors", "--drop-layer", "2", "-o", "x"], 1, "are 0 to 1"),
        (&["run.safetensors", "--widen", "2"], 2, "--out"),
        (&["run.safetensors", "-o", "x"], 2, "--add-layer"),
        (&["run.safetensors", "--prompt", "☃", "--widen", "2", "-o", "x"], 1, "☃"),
    ] {
        let output = edit(args);
        let errors = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{args:?}: {errors}");
        assert!(errors.contains(says) && !errors.contains("panicked"), "{args:?}: {errors}");
    }
    assert!(!at.join("x").exists());
}

#[test]
fn flags_and_choices_of_earlier_versions_are_taken() {
    let folder = tempfile::tempdir().unwrap();
    let config = |flags: &[&str]| {
        let out = ["--steps", "1", "--out", "a.safetensors"];
        ok(&train(folder.path(), &[flags, &out].concat()));
        let bytes = std::fs::read(folder.path().join("a.safetensors")).unwrap();
        Checkpoint::from_bytes(&bytes).unwrap().config
    };
    let plain = config(&[]);
    let keys = OLD_KEYS.iter().map(|(_, key)| {
        let knob = Knob::find(key).unwrap();
        let value = match knob.range {
            Range::Bool => "true",
            Range::Choice(choices) => choices[1],
            _ => "1",
        };
        (knob, knob.old_flags().next().unwrap(), value, value)
    });
    let choices = OLD_CHOICES.iter().map(|(key, old, new)| {
        let knob = Knob::find(key).unwrap();
        (knob, knob.flag(), *old, *new)
    });
    for (knob, flag, old, new) in keys.chain(choices) {
        let mut expected = plain.clone();
        knob.set(&mut expected, new).unwrap();
        assert_eq!(config(&[&format!("--{flag}"), old]), expected, "{flag}");
    }
    let help = ok(&confab(folder.path(), &["train", "--help"]));
    assert!(help.contains("--head-gates") && !help.contains("--contributions"));
}
