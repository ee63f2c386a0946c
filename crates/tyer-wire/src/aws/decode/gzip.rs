//! Compressed bodies: one member of gzip, whole, so that nobody reads more in it than is decided.
//!
//! Follows RFC 1952.

use miniz_oxide::inflate::TINFLStatus;
use miniz_oxide::inflate::core::{DecompressorOxide, decompress, inflate_flags};

use super::Unclear;

/// What a gzip body unpacks to, if that is not far more than fits.
pub(super) fn unpacked(body: &[u8]) -> Result<Vec<u8>, Unclear> {
    const BYTES_MAX: usize = 16 << 20;
    const TAIL: usize = 8;
    const FLAGS: u32 = inflate_flags::TINFL_FLAG_USING_NON_WRAPPING_OUTPUT_BUF;
    let [0x1f, 0x8b, 8, 0, _, _, _, _, _, _, rest @ ..] = body else { return Err(Unclear::Encoding) };
    let (packed, tail) = rest
        .len()
        .checked_sub(TAIL)
        .and_then(|end| rest.split_at_checked(end))
        .ok_or(Unclear::Encoding)?;
    let [_, _, _, _, length @ ..] = tail else { return Err(Unclear::Encoding) };
    let length = <[u8; 4]>::try_from(length).map_err(|_| Unclear::Encoding)?;
    let length = usize::try_from(u32::from_le_bytes(length)).unwrap_or(usize::MAX);
    if length > BYTES_MAX {
        return Err(Unclear::Encoding);
    }
    let mut out = vec![0; length];
    let mut inflating = DecompressorOxide::new();
    // What follows the first member is read by some and not by others.
    match decompress(&mut inflating, packed, &mut out, 0, FLAGS) {
        (TINFLStatus::Done, read, written) if (read, written) == (packed.len(), length) => Ok(out),
        _ => Err(Unclear::Encoding),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A member that holds a text as it is.
    fn member(text: &[u8]) -> Vec<u8> {
        let length = u16::try_from(text.len()).expect("a short text");
        let mut packed = vec![0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3, 1];
        packed.extend_from_slice(&length.to_le_bytes());
        packed.extend_from_slice(&(!length).to_le_bytes());
        packed.extend_from_slice(text);
        packed.extend_from_slice(&[0; 4]);
        packed.extend_from_slice(&u32::from(length).to_le_bytes());
        packed
    }

    #[test]
    fn a_body_is_one_member_and_all_of_it() {
        let one = member(b"Action=A");
        assert_eq!(unpacked(&one), Ok(b"Action=A".to_vec()));
        let two = [one.clone(), member(b"&X=1")].concat();
        assert_eq!(unpacked(&two), Err(Unclear::Encoding), "some read the second, too");
        assert_eq!(unpacked(&[one.as_slice(), b"x"].concat()), Err(Unclear::Encoding));
        assert_eq!(unpacked(&one[..one.len() - 1]), Err(Unclear::Encoding));
        let mut longer = one.clone();
        *longer.last_mut().expect("a byte") = 9;
        assert_eq!(unpacked(&longer), Err(Unclear::Encoding));
        assert_eq!(unpacked(b"Action=A"), Err(Unclear::Encoding));
    }
}
