//! Tasks as grammars: floors against lists of all records and closed forms, draws, and refusals.

#[path = "grammar/draw.rs"]
mod draw;
#[path = "grammar/floor.rs"]
mod floor;
#[path = "grammar/list.rs"]
mod list;
#[path = "grammar/lister.rs"]
mod lister;
#[path = "grammar/random.rs"]
mod random;
#[path = "grammar/refusal.rs"]
mod refusal;
#[path = "grammar/task.rs"]
mod task;
#[path = "grammar/writer.rs"]
mod writer;

/// The grammar in `assets/grammars/{name}.txt`.
fn example(name: &str) -> String {
    let file = format!("{}/assets/grammars/{name}.txt", env!("CARGO_MANIFEST_DIR"));
    std::fs::read_to_string(file).unwrap()
}
