//! Writing a body in `aws-chunked` without signatures: one chunk with all of the content, the end, the trailers.
//!
//! The length of the content is known beforehand, so nothing has to be gathered, and the length of the whole is
//! known too. AWS's SDK for Go writes bodies of known length in the same form.

use super::ChunkError;

/// Writes one body.
#[derive(Debug)]
pub struct Encoder {
    length: u64,
    left: u64,
    has_begun: bool,
}

impl Encoder {
    /// For content of `length` bytes.
    #[must_use]
    pub fn new(length: u64) -> Self {
        Self { length, left: length, has_begun: false }
    }

    /// How many bytes the body will have with trailers of these names; `None` if the length of the value of one is
    /// not known before it comes.
    #[must_use]
    pub fn bytes<'a>(length: u64, trailers: impl IntoIterator<Item = &'a str>) -> Option<u64> {
        let content = match length {
            0 => 0,
            length => digits(length) + LINE_END + length + LINE_END,
        };
        let mut bytes = content + "0\r\n".len() as u64;
        for name in trailers {
            bytes += name.len() as u64 + ":".len() as u64 + checksum_chars(name)? + LINE_END;
        }
        Some(bytes + LINE_END)
    }

    /// Appends these bytes of the content to `out`, with what precedes them.
    ///
    /// # Errors
    ///
    /// [`ChunkError::Length`] if they are more than was said.
    pub fn push(&mut self, content: &[u8], out: &mut Vec<u8>) -> Result<(), ChunkError> {
        self.left = self.left.checked_sub(content.len() as u64).ok_or(ChunkError::Length)?;
        if content.is_empty() {
            return Ok(());
        }
        if !self.has_begun {
            self.has_begun = true;
            out.extend_from_slice(format!("{:x}\r\n", self.length).as_bytes());
        }
        out.extend_from_slice(content);
        if self.left == 0 {
            out.extend_from_slice(b"\r\n");
        }
        Ok(())
    }

    /// Appends the end of the body with its trailers to `out`.
    ///
    /// # Errors
    ///
    /// [`ChunkError::Length`] if there was less content than was said, [`ChunkError::Trailers`] if a trailer cannot
    /// be written, or its value has not the length that its name says.
    pub fn finish(self, trailers: &[(String, String)], out: &mut Vec<u8>) -> Result<(), ChunkError> {
        if self.left > 0 {
            return Err(ChunkError::Length);
        }
        out.extend_from_slice(b"0\r\n");
        for (name, value) in trailers {
            let is_plain =
                !name.chars().chain(value.chars()).any(char::is_control) && !name.contains(':');
            let has_length = checksum_chars(name).is_none_or(|chars| chars == value.len() as u64);
            if !is_plain || !has_length {
                return Err(ChunkError::Trailers);
            }
            out.extend_from_slice(format!("{name}:{value}\r\n").as_bytes());
        }
        out.extend_from_slice(b"\r\n");
        Ok(())
    }
}

const LINE_END: u64 = "\r\n".len() as u64;

fn digits(length: u64) -> u64 {
    format!("{length:x}").len() as u64
}

/// Characters of a checksum in base64, by the name of its trailer.
fn checksum_chars(name: &str) -> Option<u64> {
    let bytes = match name {
        "x-amz-checksum-crc32" | "x-amz-checksum-crc32c" => 4_u64,
        "x-amz-checksum-crc64nvme" | "x-amz-checksum-xxhash64" | "x-amz-checksum-xxhash3" => 8,
        "x-amz-checksum-md5" | "x-amz-checksum-xxhash128" => 16,
        "x-amz-checksum-sha1" => 20,
        "x-amz-checksum-sha256" => 32,
        "x-amz-checksum-sha512" => 64,
        _ => return None,
    };
    Some(bytes.div_ceil(3) * 4)
}
