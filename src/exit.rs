//! How the program ends: the exit codes that scripts and batch systems read.

/// What an end means to whoever started the program. The numbers are those of `sysexits.h` where it has one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Exit {
    /// All done.
    Done = 0,
    /// The command line or the configuration is wrong: do not requeue.
    Usage = 64,
    /// The input data are wrong, or the training diverged: do not requeue.
    Data = 65,
    /// Hardware or communication failed: requeue, on other nodes.
    Hardware = 69,
    /// Our own fault.
    Internal = 70,
    /// The file system: unreadable, unwritable, full, or a run folder in use.
    FileSystem = 74,
    /// Stopped early, whole and resumable: requeue.
    Stopped = 75,
}

impl Exit {
    /// The end with this number; what is not one of ours is our own fault.
    pub fn from_code(code: u8) -> Self {
        let known = [Self::Done, Self::Usage, Self::Data, Self::Hardware, Self::FileSystem, Self::Stopped];
        known.into_iter().find(|exit| *exit as u8 == code).unwrap_or(Self::Internal)
    }
}

/// An error that knows how the program ends with it.
pub trait Ends: std::error::Error {
    /// The exit code.
    fn exit(&self) -> Exit;
}
