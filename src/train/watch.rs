//! Early warnings: what goes wrong in the game for so long that somebody should know.

/// Steps in a row for which something goes wrong before it is told.
pub const PATIENCE: u64 = 100;

/// What goes wrong at the moment, and for how long.
#[derive(Debug, Default)]
pub struct Watch {
    symptom: Option<(&'static str, u64)>,
}

impl Watch {
    /// Takes note of a step; gives its symptom when it has just lasted for [`PATIENCE`] steps.
    pub fn see(&mut self, symptom: Option<&'static str>) -> Option<&'static str> {
        let lasted = match self.symptom {
            Some((known, lasted)) if symptom == Some(known) => lasted + 1,
            Some(_) | None => 1,
        };
        self.symptom = symptom.map(|symptom| (symptom, lasted));
        symptom.filter(|_| lasted == PATIENCE)
    }
}

#[cfg(test)]
mod tests {
    use super::{PATIENCE, Watch};

    #[test]
    fn what_lasts_is_told_once_and_again_when_it_comes_back() {
        let mut watch = Watch::default();
        let mut told =
            |symptom: Option<&'static str>, steps: u64| (0..steps).filter(|_| watch.see(symptom).is_some()).count();
        assert_eq!(told(Some("ill"), PATIENCE - 1), 0, "it may pass");
        assert_eq!(told(None, 1), 0);
        assert_eq!(told(Some("ill"), PATIENCE - 1), 0);
        assert_eq!(told(Some("ill"), 10 * PATIENCE), 1);
        assert_eq!(told(Some("worse"), PATIENCE), 1, "another one is another one");
        assert_eq!(told(None, 10 * PATIENCE), 0);
        assert_eq!(told(Some("ill"), PATIENCE), 1);
    }
}
