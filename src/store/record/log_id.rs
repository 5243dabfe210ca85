//! The id of a log: random, so that no uploaded body can be taken for one of its records.

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::store) struct LogId(pub(in crate::store) [u8; 16]);

impl LogId {
    pub(in crate::store) fn random() -> Self {
        Self(rand::random())
    }

    pub(in crate::store) fn from_hex(text: &str) -> Option<Self> {
        let mut id = [0; 16];
        hex::decode_to_slice(text, &mut id).ok()?;
        Some(Self(id))
    }

    pub(in crate::store) fn to_hex(self) -> String {
        hex::encode(self.0)
    }
}
