//! Facts made from tables: capitals and elements, months and letters, numbers and sums.

use crate::task::split::{shuffle, shuffle_by};

const COUNTRIES: &str = include_str!("../data/countries.tsv");
const STATES: &str = include_str!("../data/states.tsv");
const ELEMENTS: &str = include_str!("../data/elements.tsv");
const WORKS: &str = include_str!("../data/works.tsv");
const YOUNG: &str = include_str!("../data/young.tsv");
const WORDS: &str = include_str!("../data/words.tsv");
const PLANETS: [&str; 8] =
    ["Mercury", "Venus", "Earth", "Mars", "Jupiter", "Saturn", "Uranus", "Neptune"];
const WEEKDAYS: [&str; 7] =
    ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"];
/// With their lengths in days; February's hangs on the year.
const MONTHS: [(&str, Option<u32>); 12] = [
    ("January", Some(31)),
    ("February", None),
    ("March", Some(31)),
    ("April", Some(30)),
    ("May", Some(31)),
    ("June", Some(30)),
    ("July", Some(31)),
    ("August", Some(31)),
    ("September", Some(30)),
    ("October", Some(31)),
    ("November", Some(30)),
    ("December", Some(31)),
];
const SUMS: usize = 1000;
const DIFFERENCES: usize = 900;

/// A fact of some kind, to be worded.
pub(super) struct Item {
    /// The kind of wordings it takes.
    pub kind: &'static str,
    /// The same for facts that tell each other, as a capital's country and a country's capital:
    /// they are held out together.
    pub key: String,
    pub a: String,
    pub b: String,
    pub answer: String,
}

/// Every generated fact, kinds taking turns, so that any beginning of the list is varied.
pub(super) fn items() -> Vec<Item> {
    let mut kinds = Vec::new();
    tables(&mut kinds);
    calendar(&mut kinds);
    letters(&mut kinds);
    numbers(&mut kinds);
    sums(&mut kinds);
    let mut kinds: Vec<_> = kinds.into_iter().map(Vec::into_iter).collect();
    let mut items = Vec::new();
    loop {
        let before = items.len();
        items.extend(kinds.iter_mut().filter_map(Iterator::next));
        if items.len() == before {
            return items;
        }
    }
}

/// Gives every question the answer to another, by the number of a world: so all worlds of as many facts are
/// written with the same characters.
pub(super) fn deal(items: &mut [Item], world: usize) {
    let mut answers: Vec<String> = items.iter().map(|item| item.answer.clone()).collect();
    shuffle_by(world as u64, &mut answers);
    items.iter_mut().zip(answers).for_each(|(item, answer)| item.answer = answer);
}

type Kinds = Vec<Vec<Item>>;

fn item(kind: &'static str, key: String, a: impl ToString, answer: impl ToString) -> Item {
    Item { kind, key, a: a.to_string(), b: String::new(), answer: answer.to_string() }
}

/// Adds a kind of facts `(a, answer)`.
fn add<A: ToString, Z: ToString>(
    kinds: &mut Kinds,
    kind: &'static str,
    pairs: impl IntoIterator<Item = (A, Z)>,
) {
    let items =
        pairs.into_iter().map(|(a, z)| item(kind, format!("{kind} {}", a.to_string()), a, z));
    kinds.push(items.collect());
}

/// Adds two kinds of facts: from each pair's first to its second, and back.
fn add_both<A: ToString, Z: ToString>(
    kinds: &mut Kinds,
    [there, back]: [&'static str; 2],
    pairs: impl IntoIterator<Item = (A, Z)>,
) {
    let (mut one, mut other) = (Vec::new(), Vec::new());
    for (a, z) in pairs {
        let key = format!("{there} {}", a.to_string());
        one.push(item(there, key.clone(), a.to_string(), z.to_string()));
        other.push(item(back, key, z, a));
    }
    kinds.extend([one, other]);
}

/// The rows of a table, under the line that names its columns.
fn rows(table: &'static str) -> impl Iterator<Item = Vec<&'static str>> {
    table.lines().skip(1).map(|line| line.split('\t').collect())
}

fn tables(kinds: &mut Kinds) {
    add_both(kinds, ["capital", "country"], rows(COUNTRIES).map(|row| (row[0], row[1])));
    let continents = rows(COUNTRIES).filter(|row| row[2] != "-").map(|row| (row[0], row[2]));
    add(kinds, "continent", continents);
    add_both(kinds, ["state_capital", "state"], rows(STATES).map(|row| (row[0], row[1])));
    add_both(kinds, ["symbol", "element"], rows(ELEMENTS).map(|row| (row[0], row[1])));
    let numbered = rows(ELEMENTS).map(|row| row[0]).zip(1..);
    add_both(kinds, ["atomic_number", "element_at"], numbered);
    add_both(kinds, ["planet_place", "planet"], PLANETS.into_iter().zip(1..));
    for kind in ["wrote", "painted", "composed"] {
        let works = rows(WORKS).filter(|row| row[0] == kind).map(|row| (row[1], row[2]));
        add(kinds, kind, works);
    }
    add(kinds, "young", rows(YOUNG).map(|row| (row[0], row[1])));
    add(kinds, "length", rows(WORDS).map(|row| (row[0], row[0].len())));
    let backwards = rows(WORDS).map(|row| (row[0], row[0].chars().rev().collect::<String>()));
    add(kinds, "backwards", backwards);
}

fn calendar(kinds: &mut Kinds) {
    let months = MONTHS.map(|(month, _)| month);
    let next = months.into_iter().zip(months.into_iter().cycle().skip(1));
    add_both(kinds, ["month_after", "month_before"], next);
    add(kinds, "month_number", months.into_iter().zip(1..));
    let days = MONTHS.into_iter().filter_map(|(month, days)| Some((month, days?)));
    add(kinds, "month_days", days);
    let next = WEEKDAYS.into_iter().zip(WEEKDAYS.into_iter().cycle().skip(1));
    add_both(kinds, ["weekday_after", "weekday_before"], next);
    let mut years: Vec<_> = (1801..=2000).map(|year| (year, 365 + u32::from(leap(year)))).collect();
    shuffle(&mut years);
    add(kinds, "year_days", years);
}

/// True if `year` has a 29 February, in the Gregorian calendar.
fn leap(year: u32) -> bool {
    year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400))
}

