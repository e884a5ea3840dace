//! Files of `torch.save`: a zip with a pickle of the value, and the numbers of every storage beside it.

use std::io::Write;

use rawzip::extra_fields::ExtraFieldId;
use rawzip::{Header, ZipArchiveWriter};

use super::pickle::{Item, pickle};

/// Bytes at a multiple of which PyTorch has its storages begin.
const ALIGNMENT: u64 = 64;
/// Bytes of an entry's header before its name, and of an extra field's before its data.
const HEADER: u64 = 30;
const FIELD: u64 = 4;
/// PyTorch's padding, whose id is `FB`.
const PADDING: ExtraFieldId = ExtraFieldId::new(0x4246);

/// The file of `value`, whose storages are `storages` by their key. `name` is that of its folder.
///
/// # Errors
/// The zip writer's message, as on more bytes than the format can count.
pub fn save(name: &str, value: &Item, storages: &[&[f32]]) -> Result<Vec<u8>, rawzip::Error> {
    let bytes = storages.iter().map(|storage| 4 * storage.len() + 256).sum::<usize>();
    let mut zip = ZipArchiveWriter::new(Vec::with_capacity(bytes));
    let mut put = |entry: &str, bytes: &[u8]| -> Result<(), rawzip::Error> {
        let entry = format!("{name}/{entry}");
        let start = zip.stream_offset() + HEADER + entry.len() as u64 + FIELD;
        let padding = vec![b'Z'; (start.next_multiple_of(ALIGNMENT) - start) as usize];
        let file = zip.new_file(&entry).extra_field(PADDING, &padding, Header::LOCAL)?;
        let (mut file, config) = file.start()?;
        let mut writer = config.wrap(&mut file);
        writer.write_all(bytes)?;
        let (_, told) = writer.finish()?;
        file.finish(told)?;
        Ok(())
    };
    put("data.pkl", &pickle(value))?;
    put("byteorder", b"little")?;
    for (key, storage) in storages.iter().enumerate() {
        let bytes: Vec<u8> = storage.iter().flat_map(|x| x.to_le_bytes()).collect();
        put(&format!("data/{key}"), &bytes)?;
    }
    put("version", b"3\n")?;
    zip.finish()
}
