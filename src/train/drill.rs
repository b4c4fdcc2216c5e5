//! Faults on purpose: `nan@7:2` breaks step 7 on rank 2, so that users and tests see that faults are survived.

use std::fmt;
use std::str::FromStr;
use std::thread::sleep;
use std::time::Duration;

use signal_hook::consts::SIGKILL;
use signal_hook::low_level::raise;

use super::error::TrainError;
use super::signals::StopFlag;
use super::step::Stepper;
use crate::checkpoint::NetworkSlots;
use crate::data::Batch;

/// What breaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// The first microbatch's gradient of the first network is not a number.
    Nan,
    /// The rank panics at the start of the step.
    Panic,
    /// The rank cannot load its records.
    Data,
    /// A bit of the rank's parameters flips after the step.
    Flip,
    /// The rank is killed at the start of the step.
    Kill,
    /// The rank is asked to stop, as by a signal.
    Stop,
    /// The rank does not go on at the start of the step.
    Hang,
    /// The rank is slow from that step on.
    Slow,
}

/// How much longer a slow rank takes for a step.
const SLOW: Duration = Duration::from_millis(200);

const KINDS: [(&str, Kind); 8] = [
    ("nan", Kind::Nan),
    ("panic", Kind::Panic),
    ("data", Kind::Data),
    ("flip", Kind::Flip),
    ("kill", Kind::Kill),
    ("stop", Kind::Stop),
    ("hang", Kind::Hang),
    ("slow", Kind::Slow),
];

/// One fault: `KIND@STEP[:RANK]`, steps from 1, ranks from 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Drill {
    kind: Kind,
    step: u64,
    rank: usize,
}

impl FromStr for Drill {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let read = || {
            let (kind, place) = text.split_once('@')?;
            let (_, kind) = KINDS.into_iter().find(|(name, _)| *name == kind)?;
            let (step, rank) = place.split_once(':').unwrap_or((place, "0"));
            Some(Self { kind, step: step.parse().ok().filter(|step| *step > 0)?, rank: rank.parse().ok()? })
        };
        let kinds = KINDS.map(|(name, _)| name).join(", ");
        read().ok_or_else(|| format!("expected KIND@STEP or KIND@STEP:RANK, KIND one of {kinds}, STEP from 1"))
    }
}

impl fmt::Display for Drill {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let (kind, _) = KINDS.into_iter().find(|(_, kind)| *kind == self.kind).expect("every kind has a name");
        write!(f, "{kind}@{}:{}", self.step, self.rank)
    }
}

/// The drills of one rank.
#[derive(Clone, Debug, Default)]
pub struct Drills(Vec<Drill>);

impl Drills {
    /// Those of `all` that are for rank `rank` of `ranks`, in a run of `steps` steps; or what is wrong with one.
    pub fn new(all: &[Drill], rank: usize, ranks: usize, steps: u64) -> Result<Self, String> {
        for drill in all {
            if drill.rank >= ranks {
                return Err(format!("--drill {drill}: there is no rank {}, expected one below {ranks}", drill.rank));
            }
            if drill.step > steps {
                return Err(format!("--drill {drill}: there is no step {}, expected one up to {steps}", drill.step));
            }
        }
        Ok(Self(all.iter().filter(|drill| drill.rank == rank).copied().collect()))
    }

    fn find(&self, kind: Kind, step: u64) -> Option<&Drill> {
        self.0.iter().find(|drill| drill.kind == kind && drill.step == step)
    }

    /// Before a step, from 1.
    pub(super) fn begin(&self, step: u64, stop: &StopFlag) {
        if self.find(Kind::Stop, step).is_some() {
            stop.raise();
        }
        if self.find(Kind::Kill, step).is_some() {
            raise(SIGKILL).expect("a process may kill itself");
        }
        if self.find(Kind::Hang, step).is_some() {
            loop {
                sleep(SLOW);
            }
        }
        if self.0.iter().any(|drill| drill.kind == Kind::Slow && drill.step <= step) {
            sleep(SLOW);
        }
        if let Some(drill) = self.find(Kind::Panic, step) {
            panic!("drill {drill}: a panic, as was asked for");
        }
    }

    /// Before its forward, with the records that this rank has loaded for it.
    pub(super) fn spoil(&self, step: u64, records: &mut Result<Vec<Batch>, TrainError>) {
        if let Some(drill) = self.find(Kind::Data, step) {
            *records = Err(TrainError::Drill { drill: drill.to_string() });
        }
        if self.find(Kind::Nan, step).is_some()
            && let Ok([first, ..]) = records.as_deref_mut()
        {
            // Through every layer into the loss and every gradient.
            for input in &mut first.inputs {
                *input = &*input * f64::NAN;
            }
        }
    }

    /// After a good step.
    pub(super) fn flip(&self, step: u64, stepper: &mut Stepper) {
        if self.find(Kind::Flip, step).is_none() {
            return;
        }
        let mut flipped = false;
        let flip = |slots: NetworkSlots| -> Result<(), std::convert::Infallible> {
            if !std::mem::replace(&mut flipped, true) {
                // The highest of the mantissa: the lowest may be lost in the rounding of the next update.
                let flip = |values: &mut [f32]| values[0] = f32::from_bits(values[0].to_bits() ^ (1 << 22));
                slots.space.change_parameters(|parameters| parameters.change(flip));
            }
            Ok(())
        };
        let Ok(()) = stepper.restore(flip);
    }
}
