//! Postgres.

use octo_core::async_trait;
use octo_core::testing::Locked;
use std::fmt;

use octo_core::{
    Sql, SqlError, SqlValue,
    sql::{Answered, Columns, Dialect, Row},
};
use postgres::{
    Client, Config, Error, NoTls,
    types::{ToSql, Type},
};

/// A connection to a database.
pub struct Postgres {
    client: Locked<Client>,
    prepared: Locked<std::collections::HashMap<String, postgres::Statement>>,
}

impl fmt::Debug for Postgres {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Postgres")
    }
}

impl Postgres {
    /// Connects as `config` says.
    pub fn connect(config: &Config) -> Self {
        let client = config.connect(NoTls).expect("Postgres answers");
        Self { client: Locked::new(client), prepared: Locked::default() }
    }

    /// How the statement would be carried out for any parameters, when tables are large, in the form in which it is
    /// sent; `Seq Scan` is a step that reads a whole table.
    pub fn plan(&self, statement: &str, parameters: usize) -> String {
        let nulls = vec!["NULL"; parameters].join(", ");
        let arguments = if parameters == 0 { String::new() } else { format!("({nulls})") };
        let statement = Answered::new(statement);
        let statement = statement.text();
        let mut client = self.client.borrow_mut();
        client
            .batch_execute(&format!(
                "SET enable_seqscan = off; SET plan_cache_mode = force_generic_plan;
                 DEALLOCATE ALL; PREPARE looked_at AS {statement}"
            ))
            .unwrap();
        self.prepared.borrow_mut().clear();
        let rows = client.simple_query(&format!("EXPLAIN EXECUTE looked_at{arguments}")).unwrap();
        let line = |row: &postgres::SimpleQueryMessage| match row {
            postgres::SimpleQueryMessage::Row(row) => row.get(0).map(str::to_owned),
            _ => None,
        };
        rows.iter().filter_map(line).collect::<Vec<_>>().join("\n")
    }

    fn run(&self, statement: &Answered<'_>, parameters: &[SqlValue]) -> Result<Vec<Row>, Error> {
        let text = statement.text();
        let mut client = self.client.borrow_mut();
        let known = self.prepared.borrow().get(text).cloned();
        let prepared = match known {
            Some(prepared) => prepared,
            None => {
                let prepared = client.prepare(text)?;
                self.prepared.borrow_mut().insert(text.to_owned(), prepared.clone());
                prepared
            }
        };
        let parameters: Vec<_> = parameters.iter().map(parameter).collect();
        let parameters: Vec<_> = parameters.iter().map(AsRef::as_ref).collect();
        let rows = client.query(&prepared, &parameters)?;
        let columns: Columns = prepared.columns().iter().map(|column| column.name().to_owned()).collect();
        let row = |row: &postgres::Row| {
            let values = (0..row.len()).map(|index| column(row, index));
            Ok(Row::new(&columns, values.collect::<Result<_, _>>()?))
        };
        rows.iter().map(row).collect()
    }
}

#[async_trait]
impl Sql for Postgres {
    fn dialect(&self) -> Dialect {
        Dialect::Postgres
    }

    async fn query(&self, statement: &str, parameters: &[SqlValue]) -> Result<Vec<Row>, SqlError> {
        let statement = Answered::new(statement);
        let answer = self.run(&statement, parameters).map_err(classify)?;
        match statement {
            Answered::Query(_) => Answered::rows(answer),
            Answered::Command(_) => Ok(answer),
        }
    }
}

fn parameter(value: &SqlValue) -> Box<dyn ToSql + Sync> {
    match value {
        SqlValue::Null => Box::new(None::<Nothing>),
        SqlValue::Integer(value) => Box::new(*value),
        SqlValue::Text(value) => Box::new(value.clone()),
        SqlValue::Blob(value) => Box::new(value.clone()),
    }
}

/// What a NULL is one of: anything.
#[derive(Debug)]
struct Nothing;

impl ToSql for Nothing {
    fn to_sql(
        &self,
        _: &Type,
        _: &mut postgres::types::private::BytesMut,
    ) -> Result<postgres::types::IsNull, Box<dyn std::error::Error + Sync + Send>> {
        Ok(postgres::types::IsNull::Yes)
    }

    fn accepts(_: &Type) -> bool {
        true
    }

    postgres::types::to_sql_checked!();
}

fn column(row: &postgres::Row, index: usize) -> Result<SqlValue, Error> {
    let integer = |value: Option<i64>| value.map_or(SqlValue::Null, SqlValue::Integer);
    let Some(described) = row.columns().get(index) else { return Ok(SqlValue::Null) };
    Ok(match *described.type_() {
        Type::INT2 => integer(row.try_get::<_, Option<i16>>(index)?.map(Into::into)),
        Type::INT4 => integer(row.try_get::<_, Option<i32>>(index)?.map(Into::into)),
        Type::INT8 => integer(row.try_get(index)?),
        Type::BOOL => integer(row.try_get::<_, Option<bool>>(index)?.map(Into::into)),
        Type::BYTEA => row.try_get::<_, Option<Vec<u8>>>(index)?.map_or(SqlValue::Null, SqlValue::Blob),
        // A function without a value.
        Type::VOID => SqlValue::Null,
        _ => row.try_get::<_, Option<String>>(index)?.map_or(SqlValue::Null, SqlValue::Text),
    })
}

fn classify(error: Error) -> SqlError {
    let text = error.as_db_error().map_or_else(|| error.to_string(), ToString::to_string);
    match error.code() {
        None => SqlError::Down(text),
        Some(code) => SqlError::from_sqlstate(code.code(), text),
    }
}
