//! A secret as it is tried at the slots of a store, one after the other.

use super::Slot;
use crate::error::Result;
use crate::secret::Unlock;
use crate::token::{Answers, Question, TokenFault};

/// A secret that is tried. A token has been asked already, once, about every slot that it might open.
pub(crate) struct Attempt<'a> {
    pub(super) unlock: &'a Unlock,
    answers: Option<Answers>,
}

impl<'a> Attempt<'a> {
    /// To be tried at these slots.
    pub(crate) fn at<'s>(
        unlock: &'a Unlock,
        slots: impl Iterator<Item = &'s Slot>,
    ) -> Result<Self> {
        let answers = match unlock {
            Unlock::Token(token) => {
                let questions: Vec<Question<'_>> = slots.filter_map(Slot::question).collect();
                Some(token.answers(&questions)?)
            }
            Unlock::Passphrase(_) | Unlock::Credential(_) | Unlock::KeyFile(_) => None,
        };
        Ok(Self { unlock, answers })
    }

    /// What the token answered for a slot.
    pub(super) fn answer(&self, slot: u32) -> Option<&[u8]> {
        let answers = self.answers.as_ref()?;
        let (_, answer) = answers.by_slot.iter().find(|(id, _)| *id == slot)?;
        Some(answer)
    }

    /// Why a token has opened nothing.
    pub(crate) fn fault(self) -> Option<TokenFault> {
        self.answers.map(|answers| answers.otherwise)
    }
}
