//! The macro that makes one type of the list of families.

/// Makes [`FamilySettings`] of a list of kinds, each with the settings of its family.
macro_rules! families {
    ($($(#[$meaning:meta])* $kind:literal => $name:ident($settings:ty),)*) => {
        /// Kind of model.
        #[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
        #[serde(tag = "kind")]
        pub enum FamilySettings {
            $($(#[$meaning])* #[serde(rename = $kind)] $name($settings),)*
        }

        impl FamilySettings {
            /// All kinds, as `family.kind` names them.
            pub const KINDS: &[&str] = &[$($kind),*];

            /// The kind, as `family.kind` names it.
            pub fn kind(&self) -> &'static str {
                match self {
                    $(Self::$name(_) => $kind,)*
                }
            }

            /// Kinds that are made for records of these modalities.
            pub fn kinds_for(modalities: &[$crate::data::Modality]) -> Vec<&'static str> {
                let all = [$(($kind, <$settings as OfKind>::takes(modalities))),*];
                all.into_iter().filter(|(_, takes)| *takes).map(|(kind, _)| kind).collect()
            }

            /// What is measured during training, the most telling score first.
            pub fn scores(&self) -> &'static [$crate::train::Score] {
                match self {
                    $(Self::$name(_) => <$settings as OfKind>::SCORES,)*
                }
            }

            /// For each kind the names of its networks and its scores.
            pub fn reference() -> Vec<(&'static str, &'static [&'static str], &'static [$crate::train::Score])> {
                vec![$(($kind, <$settings as OfKind>::NETWORKS, <$settings as OfKind>::SCORES)),*]
            }

            /// For each kind what it evaluates.
            pub fn evaluators() -> Vec<(&'static str, Evaluators)> {
                vec![$(($kind, <$settings as OfKind>::EVALUATORS)),*]
            }

            /// What the family of `kind` says of a run; nothing for a kind that there is not.
            pub fn report(kind: &str, run: &RunFolder) -> Option<Result<$crate::report::FamilyReport, AssessError>> {
                match kind {
                    $($kind => Some(<$settings as OfKind>::report(run)),)*
                    _ => None,
                }
            }

            /// What `reader` reads as the settings of `kind`; nothing for a kind that there is not.
            pub fn read<R: ReadSettings>(kind: &str, reader: R) -> Option<R::Result> {
                match kind {
                    $($kind => Some(reader.read::<$settings>(Self::$name)),)*
                    _ => None,
                }
            }
        }

        impl std::ops::Deref for FamilySettings {
            type Target = dyn Family;

            fn deref(&self) -> &Self::Target {
                match self {
                    $(Self::$name(settings) => settings,)*
                }
            }
        }
    };
}

/// Reads the settings of a family whose kind is known, with a name for each key that errors can tell.
pub trait ReadSettings {
    /// What comes of it.
    type Result;

    /// Reads settings of type `T`, of which `family` makes those of any family.
    fn read<T: serde::de::DeserializeOwned>(self, family: fn(T) -> super::FamilySettings) -> Self::Result;
}
