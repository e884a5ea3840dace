//! The inspector's tabs.

use confab::run::Group;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Tab {
    #[default]
    Attention,
    Probabilities,
    Residual,
    Change,
    Circuits,
    Outputs,
    Memory,
    Surgery,
    Retrieval,
    Capacity,
}

impl Tab {
    pub const ALL: [Tab; 10] = [
        Tab::Attention,
        Tab::Probabilities,
        Tab::Residual,
        Tab::Change,
        Tab::Circuits,
        Tab::Outputs,
        Tab::Memory,
        Tab::Surgery,
        Tab::Retrieval,
        Tab::Capacity,
    ];

    pub fn label(self) -> &'static str {
        match self {
            Tab::Attention => "Attention",
            Tab::Probabilities => "Probabilities",
            Tab::Residual => "Residual",
            Tab::Change => "Change",
            Tab::Circuits => "Circuits",
            Tab::Outputs => "Outputs",
            Tab::Memory => "Memory",
            Tab::Surgery => "Surgery",
            Tab::Retrieval => "Retrieval",
            Tab::Capacity => "Capacity",
        }
    }

    /// The analyses that it shows, if it shows any.
    pub fn group(self) -> Option<Group> {
        match self {
            Tab::Residual => Some(Group::Residual),
            Tab::Change => Some(Group::Change),
            Tab::Circuits => Some(Group::Circuits),
            Tab::Outputs => Some(Group::Outputs),
            Tab::Memory => Some(Group::Memory),
            Tab::Surgery => Some(Group::Surgery),
            _ => None,
        }
    }

    pub fn key(self) -> String {
        self.label().to_ascii_lowercase()
    }

    pub fn find(key: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|tab| tab.key() == key)
    }
}
