//! What a reader may ask, and how the database is asked it.

use std::collections::BTreeMap;

use tokio_postgres::Client;
use tokio_postgres::types::Type;

use super::Param;
use super::error::PostgresError;
use super::schema::Statements;
use super::tenure::Warrant;
use crate::EngineError;
use crate::engine::Stored;
use crate::engine::lease::Ended;

/// A question, with everything that belongs to it.
#[derive(Debug, Clone)]
pub(super) enum Question {
    One(Vec<u8>),
    Many(Vec<Vec<u8>>),
    Page(Range),
}

/// What a page covers, in terms that an index understands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Range {
    from: Vec<u8>,
    before: Option<Vec<u8>>,
    limit: i64,
}

impl Question {
    pub(super) fn page(prefix: &[u8], after: Option<&[u8]>, limit: usize) -> Self {
        let from = match after {
            // Nothing lies between a key and the same with a zero at its end.
            Some(after) if after >= prefix => [after, &[0]].concat(),
            _ => prefix.to_vec(),
        };
        // The first key behind the prefix: its last byte that can be counted up is.
        let before = prefix
            .iter()
            .rposition(|&byte| byte != u8::MAX)
            .map(|last| {
                let mut end = prefix[..=last].to_vec();
                end[last] += 1;
                end
            });
        Self::Page(Range {
            from,
            before,
            limit: i64::try_from(limit).unwrap_or(i64::MAX),
        })
    }

    /// Asks, and takes the answer only if it was given under the warrant.
    pub(super) async fn ask(
        &self,
        client: &Client,
        statements: &Statements,
        warrant: &Warrant,
    ) -> Result<Vec<Stored>, EngineError> {
        let mut params: Vec<Param<'_>> = warrant.params().to_vec();
        let statement = match self {
            Self::One(key) => {
                params.push((key, Type::BYTEA));
                &statements.get
            }
            Self::Many(keys) => {
                params.push((keys, Type::BYTEA_ARRAY));
                &statements.get_many
            }
            Self::Page(range) => {
                params.push((&range.from, Type::BYTEA));
                params.push((&range.before, Type::BYTEA));
                params.push((&range.limit, Type::INT8));
                &statements.page
            }
        };
        let rows = client
            .query_typed(statement, &params)
            .await
            .map_err(|source| PostgresError::of("read", source))?;
        let mut found = Vec::with_capacity(rows.len());
        for row in &rows {
            if !row.get::<_, bool>(0) {
                return Err(superseded());
            }
            if let (Some(key), Some(value)) = (row.get(1), row.get(2)) {
                found.push(Stored { key, value });
            }
        }
        if rows.is_empty() {
            return Err(superseded());
        }
        Ok(found)
    }
}

/// Values in the order of the keys that were asked for.
pub(super) fn in_order(keys: &[Vec<u8>], found: Vec<Stored>) -> Vec<Option<Vec<u8>>> {
    let found: BTreeMap<_, _> = found
        .into_iter()
        .map(|stored| (stored.key, stored.value))
        .collect();
    keys.iter().map(|key| found.get(key).cloned()).collect()
}

/// The database has another term. Whose it is, the lease tells.
pub(super) fn superseded() -> EngineError {
    let by = "another machine".to_owned();
    let ended = Ended::Superseded { by };
    PostgresError::Lost { ended }.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn range(prefix: &[u8], after: Option<&[u8]>) -> (Vec<u8>, Option<Vec<u8>>) {
        match Question::page(prefix, after, usize::MAX) {
            Question::Page(range) => (range.from, range.before),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_page_ends_where_its_prefix_does() {
        assert_eq!(range(b"", None), (b"".to_vec(), None));
        assert_eq!(range(b"ab", None), (b"ab".to_vec(), Some(b"ac".to_vec())));
        assert_eq!(range(b"a\xff", None).1, Some(b"b".to_vec()));
        assert_eq!(range(b"\xff\xff", None).1, None);
    }

    #[test]
    fn a_page_begins_right_after_what_it_follows() {
        assert_eq!(range(b"b", Some(b"b1")).0, b"b1\0".to_vec());
        assert_eq!(range(b"b", Some(b"a")).0, b"b".to_vec());
        assert_eq!(range(b"b", Some(b"c")).0, b"c\0".to_vec());
    }
}
