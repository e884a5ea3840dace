//! Python's pickles of plain values and tensors, in protocol 2, as `torch.save` writes them
//! (<https://docs.python.org/3/library/pickletools.html>).

/// A value of Python.
#[derive(Clone, Debug)]
pub enum Item {
    Bool(bool),
    Int(usize),
    Float(f64),
    Text(String),
    Dict(Vec<(Item, Item)>),
    /// Float32 numbers of a tensor, which lie in the order of its axes in the storage `key`.
    Tensor { key: usize, shape: Vec<usize> },
}

impl From<&str> for Item {
    fn from(text: &str) -> Self {
        Self::Text(text.into())
    }
}

/// A pickle of `item`.
pub fn pickle(item: &Item) -> Vec<u8> {
    let mut out = b"\x80\x02".to_vec();
    write(item, &mut out);
    out.push(b'.');
    out
}

fn write(item: &Item, out: &mut Vec<u8>) {
    match item {
        Item::Bool(true) => out.push(0x88),
        Item::Bool(false) => out.push(0x89),
        Item::Int(int) => write_int(*int, out),
        Item::Float(float) => {
            out.push(b'G');
            out.extend(float.to_be_bytes());
        }
        Item::Text(text) => write_text(text, out),
        Item::Dict(pairs) => {
            out.extend(b"}(");
            for (key, value) in pairs {
                write(key, out);
                write(value, out);
            }
            out.push(b'u');
        }
        Item::Tensor { key, shape } => write_tensor(*key, shape, out),
    }
}

fn write_int(int: usize, out: &mut Vec<u8>) {
    match i32::try_from(int) {
        Ok(int) => {
            out.push(b'J');
            out.extend(int.to_le_bytes());
        }
        Err(_) => {
            let bytes = (int as u128).to_le_bytes();
            out.extend([0x8a, 9]); // the ninth byte keeps the sign
            out.extend(&bytes[..9]);
        }
    }
}

fn write_text(text: &str, out: &mut Vec<u8>) {
    out.push(b'X');
    out.extend((text.len() as u32).to_le_bytes());
    out.extend(text.as_bytes());
}

fn write_sizes(sizes: &[usize], out: &mut Vec<u8>) {
    out.push(b'(');
    sizes.iter().for_each(|size| write_int(*size, out));
    out.push(b't');
}

/// `torch._utils._rebuild_tensor_v2(storage, 0, shape, strides, False, OrderedDict())`
fn write_tensor(key: usize, shape: &[usize], out: &mut Vec<u8>) {
    let after = |axis: usize| shape[axis + 1..].iter().product();
    let strides: Vec<usize> = (0..shape.len()).map(after).collect();
    out.extend(b"ctorch._utils\n_rebuild_tensor_v2\n((");
    write_text("storage", out);
    out.extend(b"ctorch\nFloatStorage\n");
    write_text(&key.to_string(), out);
    write_text("cpu", out);
    write_int(shape.iter().product(), out);
    out.extend(b"tQ");
    write_int(0, out);
    write_sizes(shape, out);
    write_sizes(&strides, out);
    out.extend(b"\x89ccollections\nOrderedDict\n)RtR");
}
