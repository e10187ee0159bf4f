//! Netlink messages and attributes as bytes.

/// Length of the netlink header.
pub const HEADER: usize = 16;
/// `NLM_F_REQUEST`.
pub const REQUEST: u16 = 1;
/// `NLM_F_ACK`.
pub const ACK: u16 = 4;
/// `NLM_F_DUMP`.
pub const DUMP: u16 = 0x300;
/// `NLM_F_CREATE`.
pub const CREATE: u16 = 0x400;
/// `NLM_F_APPEND`.
pub const APPEND: u16 = 0x800;
/// `NLM_F_DUMP_INTR`: what was dumped changed meanwhile.
pub const DUMP_INTERRUPTED: u16 = 0x10;
/// `NLMSG_ERROR`.
pub const ERROR: u16 = 2;
/// `NLMSG_DONE`.
pub const DONE: u16 = 3;

const NESTED: u16 = 0x8000;

/// Messages in the making.
#[derive(Debug, Default)]
pub struct Writer {
    bytes: Vec<u8>,
    start: usize,
}

impl Writer {
    /// Starts empty.
    pub fn new() -> Self {
        Self::default()
    }

    /// What was written.
    pub fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }

    /// Bytes so far.
    pub fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Nothing was written.
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// Bytes of the current message so far.
    pub fn message_len(&self) -> usize {
        self.bytes.len() - self.start
    }

    /// Cuts off what was written after the first `len` bytes.
    pub fn truncate(&mut self, len: usize) {
        self.bytes.truncate(len);
    }

    /// Where the current message starts.
    pub fn message_start(&self) -> usize {
        self.start
    }

    /// Asks for an acknowledgement of the message that starts there.
    pub fn acknowledge(&mut self, start: usize) {
        if let Some(flags) = self.bytes.get_mut(start + 6..start + 8) {
            let [a, b] = ACK.to_ne_bytes();
            flags[0] |= a;
            flags[1] |= b;
        }
    }

    /// One nfnetlink message: header, family header, and what `fill` adds.
    pub fn message(&mut self, head: Head, fill: impl FnOnce(&mut Self)) {
        self.start = self.bytes.len();
        self.bytes.extend(0u32.to_ne_bytes());
        self.bytes.extend(head.kind.to_ne_bytes());
        self.bytes.extend((head.flags | REQUEST).to_ne_bytes());
        self.bytes.extend(head.sequence.to_ne_bytes());
        self.bytes.extend(0u32.to_ne_bytes());
        self.bytes.extend([head.family, 0]);
        self.bytes.extend(head.resource.to_be_bytes());
        fill(self);
        let len = (self.bytes.len() - self.start) as u32;
        self.bytes[self.start..self.start + 4].copy_from_slice(&len.to_ne_bytes());
    }

    /// An attribute.
    pub fn bytes(&mut self, kind: u16, value: &[u8]) {
        self.bytes.extend((value.len() as u16 + 4).to_ne_bytes());
        self.bytes.extend(kind.to_ne_bytes());
        self.bytes.extend(value);
        self.pad();
    }

    /// An attribute of attributes; what `fill` adds must stay below 64 KiB.
    pub fn nest(&mut self, kind: u16, fill: impl FnOnce(&mut Self)) {
        let start = self.bytes.len();
        self.bytes.extend([0, 0]);
        self.bytes.extend((kind | NESTED).to_ne_bytes());
        fill(self);
        let len = (self.bytes.len() - start) as u16;
        self.bytes[start..start + 2].copy_from_slice(&len.to_ne_bytes());
    }

    /// A text, with its NUL.
    pub fn text(&mut self, kind: u16, value: &str) {
        self.bytes(kind, &[value.as_bytes(), &[0]].concat());
    }

    /// A 32-bit number.
    pub fn u32(&mut self, kind: u16, value: u32) {
        self.bytes(kind, &value.to_be_bytes());
    }

    /// A 64-bit number.
    pub fn u64(&mut self, kind: u16, value: u64) {
        self.bytes(kind, &value.to_be_bytes());
    }

    fn pad(&mut self) {
        self.bytes.resize(self.bytes.len().next_multiple_of(4), 0);
    }
}

