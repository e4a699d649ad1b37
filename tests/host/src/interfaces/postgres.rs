//! `fermyon:spin/postgres`.

use std::sync::Arc;

use wasmtime::Result;
use wasmtime::component::Resource;

use crate::bindings::fermyon::spin::postgres::{Host, HostConnection};
use crate::bindings::fermyon::spin::rdbms_types::{self, DbValue, Error, ParameterValue, RowSet};
use crate::faults::Verdict;
use crate::instance::InstanceState;
use crate::stores::postgres::{Connection, servers};
use crate::stores::postgres_values::{Parameter, parameter};

impl InstanceState {
    /// Spin's rule: every server the address names must be allowed.
    fn check_postgres(&self, address: &str) -> Result<(), Error> {
        let allowed = self.services.allowed_hosts(&self.component.id);
        for server in servers(address).map_err(Error::ConnectionFailed)? {
            if !allowed.allow(&server, "postgres") {
                let refusal = format!("may not connect to {server}: not in allowed_outbound_hosts");
                self.services.say(&self.component, refusal);
                return Err(Error::ConnectionFailed(format!("address postgres://{server} is not permitted")));
            }
        }
        Ok(())
    }

    /// A strict host's rule: a query has a row to return, as some Spins need. The statement has been carried out.
    fn check_rows(&self, statement: &str, set: RowSet) -> Result<RowSet, Error> {
        if !self.services.strict || !set.rows.is_empty() {
            return Ok(set);
        }
        self.services.say(&self.component, format!("a Postgres query returned no row: {statement}"));
        Err(Error::QueryFailed("it returned no row; on Spin 4.0.0 to 4.1-pre it would never end".to_owned()))
    }
}

impl Host for InstanceState {}
impl rdbms_types::Host for InstanceState {}

impl HostConnection for InstanceState {
    async fn open(&mut self, address: String) -> Result<Result<Resource<Connection>, Error>> {
        let services = Arc::clone(&self.services);
        let _call = services.begin_store_call(&self.component, "postgres open");
        if let Err(refusal) = self.check_postgres(&address) {
            return Ok(Err(refusal));
        }
        if let Err(down) = services.faults.meet_postgres().await {
            return Ok(Err(Error::ConnectionFailed(down.to_owned())));
        }
        match services.postgres.connect(&self.component.id, address).await {
            Ok(connection) => Ok(Ok(self.table.push(connection)?)),
            Err(error) => Ok(Err(error)),
        }
    }

    async fn query(
        &mut self,
        connection: Resource<Connection>,
        statement: String,
        params: Vec<ParameterValue>,
    ) -> Result<Result<RowSet, Error>> {
        let _call = self.services.begin_store_call(&self.component, "postgres query");
        Ok(match self.services.faults.meet_postgres().await {
            Err(down) => Err(lost(down)),
            Ok(Verdict::AnswerWrongly) => Ok(row_of_nulls()),
            Ok(Verdict::Proceed) => match parameters(params) {
                Ok(parameters) => {
                    let answer = self.table.get(&connection)?.query(&statement, parameters).await;
                    answer.and_then(|rows| self.check_rows(&statement, rows))
                }
                Err(refusal) => Err(refusal),
            },
        })
    }

    async fn execute(
        &mut self,
        connection: Resource<Connection>,
        statement: String,
        params: Vec<ParameterValue>,
    ) -> Result<Result<u64, Error>> {
        let _call = self.services.begin_store_call(&self.component, "postgres execute");
        Ok(match self.services.faults.meet_postgres().await {
            Err(down) => Err(lost(down)),
            Ok(Verdict::AnswerWrongly) => Ok(u64::MAX),
            Ok(Verdict::Proceed) => match parameters(params) {
                Ok(parameters) => self.table.get(&connection)?.execute(&statement, parameters).await,
                Err(refusal) => Err(refusal),
            },
        })
    }

    async fn drop(&mut self, connection: Resource<Connection>) -> Result<()> {
        self.table.delete(connection)?;
        Ok(())
    }
}

fn parameters(values: Vec<ParameterValue>) -> Result<Vec<Parameter>, Error> {
    values.into_iter().map(parameter).collect()
}

/// What a statement comes to whose connection has ended, in the words of Spin's client library.
fn lost(reason: &str) -> Error {
    Error::QueryFailed(format!("Error {{ kind: Closed, cause: Some({reason:?}) }}"))
}

/// What no query of anybody's asked for.
fn row_of_nulls() -> RowSet {
    RowSet { columns: Vec::new(), rows: vec![vec![DbValue::DbNull]] }
}
