//! Links to shared experiments: their fragments, written and read.
//!
//! A link is data: `#task.kind=facts&model.n_layers=4&prompt=…`. Its keys are those of [`KNOBS`] and a few of the
//! page. Values at their default are left out. Every value is checked against its knob's range before use.

use super::{Catalogue, MAX_PACKED_CHARS, Packed, gallery};
use crate::config::{KNOBS, Knob, RunConfig};

/// State restored by a link.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Link {
    pub config: RunConfig,
    /// The inspected prompt; empty for the task's own example.
    pub prompt: String,
    /// The open inspector tab; empty for the first.
    pub tab: String,
    /// Id of the analysis shown in the tab; empty for the first.
    pub analysis: String,
    /// The second prompt of an analysis.
    pub other: String,
    /// The position at which the chosen token of the prompt is predicted; `None` for the last.
    pub position: Option<usize>,
    /// The layer and the head that are shown; `None` for the first.
    pub layer: Option<usize>,
    pub head: Option<usize>,
    /// Model shipped with the page, which brings its own run; empty for none.
    pub trained: String,
    /// Temperature, top-k and seed of samples; each `None` for the default.
    pub temperature: Option<f64>,
    pub top_k: Option<usize>,
    pub sample_seed: Option<u64>,
    /// The weights of the run; `None` for a run to be trained anew.
    pub weights: Option<Packed>,
}

/// Longest fragment to read or write, in bytes without weights; messengers cut longer ones.
pub const MAX_LINK_BYTES: usize = 16 << 10;
/// Room for the key of weights and their step.
const WEIGHTS_KEY: usize = 64;
const MAX_PROMPT_CHARS: usize = 2048;
const MAX_TAB_CHARS: usize = 32;
/// Highest temperature and largest top-k of a link.
const MAX_TEMPERATURE: f64 = 2.0;
const MAX_TOP_K: usize = 1000;
/// Highest number of a layer or a head.
const MAX_PART: usize = 1023;

impl Link {
    /// Checks the link's analysis and trained model against a session's catalogue, which [`decode`] does not know.
    ///
    /// # Errors
    /// If the catalogue lacks one of them.
    pub fn check(&self, catalogue: &Catalogue) -> Result<(), LinkError> {
        let Self { analysis, trained, .. } = self;
        if !analysis.is_empty() && catalogue.analysis(analysis).is_none() {
            return Err(LinkError::Analysis(analysis.clone()));
        }
        if !trained.is_empty() && catalogue.gallery.iter().all(|exhibit| exhibit.name != *trained) {
            return Err(LinkError::Trained(trained.clone()));
        }
        Ok(())
    }
}

/// Errors of reading or writing a link.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum LinkError {
    #[error("it is {0} bytes long, more than the {MAX_LINK_BYTES} that a link may be")]
    TooLong(usize),
    #[error("the link's part `{0}` is not of the form key=value with a key that Confab knows")]
    Unknown(String),
    #[error("the link's analysis `{0}` is not one that Confab knows")]
    Analysis(String),
    #[error("the link's `{key}` is {value}, and must be a number from 0 to {largest}")]
    Number { key: &'static str, value: String, largest: String },
    #[error("the link's trained model `{0}` is not one that Confab ships")]
    Trained(String),
    #[error(
        "the link's weights are damaged or cut off: ask for the link again, or for the model's file"
    )]
    Weights,
    #[error("the link's `{key}` is too long: at most {limit} characters are taken")]
    Long { key: &'static str, limit: usize },
    #[error(
        "a link carries no file of names and no supplement; save the run and send its checkpoint"
    )]
    File,
    #[error("the link asks for what cannot be run: {0}")]
    Config(crate::config::ConfigError),
}

// Its text is part of the message; as a source it would appear twice.
impl From<crate::config::ConfigError> for LinkError {
    fn from(error: crate::config::ConfigError) -> Self {
        Self::Config(error)
    }
}

