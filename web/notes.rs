//! Notes on runs that the browser keeps beside their files: names that the user gave, and floors.

use crate::browser;

const KEY: &str = "confab.runs";
/// Runs that are remembered; the one noted longest ago goes first.
const MOST: usize = 100;

/// Note on a run. In storage it is a line: its id, its floor, its label and its name, with tabs between them.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Note {
    pub id: String,
    /// In nats per token.
    pub floor: Option<f64>,
    /// Name that the page gave.
    pub label: String,
    /// Name that the user gave.
    pub name: Option<String>,
}

impl Note {
    /// The note on a run; an empty one if there is none.
    pub fn of(id: &str) -> Self {
        let id = id.to_owned();
        list().into_iter().find(|note| note.id == id).unwrap_or(Self { id, ..Self::default() })
    }

    /// Keeps it in the place of what was noted before. Without room in the browser it is forgotten with the page.
    pub fn keep(self) {
        let mut notes = list();
        notes.retain(|note| note.id != self.id);
        notes.push(self);
        let extra = notes.len().saturating_sub(MOST);
        let lines = notes.iter().skip(extra).map(|Note { id, floor, label, name }| {
            let floor = floor.map_or(String::new(), |floor| floor.to_string());
            let name = name.as_deref().unwrap_or_default().replace(['\t', '\n', '\r'], " ");
            format!("{id}\t{floor}\t{label}\t{name}\n")
        });
        browser::keep_text(KEY, &lines.collect::<String>());
    }
}

fn list() -> Vec<Note> {
    let text = browser::kept_text(KEY).unwrap_or_default();
    let read = |line: &str| {
        let mut parts = line.splitn(4, '\t').map(str::to_owned);
        let (id, floor, label) = (parts.next()?, parts.next()?, parts.next()?);
        let name = parts.next()?;
        let name = Some(name).filter(|name| !name.is_empty());
        Some(Note { id, floor: floor.parse().ok(), label, name })
    };
    text.lines().filter_map(read).collect()
}
