//! Results that may be longer than memory should be: written while they are read.

use std::{cell::RefCell, io};

use serde::{Serialize, Serializer, ser::Error as _, ser::SerializeSeq as _};

use crate::service::ServiceError;

/// Why a result was not written to its end.
pub(super) enum Broken {
    /// Nobody takes it.
    Output(io::Error),
    /// What was to be written cannot be read.
    Source(ServiceError),
}

impl From<io::Error> for Broken {
    fn from(error: io::Error) -> Self {
        Self::Output(error)
    }
}

/// A list within an object, read while the object is written.
pub(super) struct Listed<I> {
    items: RefCell<I>,
    failed: RefCell<Option<ServiceError>>,
}

impl<I> Listed<I> {
    pub(super) fn new(items: I) -> Self {
        Self {
            items: RefCell::new(items),
            failed: RefCell::default(),
        }
    }

    /// What the writing of the object came to.
    pub(super) fn written(&self, outcome: serde_json::Result<()>) -> Result<(), Broken> {
        match (self.failed.take(), outcome) {
            (Some(error), _) => Err(Broken::Source(error)),
            (None, Err(error)) => Err(Broken::Output(error.into())),
            (None, Ok(())) => Ok(()),
        }
    }
}

impl<T, I> Serialize for Listed<I>
where
    T: Serialize,
    I: Iterator<Item = Result<T, ServiceError>>,
{
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut list = serializer.serialize_seq(None)?;
        for item in &mut *self.items.borrow_mut() {
            match item {
                Ok(item) => list.serialize_element(&item)?,
                Err(error) => {
                    self.failed.replace(Some(error));
                    return Err(S::Error::custom("what is listed cannot be read"));
                }
            }
        }
        list.end()
    }
}
