//! What comes of an order.

use serde::{Deserialize, Serialize};

use crate::model::GatewayProduct;

/// What to do at a gateway, in order.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct Sheet {
    /// At which product.
    pub product: GatewayProduct,
    /// One after the other.
    pub steps: Vec<Step>,
    /// What holds whatever the steps are.
    pub rule: String,
    /// How long both generations stay trusted; nothing when there is only one.
    pub overlap: Option<String>,
    /// What the product cannot do, or does otherwise than one would think.
    pub limits: Vec<String>,
    /// What belongs into the file of client certificates that the steps speak of.
    pub bundle: Bundle,
    /// Whether these very texts have been loaded by the product.
    pub tried: Tried,
}

/// One step.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct Step {
    /// What to do, in a sentence.
    pub what: String,
    /// What to copy as it is; lines without an end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lines: Option<String>,
    /// A name for a file that holds these lines.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
}

/// What a gateway is given to verify chains with.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Bundle {
    /// The authorities of both generations, up to their roots; a self-signed certificate is its own.
    Authorities,
    /// The certificates themselves, and no authority.
    Certificates,
}

/// How far what a sheet says has been tried.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Tried {
    /// The tests of countersign load it into the product and probe it.
    Loaded,
    /// The product's published schema or parser takes it; it has not been run.
    Checked,
    /// It was written from the product's documentation, and has not been run.
    Written,
}

impl Tried {
    /// In a word or two, for a table.
    pub const fn in_short(self) -> &'static str {
        match self {
            Self::Loaded => "loaded and probed",
            Self::Checked => "parsed, not run",
            Self::Written => "not run",
        }
    }

    /// In a sentence, for whoever is to install it.
    pub const fn in_words(self) -> &'static str {
        match self {
            Self::Loaded => {
                "Lines of this shape have been loaded by the product and probed: both generations are \
                 accepted, a stranger of the same authority is refused."
            }
            Self::Checked => {
                "A published schema or parser of the product takes lines of this shape, but they have NOT been \
                 run against the product: read them before you use them. Our probe tells afterwards whether \
                 they do what they should."
            }
            Self::Written => {
                "This was written from the product's documentation and has NOT been run against the product: \
                 read it before you use it. Our probe tells afterwards whether it does what it should."
            }
        }
    }
}

impl Sheet {
    pub(super) fn new(product: GatewayProduct) -> Self {
        Self {
            product,
            steps: Vec::new(),
            rule: String::new(),
            overlap: None,
            limits: Vec::new(),
            bundle: Bundle::Authorities,
            tried: super::tried(product),
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
    pub(super) fn lines(mut self, what: &str, file: &str, lines: impl Into<String>) -> Self {
        self.steps.push(Step {
            what: what.to_owned(),
            lines: Some(lines.into()),
            file: Some(file.to_owned()),
        });
        self
    }

    /// Something that the product cannot do.
    pub(super) fn limit(mut self, text: impl Into<String>) -> Self {
        self.limits.push(text.into());
        self
    }

    /// The same, where it is so.
    pub(super) fn limit_if(self, holds: bool, text: &str) -> Self {
        if holds { self.limit(text) } else { self }
    }

    /// The lines of the step whose file has this name.
    pub fn file(&self, name: &str) -> Option<&str> {
        self.steps
            .iter()
            .find(|step| step.file.as_deref() == Some(name))
            .and_then(|step| step.lines.as_deref())
    }
}
