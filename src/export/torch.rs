//! Files of `torch.save`: a zip with a pickle of the value, and the numbers of every storage beside it.

use super::pickle::{Item, pickle};
use super::zip::zip;

/// The file of `value`, whose storages are `storages` by their key. `name` is that of its folder.
///
/// # Errors
/// The zip writer's message, as on more bytes than the format can count.
pub fn save(name: &str, value: &Item, storages: &[&[f32]]) -> Result<Vec<u8>, rawzip::Error> {
    let bytes = storages.iter().map(|storage| 4 * storage.len() + 256).sum::<usize>();
    let head = [("data.pkl".to_owned(), pickle(value)), ("byteorder".into(), b"little".into())];
    let data = storages.iter().enumerate().map(|(key, storage)| {
        let bytes: Vec<u8> = storage.iter().flat_map(|x| x.to_le_bytes()).collect();
        (format!("data/{key}"), bytes)
    });
    let entries = head.into_iter().chain(data).chain([("version".into(), b"3\n".into())]);
    zip(entries.map(|(entry, bytes)| (format!("{name}/{entry}"), bytes)), bytes)
}
