//! Names of tensors as programs write them.

use super::{Files, Tensors, json};

fn renamed(files: Files, name: impl Fn(&str) -> String) -> Files {
    files.change(|tensors: &mut Tensors| {
        *tensors = tensors.drain().map(|(old, tensor)| (name(&old), tensor)).collect();
    })
}

#[test]
fn what_programs_wrap_around_a_model_is_not_of_its_names() {
    for model in ["gpt2", "mistral"] {
        let same = Files::of(model).import();
        for before in [
            "module.",
            "_orig_mod.",
            "module._orig_mod.",
            "_orig_mod.module.",
            "model.module.",
            "model.",
        ] {
            let files = renamed(Files::of(model), |name| format!("{before}{name}"));
            assert!(files.import() == same, "{before}");
        }
        let inside = renamed(Files::of(model), |name| {
            name.replace(".1.", ".1._checkpoint_wrapped_module._orig_mod.")
        });
        assert!(inside.import() == same);
    }
}

#[test]
fn tied_weights_are_known_by_either_name() {
    let only_head = |model: &str, embed: &str| {
        renamed(Files::of(model), |name| match name == embed {
            true => "lm_head.weight".into(),
            false => name.into(),
        })
    };
    for (model, embed) in
        [("gpt2", "transformer.wte.weight"), ("llama_bf16", "model.embed_tokens.weight")]
    {
        let imported = only_head(model, embed).import();
        assert!(imported.config.tied_head);
        assert!(imported == Files::of(model).import(), "{model}");
        let untied = only_head(model, embed).set("tie_word_embeddings", json!(false)).refusal();
        assert!(untied.contains("is missing"), "{untied}");
    }
}

#[test]
fn nanogpts_tensors_in_safetensors_are_read_with_either_config() {
    const LINEAR: [&str; 4] = ["attn.c_attn", "attn.c_proj", "mlp.c_fc", "mlp.c_proj"];
    let same = Files::of("gpt2").set("activation_function", json!("gelu"));
    // As nanoGPT keeps them: transposed.
    let files = same.clone().change(|tensors| {
        for (name, (_, shape, data)) in tensors {
            if LINEAR.iter().any(|part| name.ends_with(&format!("{part}.weight"))) {
                let (rows, columns) = (shape[0], shape[1]);
                let at = |row: usize, column: usize| &data[(row * columns + column) * 4..][..4];
                let turned =
                    (0..columns).flat_map(|column| (0..rows).map(move |row| (row, column)));
                *data = turned.flat_map(|(row, column)| at(row, column).to_vec()).collect();
                shape.reverse();
            }
        }
    });
    assert!(files.import() == same.import());
    let unsaid = files.clone().set("activation_function", json!(null)).refusal();
    assert!(
        unsaid.contains("config.json: its `activation_function` is missing, and nanoGPT's"),
        "{unsaid}"
    );
    let arguments = json!({"n_layer": 2, "n_head": 2, "n_embd": 16, "block_size": 16, "bias": true,
        "vocab_size": 62, "dropout": 0.0});
    let own = files.with("config.json", arguments.to_string().as_bytes());
    assert!(own.import().parameters == same.import().parameters);
}