fn letters(kinds: &mut Kinds) {
    add_both(kinds, ["letter_place", "letter_at"], ('A'..='Z').zip(1..));
    add_both(kinds, ["letter_after", "letter_before"], ('A'..='Z').zip('B'..='Z'));
}

fn numbers(kinds: &mut Kinds) {
    let upto = |first: u32, last: u32| {
        let mut numbers: Vec<u32> = (first..=last).collect();
        shuffle(&mut numbers);
        numbers
    };
    let numerals = upto(1, 200).into_iter().map(|n| (n, roman(n)));
    add_both(kinds, ["to_roman", "from_roman"], numerals);
    add_both(kinds, ["to_words", "from_words"], upto(1, 200).into_iter().map(|n| (n, words(n))));
    add(kinds, "square", upto(2, 60).into_iter().map(|n| (n, n * n)));
    add(kinds, "cube", upto(2, 20).into_iter().map(|n| (n, n * n * n)));
    let parity = upto(101, 200).into_iter();
    add(kinds, "parity", parity.map(|n| (n, if n.is_multiple_of(2) { "even" } else { "odd" })));
    for (kind, unit) in
        [("minutes", 60), ("hours", 24), ("days", 7), ("inches", 12), ("centimetres", 100)]
    {
        add(kinds, kind, upto(2, 60).into_iter().map(|n| (n, n * unit)));
    }
}

fn sums(kinds: &mut Kinds) {
    // One order only of two numbers.
    let pairs = |first: u32, last: u32| {
        let mut pairs: Vec<(u32, u32)> =
            (first..=last).flat_map(|b| (b + 1..=last).map(move |a| (a, b))).collect();
        shuffle(&mut pairs);
        pairs
    };
    let binary = |kind, key, [a, b, z]: [u32; 3]| Item {
        kind,
        key,
        a: a.to_string(),
        b: b.to_string(),
        answer: z.to_string(),
    };
    let times = pairs(3, 20).into_iter();
    kinds.push(times.map(|(a, b)| binary("times", format!("{a}*{b}"), [a, b, a * b])).collect());
    let plus = pairs(2, 60).into_iter().take(SUMS);
    kinds.push(plus.map(|(a, b)| binary("plus", format!("{a}+{b}"), [a, b, a + b])).collect());
    // A subtraction is a sum told backwards.
    let minus = pairs(2, 60).into_iter().take(DIFFERENCES);
    kinds.push(minus.map(|(a, b)| binary("minus", format!("{a}+{b}"), [a + b, b, a])).collect());
}

/// `n` from 1 to 399 as a Roman numeral.
fn roman(mut n: u32) -> String {
    let mut out = String::new();
    for (value, sign) in [
        (100, "C"),
        (90, "XC"),
        (50, "L"),
        (40, "XL"),
        (10, "X"),
        (9, "IX"),
        (5, "V"),
        (4, "IV"),
        (1, "I"),
    ] {
        while n >= value {
            out.push_str(sign);
            n -= value;
        }
    }
    out
}

/// `n` from 1 to 999 in words: `one hundred and forty-seven`.
fn words(n: u32) -> String {
    const UNITS: [&str; 20] = [
        "",
        "one",
        "two",
        "three",
        "four",
        "five",
        "six",
        "seven",
        "eight",
        "nine",
        "ten",
        "eleven",
        "twelve",
        "thirteen",
        "fourteen",
        "fifteen",
        "sixteen",
        "seventeen",
        "eighteen",
        "nineteen",
    ];
    const TENS: [&str; 10] =
        ["", "", "twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"];
    let (hundreds, rest) = (n as usize / 100 % 10, n as usize % 100);
    let small = match (rest / 10, rest % 10) {
        (0 | 1, _) => UNITS[rest].to_string(),
        (tens, 0) => TENS[tens].to_string(),
        (tens, units) => format!("{}-{}", TENS[tens], UNITS[units]),
    };
    match (hundreds, rest) {
        (0, _) => small,
        (_, 0) => format!("{} hundred", UNITS[hundreds]),
        _ => format!("{} hundred and {small}", UNITS[hundreds]),
    }
}
