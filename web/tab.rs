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
    Codec,
    Surgery,
    Retrieval,
    Capacity,
}

impl Tab {
    pub const ALL: [Tab; 11] = [
        Tab::Probabilities,
        Tab::Residual,
        Tab::Attention,
        Tab::Change,
        Tab::Circuits,
        Tab::Outputs,
        Tab::Memory,
        Tab::Codec,
        Tab::Surgery,
        Tab::Retrieval,
        Tab::Capacity,
    ];

    /// Name of the group of tabs that begins here; empty for a group of one.
    pub fn group_name(self) -> Option<&'static str> {
        match self {
            Tab::Probabilities => Some("Predictions"),
            Tab::Circuits => Some("Weights and circuits"),
            Tab::Surgery => Some("Experiments"),
            Tab::Attention | Tab::Change | Tab::Memory | Tab::Codec => Some(""),
            Tab::Residual | Tab::Outputs | Tab::Retrieval | Tab::Capacity => None,
        }
    }

    /// True if it shows what the model makes of the prompt.
    pub fn takes_prompt(self) -> bool {
        !matches!(self, Tab::Surgery | Tab::Retrieval | Tab::Capacity)
    }

    pub fn label(self) -> &'static str {
        match self {
            Tab::Attention => "Attention",
            Tab::Probabilities => "Probabilities",
            Tab::Residual => "Logit lens",
            Tab::Change => "Interventions",
            Tab::Circuits => "Circuits",
            Tab::Outputs => "Unembedding",
            Tab::Memory => "Memory",
            Tab::Codec => "Noise codec",
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
            Tab::Codec => "codec",
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
            Tab::Codec => Some(Group::Codec),
            Tab::Surgery => Some(Group::Architecture),
            _ => None,
        }
    }

    pub fn find(key: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|tab| tab.key() == key)
    }
}
