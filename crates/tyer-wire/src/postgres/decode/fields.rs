//! The fields of a message's body, one after the other.

use super::DecodeError;

/// Reads fields off a body.
#[derive(Debug)]
pub(crate) struct Fields<'a> {
    rest: &'a [u8],
    of: &'static str,
}

impl<'a> Fields<'a> {
    pub(crate) fn new(body: &'a [u8], of: &'static str) -> Self {
        Self { rest: body, of }
    }

    pub(crate) fn take(&mut self, count: usize) -> Result<&'a [u8], DecodeError> {
        let (taken, rest) = self.rest.split_at_checked(count).ok_or(DecodeError::Malformed(self.of))?;
        self.rest = rest;
        Ok(taken)
    }

    pub(super) fn array<const N: usize>(&mut self) -> Result<[u8; N], DecodeError> {
        self.take(N)?.try_into().map_err(|_| DecodeError::Malformed(self.of))
    }

    pub(crate) fn byte(&mut self) -> Result<u8, DecodeError> {
        self.array().map(|[byte]| byte)
    }

    pub(crate) fn i16(&mut self) -> Result<i16, DecodeError> {
        self.array().map(i16::from_be_bytes)
    }

    pub(crate) fn u32(&mut self) -> Result<u32, DecodeError> {
        self.array().map(u32::from_be_bytes)
    }

    /// A count of things that follow.
    pub(super) fn count(&mut self) -> Result<usize, DecodeError> {
        // Counts above i16::MAX are valid: the protocol's limit is 65,535 parameters.
        self.array().map(|bytes| usize::from(u16::from_be_bytes(bytes)))
    }

    /// Values that say how long they are, after their count; null is `None`.
    pub(super) fn values(&mut self) -> Result<Vec<Option<&'a [u8]>>, DecodeError> {
        const NULL: u32 = u32::MAX;
        let mut values = Vec::new();
        for _ in 0..self.count()? {
            values.push(match self.u32()? {
                NULL => None,
                length => Some(self.take(usize::try_from(length).unwrap_or(usize::MAX))?),
            });
        }
        Ok(values)
    }

    /// Bytes up to a NUL, which is consumed.
    pub(crate) fn text(&mut self) -> Result<&'a [u8], DecodeError> {
        let at = self.rest.iter().position(|byte| *byte == 0);
        let text = self.take(at.ok_or(DecodeError::Malformed(self.of))?)?;
        self.take(1)?;
        Ok(text)
    }

    pub(crate) fn rest(&self) -> &'a [u8] {
        self.rest
    }

    pub(crate) fn end(&self) -> Result<(), DecodeError> {
        if self.rest.is_empty() { Ok(()) } else { Err(DecodeError::Malformed(self.of)) }
    }
}
