//! `fermyon:spin/sqlite`.

use std::sync::Arc;

use wasmtime::Result;
use wasmtime::component::Resource;

use crate::bindings::fermyon::spin::sqlite::{Error, Host, HostConnection, QueryResult, RowResult, Value};
use crate::faults::Verdict;
use crate::instance::InstanceState;
use crate::stores::sqlite::Connection;

impl Host for InstanceState {}

impl HostConnection for InstanceState {
    async fn open(&mut self, database: String) -> Result<Result<Resource<Connection>, Error>> {
        let services = Arc::clone(&self.services);
        let _call = services.begin_store_call(&self.component, "sqlite open");
        if let Err(down) = services.faults.meet_sqlite().await {
            return Ok(Err(Error::Io(down.to_owned())));
        }
        if !self.component.may_open_database(&database) {
            return Ok(Err(Error::AccessDenied));
        }
        let Some(location) = services.databases.get(&database) else {
            return Ok(Err(Error::NoSuchDatabase));
        };
        Ok(Ok(self.table.push(Connection::new(location.clone()))?))
    }

    async fn execute(
        &mut self,
        connection: Resource<Connection>,
        statement: String,
        parameters: Vec<Value>,
    ) -> Result<Result<QueryResult, Error>> {
        let _call = self.services.begin_store_call(&self.component, "sqlite execute");
        match self.services.faults.meet_sqlite().await {
            Err(down) => return Ok(Err(Error::Io(down.to_owned()))),
            Ok(Verdict::AnswerWrongly) => return Ok(Ok(row_of_nulls())),
            Ok(Verdict::Proceed) => {}
        }
        let connection = self.table.get(&connection)?;
        Ok(connection.execute(statement, parameters).await)
    }

    async fn drop(&mut self, connection: Resource<Connection>) -> Result<()> {
        self.table.delete(connection)?;
        Ok(())
    }
}

/// What no query of anybody's asked for.
fn row_of_nulls() -> QueryResult {
    QueryResult { columns: vec!["wrong".to_owned()], rows: vec![RowResult { values: vec![Value::Null] }] }
}
