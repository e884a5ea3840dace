//! Numbers as people write them.

/// A number such as `5,000`, `5 000`, `5_000` or, if it is to be whole, `1e3`, in plain digits; `None` if it is plain
/// already, or no number. A comma stands for thousands, so three digits must follow it.
pub(super) fn plain(text: &str, is_whole: bool) -> Option<String> {
    let text = text.trim();
    let mut groups = text.split(',').skip(1).map(|group| {
        let digits = group.split(['.', 'e', 'E']).next().unwrap_or_default();
        digits.len() == 3 && digits.bytes().all(|byte| byte.is_ascii_digit())
    });
    if text.starts_with(',') || !groups.all(|is_thousands| is_thousands) {
        return None;
    }
    let is_separator = |c: char| matches!(c, ',' | '_' | ' ' | '\u{a0}' | '\u{2009}' | '\u{202f}');
    let digits = text.replace(is_separator, "");
    let number: f64 = digits.parse().ok().filter(|number: &f64| number.is_finite())?;
    // Beyond it not every whole number has an f64.
    const LARGEST: f64 = (1_u64 << 53) as f64;
    let plain = match is_whole && digits.parse::<u64>().is_err() {
        true if number.fract() == 0.0 && (0.0..=LARGEST).contains(&number) => {
            (number as u64).to_string()
        }
        true => return None,
        false => digits,
    };
    (plain != text).then_some(plain)
}
