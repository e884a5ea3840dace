//! Names of tensors without what programs put before and between them.

/// Parts that stand for a model as a whole, or for what a program wraps around modules: Hugging
/// Face's, DistributedDataParallel's, torch.compile's, FSDP's and activation checkpointing's.
const WRAPPERS: [&str; 6] = [
    "transformer",
    "model",
    "module",
    "_orig_mod",
    "_fsdp_wrapped_module",
    "_checkpoint_wrapped_module",
];

/// The name of a tensor without such parts.
pub fn bare(name: &str) -> String {
    let parts: Vec<&str> = name.split('.').filter(|part| !WRAPPERS.contains(part)).collect();
    parts.join(".")
}
