//! Zip files of stored entries.

use std::io::Write;

use rawzip::extra_fields::ExtraFieldId;
use rawzip::{Header, ZipArchiveWriter};

/// Bytes at a multiple of which entries begin, as PyTorch has its storages.
const ALIGNMENT: u64 = 64;
/// Bytes of an entry's header before its name, and of an extra field's before its data.
const HEADER: u64 = 30;
const FIELD: u64 = 4;
/// PyTorch's padding, whose id is `FB`.
const PADDING: ExtraFieldId = ExtraFieldId::new(0x4246);

/// The zip of these entries, by name, in about `bytes`.
///
/// # Errors
/// The zip writer's message, as on more bytes than the format can count.
pub fn zip(
    entries: impl Iterator<Item = (String, Vec<u8>)>,
    bytes: usize,
) -> Result<Vec<u8>, rawzip::Error> {
    let mut zip = ZipArchiveWriter::new(Vec::with_capacity(bytes));
    for (name, bytes) in entries {
        let start = zip.stream_offset() + HEADER + name.len() as u64 + FIELD;
        let padding = vec![b'Z'; (start.next_multiple_of(ALIGNMENT) - start) as usize];
        let file = zip.new_file(&name).extra_field(PADDING, &padding, Header::LOCAL)?;
        let (mut file, config) = file.start()?;
        let mut writer = config.wrap(&mut file);
        writer.write_all(&bytes)?;
        let (_, told) = writer.finish()?;
        file.finish(told)?;
    }
    zip.finish()
}
