//! The user's theme, dark or light.

use leptos::prelude::*;

/// The context that tells any part of the page if the theme is dark.
#[derive(Clone, Copy)]
pub struct Dark(pub RwSignal<bool>);
