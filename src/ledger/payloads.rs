//! What came of a block's objects, in one file.
//!
//! | bytes            | what                                                                     |
//! | ---------------- | ------------------------------------------------------------------------ |
//! | 8                | `skyblock`                                                               |
//! | 8                | the ledger's key                                                         |
//! | 8, 8             | first object, object behind the last                                     |
//! | 1 + 8 + n, each  | 0 and a payload or 1 and the reason of a fault; its length; that         |
//! | 8                | xxh3 of all above                                                        |
//!
//! All numbers are u64, little-endian. The command that made a payload knows what it holds.

use xxhash_rust::xxh3::xxh3_64;

use super::block::Block;

/// What came of an object: what the command made of it, or why that cannot be made.
pub type Outcome = Result<Vec<u8>, String>;

const NAME: &[u8; 8] = b"skyblock";

/// The bytes of a block's file.
///
/// - `outcomes`: one for each object, in order
pub fn pack(key: u64, block: Block, outcomes: &[Outcome]) -> Vec<u8> {
    let mut bytes = NAME.to_vec();
    for number in [key, block.first, block.end] {
        bytes.extend(number.to_le_bytes());
    }
    for outcome in outcomes {
        let (kind, content) = match outcome {
            Ok(payload) => (0, payload.as_slice()),
            Err(reason) => (1, reason.as_bytes()),
        };
        bytes.push(kind);
        bytes.extend((content.len() as u64).to_le_bytes());
        bytes.extend(content);
    }
    bytes.extend(xxh3_64(&bytes).to_le_bytes());
    bytes
}

/// The outcomes in a block's file, or what is wrong with it.
pub fn unpack(key: u64, block: Block, bytes: &[u8]) -> Result<Vec<Outcome>, String> {
    let (content, sum) = bytes.split_last_chunk::<8>().ok_or_else(|| cut_off(bytes))?;
    let (found, wanted) = (xxh3_64(content), u64::from_le_bytes(*sum));
    let mut rest = content.strip_prefix(NAME).ok_or("does not begin as a result, expected `skyblock`")?;
    if found != wanted {
        return Err(format!("is damaged: its checksum is {found:016x}, expected {wanted:016x}"));
    }
    for (what, wanted) in [("key", key), ("first object", block.first), ("end", block.end)] {
        let found = number(&mut rest).ok_or_else(|| cut_off(bytes))?;
        if found != wanted {
            return Err(format!("is of other work: its {what} is {found}, expected {wanted}"));
        }
    }
    let outcomes = block.objects().map(|_| outcome(&mut rest).ok_or_else(|| cut_off(bytes)));
    let outcomes = outcomes.collect::<Result<Vec<Outcome>, String>>()?;
    if rest.is_empty() { Ok(outcomes) } else { Err(format!("has {} bytes too many", rest.len())) }
}

fn number(rest: &mut &[u8]) -> Option<u64> {
    let (number, tail) = rest.split_first_chunk()?;
    *rest = tail;
    Some(u64::from_le_bytes(*number))
}

fn outcome(rest: &mut &[u8]) -> Option<Outcome> {
    let (kind, tail) = rest.split_first()?;
    *rest = tail;
    let length = usize::try_from(number(rest)?).ok()?;
    let (content, tail) = rest.split_at_checked(length)?;
    *rest = tail;
    match kind {
        0 => Some(Ok(content.to_vec())),
        1 => Some(Err(String::from_utf8_lossy(content).into_owned())),
        _ => None,
    }
}

fn cut_off(bytes: &[u8]) -> String {
    format!("is cut off after {} bytes", bytes.len())
}
