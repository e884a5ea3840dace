//! Enums with named variants.

/// Implements the names of an enum without data: `NAMES`, in the order of its variants, `name` and `parse`.
macro_rules! impl_names {
    ($type:ident: $($variant:ident = $name:literal),+ $(,)?) => {
        impl $type {
            pub const NAMES: &'static [&'static str] = &[$($name),+];

            pub fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)+
                }
            }

            pub fn parse(name: &str) -> Option<Self> {
                match name {
                    $($name => Some(Self::$variant),)+
                    _ => None,
                }
            }
        }
    };
}
