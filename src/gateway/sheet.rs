//! What comes of an order.

use serde::Serialize;

/// What to do at a gateway, in order.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct Sheet {
    /// One after the other.
    pub steps: Vec<Step>,
    /// What the product cannot do, or does otherwise than one would think.
    pub limits: Vec<String>,
    /// Whether these very texts have been loaded by the product.
    pub tried: Tried,
}

/// One step.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct Step {
    /// What to do, in a sentence.
    pub what: String,
    /// What to copy as it is; lines without an end.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lines: Option<String>,
    /// A name for a file that holds these lines.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file: Option<&'static str>,
}

/// How far what a sheet says has been tried.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Tried {
    /// The tests of countersign load it into the product and probe it.
    Loaded,
    /// It was written from the product's documentation, and has not been run.
    Written,
}

impl Tried {
    /// In a sentence, for whoever is to install it.
    pub fn in_words(self) -> &'static str {
        match self {
            Self::Loaded => {
                "These lines have been loaded by the product and probed: both generations are accepted, a \
                 stranger of the same authority is refused."
            }
            Self::Written => {
                "These lines were written from the product's documentation and have NOT been run against \
                 it: read them before you use them. Our probe tells afterwards whether they do what they should."
            }
        }
    }
}

impl Sheet {
    pub(super) fn new(tried: Tried) -> Self {
        Self {
            steps: Vec::new(),
            limits: Vec::new(),
            tried,
        }
    }

    /// Something to do.
    pub(super) fn step(mut self, what: impl Into<String>) -> Self {
        self.steps.push(Step {
            what: what.into(),
            lines: None,
            file: None,
        });
        self
    }

    /// Something to copy.
    pub(super) fn lines(
        mut self,
        what: impl Into<String>,
        file: &'static str,
        lines: impl Into<String>,
    ) -> Self {
        self.steps.push(Step {
            what: what.into(),
            lines: Some(lines.into()),
            file: Some(file),
        });
        self
    }

    /// Something that the product cannot do.
    pub(super) fn limit(mut self, text: impl Into<String>) -> Self {
        self.limits.push(text.into());
        self
    }
}
