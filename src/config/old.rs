//! Keys and words of earlier versions, which links, flags and checkpoints may still have.
//!
//! Serde's aliases repeat them in the structs of [`RunConfig`](super::RunConfig).

/// Each key that was renamed, and its name today.
pub const OLD_KEYS: &[(&str, &str)] = &[
    ("task.phone.recall", "task.phone.answer"),
    ("task.phone.abstain", "task.phone.unknown"),
    ("task.facts.world", "task.facts.shuffle"),
    ("task.induction.shortest", "task.induction.min_len"),
    ("task.induction.longest", "task.induction.max_len"),
    ("task.modular.share", "task.modular.fraction"),
    ("model.contributions", "model.head_gates"),
    ("model.memory.threshold", "model.memory.write_threshold"),
    ("model.memory.inserts", "model.memory.max_writes"),
    ("model.memory.recombine", "model.memory.merge_after"),
    ("train.heads.most", "train.heads.max"),
    ("train.keep_zeros", "train.keep_pruned"),
];

/// Each choice that was renamed: the key of its knob, the old word, and the word of today.
pub const OLD_CHOICES: &[(&str, &str, &str)] = &[
    ("task.phone.answer", "true", "list"),
    ("task.phone.answer", "as_published", "random"),
    ("train.heads.prune_by", "contribution", "gate"),
];

/// True if a link has a key or a choice of an earlier version.
pub fn has_old_keys(link: &str) -> bool {
    let has = |key: &str, value: &str| link.contains(&format!("{key}={value}"));
    OLD_KEYS.iter().any(|(old, _)| has(old, ""))
        || OLD_CHOICES.iter().any(|(key, old, _)| has(key, old))
}
