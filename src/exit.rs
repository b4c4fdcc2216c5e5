//! Exit codes of the program, which scripts and batch systems read.

/// How the program ended. The numbers are those of `sysexits.h` where it has one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Exit {
    /// Success.
    Done = 0,
    /// Wrong command line or configuration: do not requeue.
    Usage = 64,
    /// Wrong input data, or the training diverged: do not requeue.
    Data = 65,
    /// Failure of hardware or communication: requeue, on other nodes.
    Hardware = 69,
    /// A bug in the program.
    Internal = 70,
    /// File system error: a file cannot be read or written, the disk is full, or the run folder is in use.
    FileSystem = 74,
    /// Stopped early; all that is written is intact and can be resumed: requeue.
    Stopped = 75,
}

impl Exit {
    /// All exit codes, in ascending order.
    pub const ALL: [Self; 7] =
        [Self::Done, Self::Usage, Self::Data, Self::Hardware, Self::Internal, Self::FileSystem, Self::Stopped];

    /// The exit with this code; a code that is not one of ours counts as an internal error.
    pub fn from_code(code: u8) -> Self {
        Self::ALL.into_iter().find(|exit| *exit as u8 == code).unwrap_or(Self::Internal)
    }

    /// What the code means to a user, in one line.
    pub const fn meaning(self) -> &'static str {
        match self {
            Self::Done => "success",
            Self::Usage => "wrong command line or configuration; do not requeue",
            Self::Data => "wrong or damaged input data, or training diverged; do not requeue",
            Self::Hardware => "hardware or communication failure; requeue on other nodes",
            Self::Internal => "internal error: a bug in skyforge",
            Self::FileSystem => "file system error, full disk, or folder in use by another process",
            Self::Stopped => "stopped early; the same command resumes",
        }
    }
}

/// An error that determines the exit code of the program.
pub trait Ends: std::error::Error {
    /// The exit code.
    fn exit(&self) -> Exit;
}
