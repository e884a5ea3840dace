//! The tensors of a file of PyTorch: a dict of tensors by name, alone or in the checkpoint of a
//! trainer.

use super::pickle::Value;
use super::settings::Settings;
use super::tensors::Tensors;
use super::torch::Archive;
use super::{File, ImportError};

/// Keys that checkpoints keep a model's tensors under.
const WRAPPERS: [&str; 5] = ["model", "state_dict", "model_state_dict", "model_state", "module"];
/// Checkpoints in checkpoints that are searched.
const DEPTH: usize = 3;
/// Names that a note lists at most.
const MAX_TOLD: usize = 4;

/// Adds the file's tensors to `tensors`. Returns the `model_args` that nanoGPT keeps with them, and
/// a line for the user about what was left unread.
///
/// # Errors
/// If the file is damaged, or if what is needed of it is of a kind that Confab does not know.
pub fn read<'a>(
    file: &File<'a>,
    tensors: &mut Tensors<'a>,
) -> Result<(Option<Settings<'a>>, Option<String>), ImportError> {
    let archive = Archive::open(file)?;
    let root = archive.pickle.root();
    let state = find(root, DEPTH)?;
    let state = state.ok_or_else(|| ImportError::NoTensors { file: file.name.into() })?;
    for (name, value) in state.pairs().into_iter().flatten() {
        let value = value.expect_read()?;
        // Numbers and words are beside the weights, as a version is.
        if let (true, Some(name)) = (value.is_tensor(), name.text()) {
            tensors.insert(archive.tensor(name, value)?)?;
        }
    }
    Ok((arguments(file.name, root)?, note(file.name, &archive)))
}

/// The dict of tensors that is `value` or in it.
fn find<'p, 'a>(value: Value<'p, 'a>, depth: usize) -> Result<Option<Value<'p, 'a>>, ImportError> {
    let Some(mut pairs) = value.expect_read()?.pairs().filter(|_| depth > 0) else {
        return Ok(None);
    };
    // A checkpoint may have a loss that is a tensor beside its model.
    for wrapped in WRAPPERS.iter().filter_map(|key| value.get(key)) {
        if let Some(found) = find(wrapped, depth - 1)? {
            return Ok(Some(found));
        }
    }
    Ok(pairs.any(|(_, value)| value.is_tensor()).then_some(value))
}

fn arguments<'a>(file: &'a str, root: Value) -> Result<Option<Settings<'a>>, ImportError> {
    let Some(arguments) = root.get("model_args").map(Value::expect_read).transpose()? else {
        return Ok(None);
    };
    let mut values = serde_json::Map::new();
    for (key, value) in arguments.pairs().into_iter().flatten() {
        let value = value.expect_read()?;
        if let (Some(key), Some(value)) = (key.text(), value.scalar()) {
            values.insert(key.into(), value);
        }
    }
    Ok(Some(Settings::new(file, values)))
}

fn note(file: &str, archive: &Archive) -> Option<String> {
    let unknown = archive.pickle.unknown();
    let told: Vec<&str> = unknown.iter().take(MAX_TOLD).map(String::as_str).collect();
    let more = if unknown.len() > MAX_TOLD { " and others" } else { "" };
    (!told.is_empty()).then(|| {
        format!(
            "Left unread in {file}, and not run: what is made by {}{more}; the weights need none of it",
            told.join(", ")
        )
    })
}
