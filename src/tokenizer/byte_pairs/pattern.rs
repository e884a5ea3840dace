//! Regular expressions that published models split text by. Any other is left to `tokenizers`: one that was made to
//! backtrack without an end would hang the page.

/// GPT-2's, which `tokenizers` has as `ByteLevel`.
pub const GPT_2: &str =
    r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+";
/// Llama 3's, which is that of GPT-4.
const LLAMA_3: &str = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";
/// Qwen's: a digit is a word.
const QWEN: &str = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";

/// A regular expression whose matches cover every text.
#[derive(Debug)]
pub struct Pattern(Regex);

#[cfg(feature = "cli")]
type Regex = tokenizers::utils::SysRegex;
/// As JavaScript writes it: its object belongs to one thread.
#[cfg(not(feature = "cli"))]
type Regex = String;

impl Pattern {
    /// The pattern with this text; `None` if no published model is known to have it.
    pub fn find(text: &str) -> Option<Self> {
        [GPT_2, LLAMA_3, QWEN].contains(&text).then(|| Self::new(text)).flatten()
    }

    #[cfg(feature = "cli")]
    fn new(text: &str) -> Option<Self> {
        Regex::new(text).ok().map(Self)
    }

    /// The browser's own expression. JavaScript counts U+FEFF as a blank, and not U+0085, and Safari does not know a
    /// group with its own flags.
    #[cfg(not(feature = "cli"))]
    fn new(text: &str) -> Option<Self> {
        const BLANK: &str = r"\t-\r \u0085\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000";
        let text = text
            .replace(r"[^\s", &format!("[^{BLANK}"))
            .replace(r"\s", &format!("[{BLANK}]"))
            .replace(r"\S", &format!("[^{BLANK}]"))
            .replace(
                "(?i:'s|'t|'re|'ve|'m|'ll|'d)",
                "'(?:[sSſ]|[tT]|[rR][eE]|[vV][eE]|[mM]|[lL]{2}|[dD])",
            );
        Some(Self(text))
    }

    /// Gives the words of `text` to `put`.
    #[cfg(feature = "cli")]
    pub fn split(&self, text: &str, put: &mut dyn FnMut(&str)) {
        for (start, end) in self.0.find_iter(text) {
            put(&text[start..end]);
        }
    }

    /// Gives the words of `text` to `put`.
    #[cfg(not(feature = "cli"))]
    pub fn split(&self, text: &str, put: &mut dyn FnMut(&str)) {
        let found = js_sys::JsString::from(text).match_(&js_sys::RegExp::new(&self.0, "gu"));
        for word in found.iter().flat_map(|found| js_sys::Array::from(found).to_vec()) {
            put(&word.as_string().expect("a match is text"));
        }
    }
}
