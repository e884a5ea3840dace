//! Reads words into rules.

use super::lexer::{Token, Word, words};
use super::limits;
use super::refusal::Refusal;
use super::tree::{Expr, Kind, Order, Rule};
use crate::base::text::only_character;

/// Names that mean something by themselves.
const KEYWORDS: [&str; 10] =
    ["depth", "as", "unique", "pick", "from", "separator", "answer", "given", "reverse", "sort"];

/// The rules of `text`, in order.
///
/// # Errors
/// The first line that does not follow the syntax.
pub(super) fn rules(text: &str) -> Result<Vec<Rule>, Refusal> {
    let tokens = words(text)?;
    let mut parser = Parser { tokens: &tokens, at: 0, nesting: 0 };
    let mut out: Vec<Rule> = Vec::new();
    while parser.peek().is_some() {
        let rule = parser.rule()?;
        if out.iter().any(|other| other.name == rule.name) {
            let sentence = format!(
                "`{}` has two rules; join them with `|` or give this one another name",
                rule.name
            );
            return Err(Refusal::new(rule.line, sentence));
        }
        out.push(rule);
        if out.len() > limits::RULES {
            let sentence = format!("there are more than {} rules; use fewer", limits::RULES);
            return Err(Refusal::new(parser.last_line(), sentence));
        }
    }
    Ok(out)
}

struct Parser<'a> {
    tokens: &'a [Token],
    at: usize,
    /// Parentheses open.
    nesting: usize,
}

