//! A bounded cursor over a packet, and safe decompression of names.

use super::name::{MAX_NAME, Name};

/// Why bytes are no DNS message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// The packet ends inside a field.
    #[error("the message is cut short")]
    Cut,
    /// A label type that does not exist.
    #[error("a label has an unknown type")]
    LabelType,
    /// A compression pointer that does not point backwards.
    #[error("a compression pointer does not point backwards")]
    Pointer,
    /// A name of more than 255 bytes.
    #[error("a name is longer than 255 bytes")]
    LongName,
    /// Record data with bytes missing or left over.
    #[error("record data does not fill its length")]
    DataLength,
    /// A second OPT record, or one that is not at the root.
    #[error("misplaced OPT record")]
    Opt,
}

/// Reads a packet from front to back; names may point back into what was read.
#[derive(Clone)]
pub struct Reader<'p> {
    packet: &'p [u8],
    at: usize,
    end: usize,
}

impl<'p> Reader<'p> {
    /// At the start of `packet`.
    pub fn new(packet: &'p [u8]) -> Self {
        Self { packet, at: 0, end: packet.len() }
    }

    /// Bytes read so far.
    pub fn position(&self) -> usize {
        self.at
    }

    /// Bytes left before the end of the packet or of the current record data.
    pub fn remaining(&self) -> usize {
        self.end - self.at
    }

    /// The next `len` bytes.
    pub fn bytes(&mut self, len: usize) -> Result<&'p [u8], DecodeError> {
        let to = self.at.checked_add(len).filter(|&to| to <= self.end).ok_or(DecodeError::Cut)?;
        let bytes = &self.packet[self.at..to];
        self.at = to;
        Ok(bytes)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], DecodeError> {
        self.bytes(N)?.try_into().map_err(|_| DecodeError::Cut)
    }

    /// One byte.
    pub fn u8(&mut self) -> Result<u8, DecodeError> {
        Ok(u8::from_be_bytes(self.array()?))
    }

    /// Two bytes, network order.
    pub fn u16(&mut self) -> Result<u16, DecodeError> {
        Ok(u16::from_be_bytes(self.array()?))
    }

    /// Four bytes, network order.
    pub fn u32(&mut self) -> Result<u32, DecodeError> {
        Ok(u32::from_be_bytes(self.array()?))
    }

    /// A character string: a length byte and that many bytes.
    pub fn string(&mut self) -> Result<&'p [u8], DecodeError> {
        let len = self.u8()?;
        self.bytes(len.into())
    }

    /// Runs `read` on the next `len` bytes; it must use up all of them.
    pub fn scoped<T>(
        &mut self,
        len: usize,
        read: impl FnOnce(&mut Self) -> Result<T, DecodeError>,
    ) -> Result<T, DecodeError> {
        let outer = self.end;
        self.end = self.at.checked_add(len).filter(|&end| end <= outer).ok_or(DecodeError::Cut)?;
        let value = read(self)?;
        if self.at != self.end {
            return Err(DecodeError::DataLength);
        }
        self.end = outer;
        Ok(value)
    }

    /// A name, decompressed.
    ///
    /// Every pointer must lead to before the run of labels that holds it, so the walk ends.
    pub fn name(&mut self) -> Result<Name, DecodeError> {
        let mut wire = [0u8; MAX_NAME];
        let mut len = 0;
        let (mut at, mut end) = (self.at, self.end);
        let mut run = at;
        let mut resume = None;
        loop {
            if at >= end {
                return Err(DecodeError::Cut);
            }
            let head = self.packet[at];
            match head >> 6 {
                0 => {
                    let next = at + 1 + usize::from(head);
                    let label = self.packet[..end].get(at..next).ok_or(DecodeError::Cut)?;
                    // A name of full length leaves one byte for the root label.
                    let room = wire.get_mut(len..len + label.len()).ok_or(DecodeError::LongName)?;
                    room.copy_from_slice(label);
                    len += label.len();
                    at = next;
                    if head == 0 {
                        self.at = resume.unwrap_or(at);
                        return Name::from_wire(&wire[..len]).map_err(|_| DecodeError::LongName);
                    }
                }
                3 => {
                    let low = *self.packet[..end].get(at + 1).ok_or(DecodeError::Cut)?;
                    let target = usize::from(head & 0x3f) << 8 | usize::from(low);
                    if target >= run {
                        return Err(DecodeError::Pointer);
                    }
                    resume.get_or_insert(at + 2);
                    (at, run, end) = (target, target, self.packet.len());
                }
                _ => return Err(DecodeError::LabelType),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn names() {
        let check = |packet: &[u8], at: usize, expect: Result<(&str, usize), DecodeError>| {
            let mut reader = Reader::new(packet);
            reader.bytes(at).unwrap();
            let got = reader.name().map(|name| (name.to_string(), reader.position()));
            assert_eq!(got, expect.map(|(name, at)| (name.to_owned(), at)), "{packet:?}");
        };
        check(b"\x01a\x00", 0, Ok(("a.", 3)));
        check(b"\x01a\x00\x01b\xc0\x00", 3, Ok(("b.a.", 7)));
        check(b"\x01a\x00\xc0\x00rest", 3, Ok(("a.", 5)));
        // A pointer to itself, forwards, and into its own run of labels.
        check(b"\xc0\x00", 0, Err(DecodeError::Pointer));
        check(b"\xc0\x02\x00", 0, Err(DecodeError::Pointer));
        check(b"\x01a\xc0\x00", 0, Err(DecodeError::Pointer));
        check(b"\x01a", 0, Err(DecodeError::Cut));
        check(b"\x05a", 0, Err(DecodeError::Cut));
        check(b"\xc0", 0, Err(DecodeError::Cut));
        check(b"\x80a\x00", 0, Err(DecodeError::LabelType));
        check(b"\x41a\x00", 0, Err(DecodeError::LabelType));
        let long: Vec<u8> = std::iter::repeat_n([1, b'x'], 127).flatten().chain([0]).collect();
        assert_eq!(long.len(), 255);
        check(&long, 0, Ok((&"x.".repeat(127), 255)));
        let longer = [b"\x01x".as_slice(), &long].concat();
        check(&longer, 0, Err(DecodeError::LongName));
    }

    #[test]
    fn scopes_must_be_used_up() {
        let mut reader = Reader::new(&[1, 2, 3, 4]);
        assert_eq!(reader.scoped(2, Reader::u16), Ok(0x0102));
        assert_eq!(reader.scoped(2, Reader::u8), Err(DecodeError::DataLength));
        let mut reader = Reader::new(&[1, 2]);
        assert_eq!(reader.scoped(3, Reader::u16), Err(DecodeError::Cut));
        assert_eq!(reader.scoped(1, Reader::u16), Err(DecodeError::Cut));
    }
}
