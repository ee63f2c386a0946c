//! What the gateway says that it has observed, as far as a leaf by itself can be wrong about it.

use crate::record::RequestRecord;
use crate::verdict::LeafIndex;

/// A kill saw no more connections close than were open, and names requests that were there.
pub(super) fn killed(
    index: u64,
    (open, closed): (u32, u32),
    unseen: &[LeafIndex],
) -> Result<(), String> {
    if closed > open {
        return Err(format!("{closed} of {open} connections were seen to close"));
    }
    match unseen.iter().find(|leaf| leaf.0 >= index) {
        Some(leaf) => Err(format!("leaf {} was under way before it was there", leaf.0)),
        None => Ok(()),
    }
}

/// Leases carry reads, and what stays within a session.
pub(super) fn only_reads(request: &RequestRecord) -> Result<(), String> {
    match request.acts.iter().find(|act| act.effect.is_write() && !act.local) {
        None => Ok(()),
        Some(act) => Err(format!("a read lease carries {} on {}", act.effect, act.resource)),
    }
}
