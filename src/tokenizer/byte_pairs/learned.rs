//! Words in which Confab learns byte pairs. They are split by ASCII classes alone, so page and terminal split alike
//! whatever Unicode adds.

/// Words: letters, digits or marks, with one space before, or blanks. What is not ASCII counts as a letter.
pub const WORDS: &str = r" ?[^\x00-\x40\x5B-\x60\x7B-\x7F]{1,64}| ?[0-9]{1,64}| ?[\x21-\x2F\x3A-\x40\x5B-\x60\x7B-\x7E]{1,64}|[\x00-\x20\x7F]{1,64}";
/// Most characters of a word, its space aside.
const MAX_WORD: usize = 64;

/// The words of `text`, as [`WORDS`] splits it.
pub fn words(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = text;
    std::iter::from_fn(move || {
        let first = rest.chars().next()?;
        let second = rest.strip_prefix(' ').and_then(|rest| rest.chars().next());
        let (space, of) = match second.map(Class::of).filter(|class| *class != Class::Blank) {
            Some(class) => (1, class),
            None => (0, Class::of(first)),
        };
        let run = rest[space..]
            .chars()
            .take(MAX_WORD)
            .take_while(|character| Class::of(*character) == of);
        let (word, after) = rest.split_at(space + run.map(char::len_utf8).sum::<usize>());
        rest = after;
        Some(word)
    })
}

#[derive(Clone, Copy, PartialEq)]
enum Class {
    Letter,
    Digit,
    Mark,
    Blank,
}

impl Class {
    fn of(character: char) -> Self {
        match character {
            '0'..='9' => Self::Digit,
            '\0'..=' ' | '\x7f' => Self::Blank,
            character if character.is_ascii_punctuation() => Self::Mark,
            _ => Self::Letter,
        }
    }
}
