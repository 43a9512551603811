//! How a house may stand, and what threads may do in it. Does none of it.

/// How a house stands when the threads begin. The key is `a`, what it has is `old`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Begin {
    /// In both tiers.
    Both,
    /// On the disk only.
    Disk,
    /// On the disk, and bodies leave frame by frame from their files.
    Frames,
    /// On the disk only, and nothing is admitted to memory: once read, files stay open.
    Open,
    /// On the disk, in a folder nobody has read.
    Unread,
    /// The same, and an older file of the key lies beside it, as a crash may leave it.
    UnreadTwice,
    /// On the disk, with a byte that is not what was written.
    Damaged,
    /// On the disk, and too old to be found.
    Aged,
    /// On the disk, first to be evicted from a tier that is full with `b`, `c` and `d`.
    Full,
    /// Beside `b` on the disk; a draft has the other half of the tier.
    Drafted,
    /// On the disk, in a file that cannot be removed.
    Stuck,
    /// Forgotten, while its file could not be removed.
    Doomed,
    /// On the disk, beside an older file that could not be removed.
    Outlived,
}

/// What one thread does: what a request or the upkeep does, as they do it.
#[derive(Clone, Copy, Debug)]
pub(super) enum Act {
    /// Lands an accepted upload of these bytes under this key.
    Upload(&'static str, &'static str),
    /// Notes the key's epoch, fetches these bytes, lands them.
    Fill(&'static str, &'static str),
    Forget(&'static str),
    /// Removes what `a` had in the beginning, as it was listed then.
    Purge,
    /// Looks the key up, opens what was found, reads all of it.
    Read(&'static str),
    /// The same, where nothing excuses a miss.
    Find(&'static str),
    /// Evicts the entry that `a` had in the beginning.
    EvictLate,
    Trim,
    Expire,
    /// Reads the folder of `a`.
    ReadFolder,
    RemoveDoomed,
    /// Does what an upload's job does whose asker may have given it up.
    UploadGivenUp(&'static str, &'static str),
    /// Gives that job up, wherever it is.
    GiveUp(&'static str),
    /// Looks over what rests in the folder of `a`.
    Scrub,
    /// Writes down how the entries of the folder of `a` were used.
    WriteRecency,
    /// Gives the draft up.
    DropDraft,
}
