//! Postgres' reasons, by the code that every version and language of it has (its manual, appendix A).

use super::SqlError;

impl SqlError {
    /// Why Postgres refused a statement, by its SQLSTATE. `text` is for the log.
    pub fn from_sqlstate(code: &str, text: String) -> Self {
        match code {
            // Integrity constraint violation.
            _ if code.starts_with("23") => SqlError::Conflict(text),
            // No such table, column, function.
            "42P01" | "42703" | "42883" => SqlError::Missing(text),
            // Two transactions want what only one can have; a lock is not to be had; too many clients; the server
            // is starting. Nothing was done.
            "40001" | "40P01" | "55P03" | "53300" | "57P03" => SqlError::Busy,
            // The connection is lost; somebody stops the server, or it crashed; it is a copy that only reads.
            "57P01" | "57P02" | "57P04" | "25006" => SqlError::Down(text),
            _ if code.starts_with("08") => SqlError::Down(text),
            _ => SqlError::Failed(text),
        }
    }

    /// Why Spin's Postgres interface has no answer to a statement. All it gives is a text: the notes of its client
    /// library, which name the SQLSTATE before anything that the statement's author could have written.
    pub fn from_spin_postgres(text: String) -> Self {
        match sqlstate(&text) {
            Some(code) => Self::from_sqlstate(code, text.clone()),
            // The connection ended. Whether the statement had arrived, and was carried out, nobody says.
            None if ["kind: Closed", "kind: Io", "kind: Timeout"].iter().any(|kind| text.contains(kind)) => {
                SqlError::Down(text)
            }
            None => SqlError::Failed(text),
        }
    }

    /// Why Spin has no connection to Postgres. Here its text is for people, and leaves out the SQLSTATE.
    pub fn from_spin_postgres_connection(text: String) -> Self {
        // The server is there and says: not now. (In another language than English it is simply away.)
        const NOT_NOW: &[&str] =
            &["the database system is ", "too many clients", "connection slots", "too many connections"];
        if NOT_NOW.iter().any(|words| text.contains(words)) { SqlError::Busy } else { SqlError::Down(text) }
    }
}

/// The first code in `… code: SqlState(E23505), …`; a code the library does not know is `SqlState(Other("XX123"))`.
fn sqlstate(text: &str) -> Option<&str> {
    let (_, state) = text.split_once("SqlState(")?;
    let code = match state.strip_prefix("Other(") {
        Some(quoted) => quoted.trim_start_matches(['\\', '"']),
        None => state.strip_prefix('E').unwrap_or(state),
    };
    code.get(..5)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A refusal as Spin passes it on: of a statement that is not understood, and of one that fails while it runs.
    fn texts(state: &str) -> [String; 2] {
        let noted = format!(
            r#"Error {{ kind: Db, cause: Some(DbError {{ severity: "ERROR", parsed_severity: Some(Error), code: SqlState({state}), message: "it holds \"SqlState(E23505)\"", detail: None }}) }}"#
        );
        let nested = format!("Error::QueryFailed(QueryError::DbError(DbError {{ as-text: {noted:?}, .. }}))");
        [noted, nested]
    }

    #[test]
    fn a_refusal_is_known_by_its_sqlstate() {
        let of = |state: &str| texts(state).map(SqlError::from_spin_postgres);
        for state in ["E23505", "E23503", "E23514", "E23502"] {
            assert!(of(state).iter().all(|error| matches!(error, SqlError::Conflict(_))), "{state}");
        }
        for state in ["E42P01", "E42703", "E42883"] {
            assert!(of(state).iter().all(|error| matches!(error, SqlError::Missing(_))), "{state}");
        }
        for state in ["E40001", "E40P01", "E55P03", "E53300", "E57P03"] {
            assert!(of(state).iter().all(|error| *error == SqlError::Busy), "{state}");
        }
        for state in ["E57P01", "E08006", "E25006"] {
            assert!(of(state).iter().all(|error| matches!(error, SqlError::Down(_))), "{state}");
        }
        for state in ["E42601", "E22P02", "E53100", r#"Other("23XYZ")"#, r#"Other("X")"#] {
            let is_conflict = state.contains("23");
            for error in of(state) {
                assert_eq!(matches!(error, SqlError::Conflict(_)), is_conflict, "{state}");
                assert_eq!(matches!(error, SqlError::Failed(_)), !is_conflict, "{state}");
            }
        }
    }

    #[test]
    fn a_lost_connection_leaves_the_statement_in_doubt() {
        for text in ["Error { kind: Closed, cause: None }", r#"Text("Error { kind: Io, cause: Some(..) }")"#]
        {
            assert!(matches!(SqlError::from_spin_postgres(text.into()), SqlError::Down(_)), "{text}");
        }
        let wrong = "Error { kind: ToSql(0), cause: Some(WrongType { postgres: Int4, rust: \"i64\" }) }";
        assert!(matches!(SqlError::from_spin_postgres(wrong.into()), SqlError::Failed(_)));
    }

    #[test]
    fn a_server_that_is_full_or_starting_is_busy() {
        for (text, busy) in [
            (
                "Error occurred while creating a new object: db error\n\nCaused by:\n    1: FATAL: the database system is starting up",
                true,
            ),
            ("Caused by: FATAL: sorry, too many clients already", true),
            (
                "Caused by: FATAL: remaining connection slots are reserved for non-replication superuser connections",
                true,
            ),
            ("error connecting to server\n\nCaused by: Connection refused (os error 111)", false),
            ("Caused by: FATAL: password authentication failed for user \"octo\"", false),
            ("address postgres://10.0.0.1:5432 is not permitted", false),
        ] {
            let error = SqlError::from_spin_postgres_connection(text.into());
            assert_eq!(error == SqlError::Busy, busy, "{text}");
            assert_eq!(matches!(error, SqlError::Down(_)), !busy, "{text}");
        }
    }
}
