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