impl<'a> Parser<'a> {
    fn ahead(&self, count: usize) -> Option<&'a Word> {
        self.tokens.get(self.at + count).map(|token| &token.word)
    }

    /// The next word.
    fn peek(&self) -> Option<&'a Word> {
        self.ahead(0)
    }

    fn line(&self) -> usize {
        let token = self.tokens.get(self.at).or(self.tokens.last());
        token.map_or(1, |token| token.line)
    }

    /// Line of the last word read.
    fn last_line(&self) -> usize {
        self.tokens.get(self.at.saturating_sub(1)).map_or(1, |token| token.line)
    }

    fn refuse<T>(&self, sentence: impl Into<String>) -> Result<T, Refusal> {
        let line = if self.starts_rule() { self.last_line() } else { self.line() };
        Err(Refusal::new(line, sentence))
    }

    /// True at the end, and where `name =` or `name depth 3 =` begins a line.
    fn starts_rule(&self) -> bool {
        let Some(token) = self.tokens.get(self.at) else { return true };
        let is = |ahead, sign| self.ahead(ahead) == Some(&Word::Sign(sign));
        let has_depth = matches!(self.ahead(1), Some(Word::Name(name)) if name == "depth");
        token.is_first
            && matches!(token.word, Word::Name(_))
            && (is(1, "=") || has_depth && is(3, "="))
    }

    fn takes(&mut self, sign: &'static str) -> bool {
        let found = self.peek() == Some(&Word::Sign(sign));
        self.at += usize::from(found);
        found
    }

    fn takes_keyword(&mut self, keyword: &str) -> bool {
        let found = matches!(self.peek(), Some(Word::Name(name)) if name == keyword);
        self.at += usize::from(found);
        found
    }

    fn rule(&mut self) -> Result<Rule, Refusal> {
        if !self.starts_rule() {
            return self
                .refuse("a rule starts with its name and `=`, as in `digit = \"0\"..\"9\"`");
        }
        let line = self.line();
        let name = self.new_name()?;
        let depth = if self.takes_keyword("depth") {
            Some(self.whole("depth", 1, limits::DEPTH)?)
        } else {
            None
        };
        self.takes("=");
        let body = self.choice()?;
        if !self.starts_rule() {
            let sentence = match self.peek() {
                Some(Word::Sign(")")) => "this `)` closes nothing; take it away",
                _ => {
                    "this does not fit here; start a new line for a new rule, and put text in quotes"
                }
            };
            return self.refuse(sentence);
        }
        Ok(Rule { name, line, depth, body })
    }

    fn new_name(&mut self) -> Result<String, Refusal> {
        match self.peek() {
            Some(Word::Name(name)) if KEYWORDS.contains(&name.as_str()) => {
                self.refuse(format!("`{name}` has a meaning of its own; choose another name"))
            }
            Some(Word::Name(name)) => {
                self.at += 1;
                Ok(name.clone())
            }
            _ => self.refuse("a name is missing here"),
        }
    }

    fn whole(&mut self, what: &str, least: u32, most: u32) -> Result<u32, Refusal> {
        let Some(Word::Number(text)) = self.peek() else {
            return self.refuse(format!("a number is missing here: the {what}"));
        };
        let number = text.parse().ok().filter(|number| (least..=most).contains(number));
        let Some(number) = number else {
            return self.refuse(format!(
                "the {what} is {text}; make it a whole number from {least} to {most}"
            ));
        };
        self.at += 1;
        Ok(number)
    }

    fn choice(&mut self) -> Result<Expr, Refusal> {
        let line = self.line();
        let mut alternatives = Vec::new();
        loop {
            let weight = self.weight()?;
            alternatives.push((weight, self.sequence()?));
            if self.starts_rule() || !self.takes("|") {
                break;
            }
        }
        if alternatives.len() == 1 {
            return match alternatives.pop() {
                Some((_, only)) => Ok(only),
                None => self.refuse("an alternative is missing"),
            };
        }
        let total: f64 = alternatives.iter().map(|(weight, _)| weight).sum();
        let least =
            alternatives.iter().fold(f64::INFINITY, |least, (weight, _)| least.min(*weight));
        if !total.is_finite() || least / total < 1e-12 {
            let sentence =
                "these weights are too far apart; keep each above a trillionth of their sum";
            return Err(Refusal::new(line, sentence));
        }
        let alternatives =
            alternatives.into_iter().map(|(weight, expr)| (weight / total, expr)).collect();
        Ok(Expr { line, kind: Kind::Choice(alternatives) })
    }

    /// `3:`, or 1 where there is none.
    fn weight(&mut self) -> Result<f64, Refusal> {
        let Some(Word::Number(text)) = self.peek() else { return Ok(1.0) };
        if self.ahead(1) != Some(&Word::Sign(":")) {
            return self.refuse(format!(
                "{text} is a weight only before `:`, and a count only after `*`; put text in quotes"
            ));
        }
        match text.parse::<f64>() {
            Ok(weight) if weight.is_finite() && weight > 0.0 => {
                self.at += 2;
                Ok(weight)
            }
            _ => self.refuse(format!("the weight {text} must be a finite number above 0")),
        }
    }

    fn sequence(&mut self) -> Result<Expr, Refusal> {
        let line = if self.starts_rule() { self.last_line() } else { self.line() };
        let mut items = Vec::new();
        while !self.starts_rule() && !matches!(self.peek(), Some(Word::Sign("|" | ")"))) {
            items.push(self.item()?);
        }
        match (items.len(), items.pop()) {
            (1, Some(only)) => Ok(only),
            (_, Some(last)) => {
                items.push(last);
                Ok(Expr { line, kind: Kind::Sequence(items) })
            }
            (_, None) => {
                Err(Refusal::new(line, "nothing stands here; write \"\" if nothing is meant"))
            }
        }
    }

    /// A primary with what follows it: `* 3`, `as name`.
    fn item(&mut self) -> Result<Expr, Refusal> {
        let line = self.line();
        let mut expr = self.primary()?;
        let mut suffixes = 0;
        while !self.starts_rule() {
            let kind = if self.takes("*") {
                self.repeat(expr)?
            } else if self.takes_keyword("as") {
                Kind::As(Box::new(expr), self.new_name()?)
            } else {
                break;
            };
            expr = Expr { line, kind };
            suffixes += 1;
            if suffixes > limits::SUFFIXES {
                return self
                    .refuse("too much stands after one item; give a part of it a rule of its own");
            }
        }
        Ok(expr)
    }

    fn repeat(&mut self, body: Expr) -> Result<Kind, Refusal> {
        let least = self.whole("count", 0, limits::COUNT)?;
        let most = if self.takes("..") { self.whole("count", 0, limits::COUNT)? } else { least };
        if most < least {
            return self.refuse(format!("{least}..{most} counts down; write {most}..{least}"));
        }
        let mut separator = String::new();
        if !self.starts_rule() && self.takes_keyword("separator") {
            match self.peek() {
                Some(Word::Text(text)) => separator.clone_from(text),
                _ => return self.refuse("text in quotes is missing after `separator`"),
            }
            self.at += 1;
        }
        Ok(Kind::Repeat { body: Box::new(body), least, most, separator })
    }

    fn primary(&mut self) -> Result<Expr, Refusal> {
        let line = self.line();
        let kind = match self.peek() {
            Some(Word::Text(text)) => {
                self.at += 1;
                self.text_or_range(text)?
            }
            Some(Word::Sign("(")) => return self.group("("),
            Some(Word::Name(name)) => match name.as_str() {
                "unique" => {
                    self.at += 1;
                    Kind::Unique(self.rule_name("unique")?)
                }
                "pick" => {
                    self.at += 1;
                    self.pick()?
                }
                "answer" | "given" => {
                    self.at += 1;
                    let body = Box::new(self.group(name)?);
                    if name == "answer" { Kind::Answer(body) } else { Kind::Given(body) }
                }
                "reverse" | "sort" => {
                    self.at += 1;
                    let body = self.group(name)?;
                    ordered(name, body)
                }
                "as" | "separator" | "from" | "depth" => {
                    return self
                        .refuse(format!("`{name}` does not fit here; docs/grammars.md shows where it does"));
                }
                _ => {
                    self.at += 1;
                    let part = if !self.starts_rule() && self.takes(".") {
                        Some(self.new_name()?)
                    } else {
                        None
                    };
                    Kind::Name(name.clone(), part)
                }
            },
            Some(Word::Sign(sign)) => {
                return self.refuse(format!("`{sign}` does not fit here; put text in quotes"));
            }
            Some(Word::Number(number)) => {
                return self.refuse(format!(
                    "{number} does not fit here; put text in quotes, and counts after `*`"
                ));
            }
            None => return self.refuse("something is missing here"),
        };
        Ok(Expr { line, kind })
    }

    fn text_or_range(&mut self, first: &str) -> Result<Kind, Refusal> {
        if self.starts_rule() || !self.takes("..") {
            return Ok(Kind::Text(first.to_owned()));
        }
        let Some(Word::Text(last)) = self.peek() else {
            return self.refuse("a range ends with a character in quotes, as in \"a\"..\"z\"");
        };
        let (Some(from), Some(to)) = (only_character(first), only_character(last)) else {
            return self.refuse("a range goes from one character to one other, as in \"a\"..\"z\"");
        };
        if from > to {
            return self.refuse(format!("nothing lies from \"{from}\" to \"{to}\"; swap them"));
        }
        if (from..=to).count() > limits::RANGE {
            return self.refuse(format!("this range has more than {} characters", limits::RANGE));
        }
        self.at += 1;
        Ok(Kind::Range(from, to))
    }

    /// `( … )`, after `owner`.
    fn group(&mut self, owner: &str) -> Result<Expr, Refusal> {
        let line = self.line();
        if !self.takes("(") {
            return self.refuse(format!("`{owner}` needs parentheses: `{owner}(…)`"));
        }
        self.nesting += 1;
        if self.nesting > limits::NESTING {
            return self
                .refuse("too many parentheses are open; give a part of this a rule of its own");
        }
        let body = self.choice()?;
        if self.starts_rule() || !self.takes(")") {
            return Err(Refusal::new(line, "a `)` is missing for the `(` in this line"));
        }
        self.nesting -= 1;
        Ok(body)
    }

    fn rule_name(&mut self, owner: &str) -> Result<String, Refusal> {
        match self.peek() {
            Some(Word::Name(name)) if !self.starts_rule() && !KEYWORDS.contains(&name.as_str()) => {
                self.at += 1;
                Ok(name.clone())
            }
            _ => self.refuse(format!("`{owner}` needs the name of a rule, as in `{owner} letter`")),
        }
    }

    fn pick(&mut self) -> Result<Kind, Refusal> {
        let name = self.new_name()?;
        if self.starts_rule() || !self.takes_keyword("from") {
            return self.refuse(format!("`from` is missing: `pick {name} from …`"));
        }
        let line = self.line();
        let from = match self.peek() {
            Some(Word::Sign("(")) => self.group("(")?,
            _ => Expr { line, kind: Kind::Name(self.rule_name("from")?, None) },
        };
        Ok(Kind::Pick(name, Box::new(from)))
    }
}

/// `reverse(body)` or `sort(body)`, one inside the other folded into one.
fn ordered(name: &str, body: Expr) -> Kind {
    let (inner, body) = match body.kind {
        Kind::Ordered(order, inner) => (order, inner),
        _ => (Order::Written, Box::new(body)),
    };
    Kind::Ordered(if name == "sort" { Order::Rising } else { inner.reverse() }, body)
}
