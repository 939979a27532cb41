//! DER taken apart one level at a time: lists of elements, matched as slices.
//!
//! Containers of keys are nested shallowly and differ in their details; what is needed of them is which
//! elements stand where. Types that decode whole structures would copy key material into buffers that nobody wipes.

use der::{
    Decode, Reader, SliceReader, Tag, Tagged,
    asn1::{AnyRef, ObjectIdentifier},
};
use zeroize::Zeroizing;

/// More elements than this on one level is no container of keys.
const MOST_ELEMENTS: usize = 1024;

/// One element.
#[derive(Clone, Copy)]
pub(super) struct Element<'a> {
    /// Its tag.
    pub(super) tag: Tag,
    /// Its content.
    pub(super) value: &'a [u8],
    /// All of it.
    pub(super) whole: &'a [u8],
}

impl<'a> Element<'a> {
    fn read(reader: &mut SliceReader<'a>) -> der::Result<Self> {
        let whole = reader.tlv_bytes()?;
        let any = AnyRef::from_der(whole)?;
        Ok(Self {
            tag: any.tag(),
            value: any.value(),
            whole,
        })
    }

    /// Exactly one element, with nothing behind it.
    pub(super) fn only(der: &'a [u8]) -> der::Result<Self> {
        let mut reader = SliceReader::new(der)?;
        let element = Self::read(&mut reader)?;
        reader.finish()?;
        Ok(element)
    }

    /// The first element, and what stands behind it.
    pub(super) fn first(der: &'a [u8]) -> der::Result<(Self, &'a [u8])> {
        let mut reader = SliceReader::new(der)?;
        let element = Self::read(&mut reader)?;
        Ok((element, &der[element.whole.len()..]))
    }

    /// What it consists of.
    pub(super) fn children(self) -> der::Result<Vec<Self>> {
        self.first_children(MOST_ELEMENTS).and_then(|found| {
            let read: usize = found.iter().map(|element| element.whole.len()).sum();
            if read == self.value.len() {
                Ok(found)
            } else {
                Err(self.tag.length_error().into())
            }
        })
    }

    /// The first elements that it consists of, at most so many.
    pub(super) fn first_children(self, most: usize) -> der::Result<Vec<Self>> {
        if !self.tag.is_constructed() {
            return Err(self.tag.value_error().into());
        }
        let mut reader = SliceReader::new(self.value)?;
        let mut found = Vec::new();
        while !reader.is_finished() && found.len() < most {
            found.push(Self::read(&mut reader)?);
        }
        Ok(found)
    }

    /// The object identifier that it is.
    pub(super) fn oid(self) -> Option<ObjectIdentifier> {
        (self.tag == Tag::ObjectIdentifier)
            .then(|| ObjectIdentifier::from_bytes(self.value).ok())
            .flatten()
    }

    /// The number that it is, if that is small and not negative.
    pub(super) fn number(self) -> Option<u64> {
        if self.tag != Tag::Integer || self.value.is_empty() || self.value[0] & 0x80 != 0 {
            return None;
        }
        let digits = without_zeros(self.value);
        if digits.len() > 8 {
            return None;
        }
        Some(digits.iter().fold(0, |sum, b| sum << 8 | u64::from(*b)))
    }

    /// Whether it is `[number]`.
    pub(super) fn is_context(self, number: u32) -> bool {
        matches!(self.tag, Tag::ContextSpecific { number: found, .. } if found.value() == number)
    }

    /// The algorithm that it names, and its parameters (RFC 5280 §4.1.1.2).
    pub(super) fn algorithm(self) -> Option<(ObjectIdentifier, Option<Self>)> {
        if self.tag != Tag::Sequence {
            return None;
        }
        match *self.children().ok()?.as_slice() {
            [oid] => Some((oid.oid()?, None)),
            [oid, parameters] => Some((oid.oid()?, Some(parameters))),
            _ => None,
        }
    }
}

/// Big-endian digits without those that mean nothing.
pub(super) fn without_zeros(digits: &[u8]) -> &[u8] {
    let first = digits
        .iter()
        .position(|digit| *digit != 0)
        .unwrap_or(digits.len());
    &digits[first..]
}

/// An element with this identifier octet around these parts, in a buffer that is made once and wiped at the end.
pub(super) fn wrap(identifier: u8, parts: &[&[u8]]) -> Zeroizing<Vec<u8>> {
    let length: usize = parts.iter().map(|part| part.len()).sum();
    let mut out = Zeroizing::new(Vec::with_capacity(length + 10));
    out.push(identifier);
    if length < 0x80 {
        out.push(length as u8);
    } else {
        let digits = length.to_be_bytes();
        let digits = without_zeros(&digits);
        out.push(0x80 | digits.len() as u8);
        out.extend_from_slice(digits);
    }
    for part in parts {
        out.extend_from_slice(part);
    }
    out
}
