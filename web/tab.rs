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
            Tab::Residual => "Logit lens",
            Tab::Change => "Interventions",
            Tab::Circuits => "Circuits",
            Tab::Outputs => "Unembedding",
            Tab::Memory => "Memory",
            Tab::Surgery => "Edit architecture",
            Tab::Retrieval => "Evaluate",
            Tab::Capacity => "Scaling sweep",
        }
    }

    /// Its name in links.
    pub fn key(self) -> &'static str {
        match self {
            Tab::Attention => "attention",
            Tab::Probabilities => "probabilities",
            Tab::Residual => "residual",
            Tab::Change => "change",
            Tab::Circuits => "circuits",
            Tab::Outputs => "outputs",
            Tab::Memory => "memory",
            Tab::Surgery => "surgery",
            Tab::Retrieval => "retrieval",
            Tab::Capacity => "capacity",
        }
    }

    /// The analyses that it shows, if it shows any.
    pub fn group(self) -> Option<Group> {
        match self {
            Tab::Residual => Some(Group::Residual),
            Tab::Change => Some(Group::Interventions),
            Tab::Circuits => Some(Group::Circuits),
            Tab::Outputs => Some(Group::Outputs),
            Tab::Memory => Some(Group::Memory),
            Tab::Surgery => Some(Group::Architecture),
            _ => None,
        }
    }

    pub fn find(key: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|tab| tab.key() == key)
    }
}
