//! Postgres statements in the form in which every query has a row to return.
//!
//! On Spin 4.0.0 to 4.1-pre a Postgres query without rows never ends through the synchronous interface: the host waits
//! for the names of its columns, which only a first row brings. So what returns rows is sent as the right side of an
//! outer join to a table of one row, and the rows are told from their absence by a marker:
//!
//! | `one` | `is_row` | the statement's columns |
//! | --- | --- | --- |
//! | 1 | 1 | a row |
//! | 1 | NULL | NULL: there is no row, and no other line |
//!
//! The statement stands in a `WITH`: there Postgres carries out what changes rows, once and to its end, and plans what
//! only reads as if it stood alone. The join has one row on its left and no condition, so it goes through the rows in
//! the statement's own order. What returns no rows is not queried but executed, which ends on every Spin.

use super::{Row, SqlError, SqlValue};

/// A statement as Postgres is given it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answered<'a> {
    /// To be queried; [`Answered::rows`] reads the answer.
    Query(String),
    /// To be executed: it returns no rows.
    Command(&'a str),
}

impl<'a> Answered<'a> {
    /// The form of `statement`, which is one statement without comments and without a semicolon at its end. What its own
    /// `WITH` has in front of it only reads: Postgres allows no changes in a `WITH` inside of another.
    pub fn new(statement: &'a str) -> Self {
        if !returns_rows(statement) {
            return Self::Command(statement);
        }
        Self::Query(format!(
            "WITH answer AS ({statement}) SELECT always.one, marked.* FROM (VALUES (1)) AS always (one) \
             LEFT JOIN (SELECT 1 AS is_row, answer.* FROM answer) AS marked ON true"
        ))
    }

    /// The text to send.
    pub fn text(&self) -> &str {
        match self {
            Self::Query(text) => text,
            Self::Command(text) => text,
        }
    }

    /// The statement's rows, from what a query in this form came to.
    ///
    /// # Errors
    /// When that is not what Postgres answers to it.
    pub fn rows(answer: Vec<Row>) -> Result<Vec<Row>, SqlError> {
        let damaged = || SqlError::damaged("the answer of Postgres");
        let alone = answer.len() == 1;
        let mut rows = Vec::with_capacity(answer.len());
        let columns = answer.first().map(|row| row.columns_after(MARKERS)).unwrap_or_default();
        for row in answer {
            let (markers, own) = row.split(MARKERS, &columns);
            match markers.as_slice() {
                [SqlValue::Integer(1), SqlValue::Integer(1)] => rows.push(own),
                [SqlValue::Integer(1), SqlValue::Null] if alone => return Ok(rows),
                _ => return Err(damaged()),
            }
        }
        if rows.is_empty() { Err(damaged()) } else { Ok(rows) }
    }
}

/// The columns before the statement's own.
const MARKERS: usize = 2;

/// Whether a statement returns rows, if there are any: it reads, or says `RETURNING`.
fn returns_rows(statement: &str) -> bool {
    let is_one_of = |word: &str, words: &[&str]| words.iter().any(|known| word.eq_ignore_ascii_case(known));
    let mut words = outer_words(statement).peekable();
    // `DO`, `CREATE` and the like have such verbs further on.
    let begins = words.peek().is_some_and(|word| {
        is_one_of(word, &READS) || is_one_of(word, &CHANGES) || is_one_of(word, &["WITH"])
    });
    let verb = words.find(|word| is_one_of(word, &READS) || is_one_of(word, &CHANGES));
    begins
        && verb
            .is_some_and(|verb| is_one_of(verb, &READS) || words.any(|word| is_one_of(word, &["RETURNING"])))
}

const READS: [&str; 2] = ["SELECT", "VALUES"];
const CHANGES: [&str; 3] = ["INSERT", "UPDATE", "DELETE"];

/// The words that stand neither in brackets nor in quotes.
fn outer_words(statement: &str) -> impl Iterator<Item = &str> {
    let (mut depth, mut quote) = (0_usize, None);
    let is_no_part = move |character: char| {
        match (quote, character) {
            (Some(open), _) if open == character => quote = None,
            (Some(_), _) => {}
            (None, '\'' | '"') => quote = Some(character),
            (None, '(') => depth += 1,
            (None, ')') => depth = depth.saturating_sub(1),
            (None, _) => return depth > 0 || !(character.is_alphanumeric() || character == '_'),
        }
        true
    };
    statement.split(is_no_part).filter(|word| !word.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_returns_rows_is_told_from_what_returns_none() {
        for rows in [
            "SELECT 1",
            " select a FROM t WHERE b = 'RETURNING'",
            "VALUES (1), (2)",
            "INSERT INTO t (a) VALUES ($1) ON CONFLICT DO NOTHING RETURNING id",
            "INSERT INTO t (a) SELECT b FROM u RETURNING\n a",
            "UPDATE t SET a = (SELECT 1) WHERE b = $1 RETURNING a",
            "DELETE FROM t RETURNING *",
            "WITH x AS (SELECT 1) SELECT * FROM x",
            "WITH x (a) AS (VALUES (1)) UPDATE t SET a = x.a FROM x RETURNING t.a",
        ] {
            let answered = Answered::new(rows);
            assert!(answered.text().contains(&format!("WITH answer AS ({rows}) ")), "{rows}");
            assert!(matches!(answered, Answered::Query(_)), "{rows}");
        }
        for none in [
            "INSERT INTO t (a) VALUES ('RETURNING')",
            "INSERT INTO t (a) SELECT \"RETURNING\" FROM (SELECT 1) x",
            "UPDATE t SET returning_soon = 1",
            "WITH x AS (SELECT 1 RETURNING) DELETE FROM t WHERE a IN (SELECT 1)",
            "WITH x (a) AS (VALUES (1)) UPDATE t SET a = x.a FROM x",
            "CREATE TABLE t (id BIGINT)",
            "DO $schema$ BEGIN PERFORM 1; INSERT INTO t VALUES (1); END $schema$",
            "CREATE TRIGGER t AFTER INSERT ON t FOR EACH ROW EXECUTE FUNCTION f()",
            "ROLLBACK",
            "",
        ] {
            assert_eq!(Answered::new(none), Answered::Command(none));
        }
    }

    #[test]
    fn rows_are_told_from_their_absence() {
        let (one, null) = (SqlValue::Integer(1), SqlValue::Null);
        let row_of = |first: usize, values: Vec<SqlValue>| {
            let columns = ["one", "is_row", "name"].iter().skip(first).map(ToString::to_string).collect();
            Row::new(&columns, values)
        };
        let row = |values: &[&SqlValue]| row_of(0, values.iter().map(|value| (*value).clone()).collect());
        let of_nulls = || row(&[&one, &one, &null]);
        assert_eq!(Answered::rows(vec![row(&[&one, &null, &null])]), Ok(vec![]));
        assert_eq!(Answered::rows(vec![of_nulls(), of_nulls()]), Ok(vec![row_of(2, vec![null.clone()]); 2]));
        assert_eq!(Answered::rows(vec![row(&[&one, &one])]), Ok(vec![row_of(2, vec![])]));
        for wrong in [
            vec![],
            vec![row(&[])],
            vec![row(&[&null])],
            vec![row(&[&null, &null])],
            vec![of_nulls(), row(&[&one, &null, &null])],
            vec![row(&[&one, &null, &null]); 2],
        ] {
            assert!(matches!(Answered::rows(wrong.clone()), Err(SqlError::Failed(_))), "{wrong:?}");
        }
    }
}
