//! Views of the page: which of its panels are in sight.

/// A view. On a wide screen `Answer`, `Loss` and `Settings` are one, called Train; on a phone each fills the screen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum View {
    Learn,
    #[default]
    Answer,
    Loss,
    Settings,
    Inspect,
    Compare,
}

impl View {
    const ALL: [View; 6] =
        [View::Learn, View::Answer, View::Loss, View::Settings, View::Inspect, View::Compare];

    /// Its name in addresses and in the style sheet.
    pub fn key(self) -> &'static str {
        match self {
            View::Learn => "learn",
            View::Answer => "train",
            View::Loss => "loss",
            View::Settings => "settings",
            View::Inspect => "inspect",
            View::Compare => "compare",
        }
    }

    /// The view of an address's fragment such as `#inspect`.
    pub fn of_fragment(fragment: &str) -> Option<Self> {
        let key = fragment.strip_prefix('#')?;
        Self::ALL.into_iter().find(|view| view.key() == key)
    }

    /// True for the views of Train.
    pub fn is_train(self) -> bool {
        matches!(self, View::Answer | View::Loss | View::Settings)
    }
}