/// Head of a message.
#[derive(Clone, Copy, Debug, Default)]
pub struct Head {
    /// Subsystem and message.
    pub kind: u16,
    /// Flags besides "request".
    pub flags: u16,
    /// Number by which answers name the message.
    pub sequence: u32,
    /// Family.
    pub family: u8,
    /// Resource, as nfnetlink calls it.
    pub resource: u16,
}

/// A message that was received.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Message<'b> {
    /// Subsystem and message.
    pub kind: u16,
    /// Flags.
    pub flags: u16,
    /// Number of the request it answers.
    pub sequence: u32,
    /// Socket that caused it.
    pub port: u32,
    /// What follows the header.
    pub body: &'b [u8],
}

impl<'b> Message<'b> {
    /// Attributes behind the family header.
    pub fn attributes(&self) -> Attributes<'b> {
        Attributes(self.body.get(4..).unwrap_or_default())
    }

    /// First byte of the family header.
    pub fn family(&self) -> u8 {
        self.body.first().copied().unwrap_or(0)
    }
}

/// The messages in a buffer, up to the first malformed one.
pub fn messages(mut bytes: &[u8]) -> impl Iterator<Item = Message<'_>> {
    std::iter::from_fn(move || {
        let head = bytes.get(..HEADER)?;
        let word = |at: usize| Some(u32::from_ne_bytes(head.get(at..at + 4)?.try_into().ok()?));
        let half = |at: usize| Some(u16::from_ne_bytes(head.get(at..at + 2)?.try_into().ok()?));
        let len = usize::try_from(word(0)?).ok()?;
        let body = bytes.get(HEADER..len)?;
        let message = Message { kind: half(4)?, flags: half(6)?, sequence: word(8)?, port: word(12)?, body };
        bytes = bytes.get(len.next_multiple_of(4)..).unwrap_or_default();
        Some(message)
    })
}

/// Attributes one after the other, up to the first malformed one.
#[derive(Clone, Copy, Debug)]
pub struct Attributes<'b>(pub &'b [u8]);

impl<'b> Iterator for Attributes<'b> {
    type Item = (u16, &'b [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        let len = usize::from(u16::from_ne_bytes(self.0.get(..2)?.try_into().ok()?));
        let kind = u16::from_ne_bytes(self.0.get(2..4)?.try_into().ok()?) & 0x3fff;
        let value = self.0.get(4..len)?;
        self.0 = self.0.get(len.next_multiple_of(4)..).unwrap_or_default();
        Some((kind, value))
    }
}

impl<'b> Attributes<'b> {
    /// The first attribute of a kind.
    pub fn find(self, kind: u16) -> Option<&'b [u8]> {
        let mut all = self;
        all.find_map(|(k, value)| (k == kind).then_some(value))
    }

    /// The attributes within an attribute.
    pub fn nested(self, kind: u16) -> Option<Attributes<'b>> {
        self.find(kind).map(Attributes)
    }

    /// A 32-bit number.
    pub fn u32(self, kind: u16) -> Option<u32> {
        self.find(kind)?.try_into().ok().map(u32::from_be_bytes)
    }

    /// A 64-bit number.
    pub fn u64(self, kind: u16) -> Option<u64> {
        self.find(kind)?.try_into().ok().map(u64::from_be_bytes)
    }

    /// A text.
    pub fn text(self, kind: u16) -> Option<String> {
        text(self.find(kind)?)
    }
}

/// A text up to its NUL.
pub fn text(bytes: &[u8]) -> Option<String> {
    let end = bytes.iter().position(|byte| *byte == 0).unwrap_or(bytes.len());
    std::str::from_utf8(&bytes[..end]).ok().map(str::to_owned)
}
