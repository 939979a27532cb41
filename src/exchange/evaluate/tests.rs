//! Mails in the shapes in which they come, each judged whole: from bytes to acknowledgement or refusal.

mod scene;
mod signed;
mod unsigned;
