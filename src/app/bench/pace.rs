//! When the next round begins: after the last one, or when a line comes in on stdin, so that a driver can have two
//! programs work in turn, each idle while the other does.

use std::io::{self, BufRead, Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::PathBuf;

use serde_json::json;

use crate::app::CommandError;
use crate::app::output::say;
use crate::app::session::Session;

/// How rounds follow each other.
#[derive(Clone, Copy, Debug)]
pub enum Rounds {
    /// This many, after one that warms up.
    Count(u64),
    /// One for each line on stdin.
    Paced,
}

/// What the next round waits for.
pub(super) enum Pace {
    /// Nothing, this many times.
    Free(u64),
    /// A line on stdin, which the other ranks hear of. They sleep in the system until then: those that wait for a
    /// message of another rank look for it now and then, which takes time from whoever works meanwhile.
    Leader(Vec<UnixStream>),
    /// A word of the leader.
    Follower(UnixStream),
}

impl Pace {
    /// Called by all ranks.
    pub(super) fn start(session: &Session, rounds: Rounds) -> Result<Self, CommandError> {
        if let Rounds::Count(rounds) = rounds {
            return Ok(Pace::Free(rounds));
        }
        if session.here().ranks < session.ranks() {
            return Err(CommandError::Usage("--paced on several machines, expected all ranks on one".into()));
        }
        let path = std::env::temp_dir().join(format!("skyforge-pace-{}", std::process::id()));
        let leads = session.rank() == 0;
        let listener = leads.then(|| UnixListener::bind(&path)).transpose().map_err(CommandError::io(&path));
        let listener = session.agree(listener)?;
        let told = session.comm().broadcast(path.to_string_lossy().as_bytes());
        let path = PathBuf::from(String::from_utf8_lossy(&told).into_owned());
        let joined = match &listener {
            Some(listener) => {
                (1..session.ranks()).map(|_| Ok(listener.accept()?.0)).collect::<io::Result<_>>().map(Pace::Leader)
            }
            None => UnixStream::connect(&path).map(Pace::Follower),
        };
        let pace = session.agree(joined.map_err(CommandError::io(&path)))?;
        if leads {
            std::fs::remove_file(&path).map_err(CommandError::io(&path))?;
            say(&json!({ "ready": true, "ranks": session.ranks() }).to_string())?;
        }
        Ok(pace)
    }

    /// Whether there is another round; returns when it begins.
    pub(super) fn next(&mut self) -> bool {
        match self {
            Pace::Free(left) => {
                let more = *left > 0;
                *left = left.saturating_sub(1);
                more
            }
            Pace::Leader(followers) => {
                let more = matches!(io::stdin().lock().read_line(&mut String::new()), Ok(bytes) if bytes > 0);
                for follower in followers {
                    // One that is gone is missed in the round itself.
                    let _ = follower.write_all(&[u8::from(more)]);
                }
                more
            }
            Pace::Follower(leader) => {
                let mut word = [0];
                leader.read_exact(&mut word).is_ok() && word == [1]
            }
        }
    }

    /// Says how a round went, where somebody waits for that.
    pub(super) fn tell(&self, round: &serde_json::Value) -> Result<(), CommandError> {
        if matches!(self, Pace::Leader(_)) { say(&round.to_string()) } else { Ok(()) }
    }

    /// Whether the first round warms up and does not count: who paces does that as it likes.
    pub(super) fn warms_up(&self) -> bool {
        matches!(self, Pace::Free(_))
    }
}
