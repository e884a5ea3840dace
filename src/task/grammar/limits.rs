//! Bounds on what a grammar may ask for, so that nothing takes unbounded time, memory or stack.

/// Longest record, in characters.
pub const RECORD: u64 = 4096;
/// Most rules.
pub const RULES: usize = 512;
/// Most parentheses inside each other.
pub const NESTING: usize = 24;
/// Most of `* 3`, `as name` and the like after one item.
pub const SUFFIXES: usize = 6;
/// Largest count of a repeat.
pub const COUNT: u32 = 4096;
/// Largest `depth` of a rule.
pub const DEPTH: u32 = 100;
/// Most rules with a `depth`.
pub const DEEP_RULES: usize = 32;
/// Most names chosen in one rule, and in all.
pub const CHOSEN: usize = 64;
pub const SITES: usize = 1024;
/// Most characters of a range, and of all records together.
pub const RANGE: usize = 1024;
pub const ALPHABET: usize = 4096;
/// Most parts that a grammar may grow to when each `depth` is spelled out.
pub const NODES: usize = 20_000;
/// Most steps that write one record.
pub const WORK: u64 = 200_000;
/// Most calls, choices and repeats inside each other, when each `depth` is spelled out.
pub const HEIGHT: u32 = 600;
/// Most rules drawn from with `unique`, and most texts of each.
pub const POOLS: usize = 16;
pub const POOL_TEXTS: usize = 4096;
/// Most cells of memory while states are counted or a text is read: about 100 bytes each.
pub const CELLS: usize = 1_800_000;
/// Most derivations kept while states are counted, over all states.
pub const PARTICLES: usize = 2_000_000;
/// Steps, of some 20 nanoseconds each, that may be taken on average for each state counted and for each derivation
/// allowed, for each record of an estimate, and for the texts of a rule drawn from with `unique`.
pub const FUEL: u64 = 400;
pub const RECORD_FUEL: u64 = 400_000;
/// Records of an estimate after which it is known how long one takes, and steps that all of them may take then.
pub const FIRST_RECORDS: usize = 100;
pub const ESTIMATE_FUEL: u64 = 60_000_000;
pub const POOL_FUEL: u64 = 1_000_000;