/// Writes `link` as a fragment, without `#`. Empty if everything is at its default.
///
/// # Errors
/// [`LinkError::TooLong`] if it would be longer than [`MAX_LINK_BYTES`], as with a pasted text;
/// [`LinkError::Long`] if the prompt or the tab is longer than [`decode`] takes;
/// [`LinkError::File`] if the run has more from a file than a text.
pub fn encode(link: &Link) -> Result<String, LinkError> {
    if link.config.task.has_files() {
        return Err(LinkError::File);
    }
    let defaults = RunConfig::default();
    let mut out = form_urlencoded::Serializer::new(String::new());
    for knob in KNOBS {
        let value = knob.get(&link.config);
        if value != knob.get(&defaults) {
            out.append_pair(knob.key, &value);
        }
    }
    for (key, value, limit) in [
        ("prompt", link.prompt.as_str(), MAX_PROMPT_CHARS),
        ("tab", &link.tab, MAX_TAB_CHARS),
        ("look", &link.analysis, MAX_TAB_CHARS),
        ("other", &link.other, MAX_PROMPT_CHARS),
        ("trained", &link.trained, MAX_TAB_CHARS),
    ] {
        if !value.is_empty() {
            out.append_pair(key, &short(key, value, limit)?);
        }
    }
    for (key, value) in [
        ("position", link.position.map(|value| value.to_string())),
        ("layer", link.layer.map(|value| value.to_string())),
        ("head", link.head.map(|value| value.to_string())),
        ("temperature", link.temperature.map(|value| value.to_string())),
        ("top_k", link.top_k.map(|value| value.to_string())),
        ("sample_seed", link.sample_seed.map(|value| value.to_string())),
    ] {
        if let Some(value) = value {
            out.append_pair(key, &value);
        }
    }
    let mut fragment = out.finish();
    if fragment.len() > MAX_LINK_BYTES {
        return Err(LinkError::TooLong(fragment.len()));
    }
    if let Some(weights) = &link.weights {
        let between = if fragment.is_empty() { "" } else { "&" };
        fragment += &format!("{between}weights={weights}");
    }
    Ok(fragment)
}

/// Reads a fragment, with or without its `#`, or a whole URL.
///
/// # Errors
/// Any part that is not a known key with a value in range. A refused link has no effect.
pub fn decode(link: &str) -> Result<Link, LinkError> {
    let weights = link.find("weights=").map_or(0, |at| link.len() - at);
    if link.len() > MAX_LINK_BYTES + weights.min(MAX_PACKED_CHARS + WEIGHTS_KEY) {
        return Err(LinkError::TooLong(link.len()));
    }
    let fragment = link.split_once('#').map_or(link, |(_, fragment)| fragment);
    let mut out = Link::default();
    for (key, value) in form_urlencoded::parse(fragment.as_bytes()) {
        match &*key {
            "prompt" => out.prompt = short("prompt", &value, MAX_PROMPT_CHARS)?,
            "tab" => out.tab = short("tab", &value, MAX_TAB_CHARS)?,
            "look" => out.analysis = short("look", &value, MAX_TAB_CHARS)?,
            "other" => out.other = short("other", &value, MAX_PROMPT_CHARS)?,
            "position" => out.position = Some(number("position", &value, MAX_PROMPT_CHARS)?),
            "layer" => out.layer = Some(number("layer", &value, MAX_PART)?),
            "head" => out.head = Some(number("head", &value, MAX_PART)?),
            "temperature" => {
                out.temperature = Some(number("temperature", &value, MAX_TEMPERATURE)?);
            }
            "top_k" => out.top_k = Some(number("top_k", &value, MAX_TOP_K)?),
            "sample_seed" => out.sample_seed = Some(number("sample_seed", &value, u64::MAX)?),
            "weights" => out.weights = Some(Packed::parse(&value).ok_or(LinkError::Weights)?),
            "trained" if gallery::is_name(&value) => out.trained = value.into(),
            key => {
                let knob = Knob::find(key)
                    .ok_or_else(|| LinkError::Unknown(key.chars().take(40).collect()))?;
                knob.set(&mut out.config, &value)?;
            }
        }
    }
    out.config.validate()?;
    Ok(out)
}

fn number<T>(key: &'static str, value: &str, largest: T) -> Result<T, LinkError>
where
    T: std::str::FromStr + PartialOrd + Default + ToString,
{
    match value.parse::<T>() {
        Ok(number) if number >= T::default() && number <= largest => Ok(number),
        _ => Err(LinkError::Number {
            key,
            value: value.chars().take(40).collect(),
            largest: largest.to_string(),
        }),
    }
}

fn short(key: &'static str, value: &str, limit: usize) -> Result<String, LinkError> {
    if value.chars().count() > limit {
        Err(LinkError::Long { key, limit })
    } else {
        Ok(value.into())
    }
}
