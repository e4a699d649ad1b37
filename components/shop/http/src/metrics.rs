//! The figures of orders, for Prometheus.

use octo_core::{Sql, SqlError};
use octo_http::exposition::Exposition;
use octo_shop::{Status, figures};

/// The figures of orders.
#[derive(Debug)]
pub struct Orders(Vec<figures::Figure>);

impl Orders {
    /// All of them.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn read(sql: &impl Sql) -> Result<Self, SqlError> {
        figures::orders(sql).await.map(Self)
    }

    fn value(&self, name: &str) -> i64 {
        self.0.iter().find(|figure| figure.name == name).map_or(0, |figure| figure.value)
    }

    /// How many orders were made.
    pub fn made(&self) -> i64 {
        self.0.iter().filter(|figure| figure.name.starts_with("value/le/")).map(|figure| figure.value).sum()
    }

    /// How often orders got this status.
    pub fn with_status(&self, status: Status) -> i64 {
        self.value(&format!("status/{}", status.name()))
    }

    /// A histogram of what is counted as `figure`.
    pub fn histogram(&self, text: &mut Exposition, name: &str, help: &str, figure: &str, bounds: &[&str]) {
        text.family(name, "histogram", help);
        let mut within = 0;
        for bound in bounds.iter().chain(&["+Inf"]) {
            within += self.value(&format!("{figure}/le/{bound}"));
            text.sample(&format!("{name}_bucket"), &format!(r#"le="{bound}""#), within);
        }
        text.sample(&format!("{name}_sum"), "", self.value(figure));
        text.sample(&format!("{name}_count"), "", within);
    }
}
