//! The page on which a person starts and stops the customers and sees how it goes.

use std::net::Ipv4Addr;

use anyhow::Context;
use axum::{
    Json, Router,
    extract::{Query, State},
    http::{HeaderMap, StatusCode, header},
    response::{Html, IntoResponse},
    routing::{get, post},
};
use serde::{Deserialize, Serialize};
use tokio::{net::TcpListener, task::JoinHandle};

use crate::{Shared, figures::Summary};

#[derive(Serialize)]
struct Told {
    /// Requests in a second that are wanted.
    wanted: f64,
    moment: Summary,
    all: Summary,
    first_error: String,
}

#[derive(Deserialize)]
struct Wanted {
    rate: f64,
}

/// Serves the page, to this machine only.
pub(crate) async fn serve(
    port: u16,
    shared: &'static Shared,
) -> anyhow::Result<JoinHandle<anyhow::Result<()>>> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await;
    let listener = listener.with_context(|| format!("port {port} is taken; choose another with --page"))?;
    let router = Router::new()
        .route("/", get(async || Html(include_str!("../page/index.html"))))
        .route(
            "/page.js",
            get(async || ([(header::CONTENT_TYPE, "text/javascript")], include_str!("../page/page.js"))),
        )
        .route("/figures", get(figures))
        .route("/rate", post(rate))
        .with_state(shared);
    Ok(tokio::spawn(async move { Ok(axum::serve(listener, router).await?) }))
}

async fn figures(State(shared): State<&'static Shared>) -> Json<Told> {
    Json(Told {
        wanted: shared.pace.rate(),
        moment: shared.figures.of_the_moment(),
        all: shared.figures.since_start(),
        first_error: shared.figures.first_error(),
    })
}

/// A page of another site cannot send the field that only ours does.
async fn rate(
    State(shared): State<&'static Shared>,
    Query(wanted): Query<Wanted>,
    headers: HeaderMap,
) -> impl IntoResponse {
    if !headers.contains_key("x-from-page") {
        return StatusCode::FORBIDDEN;
    }
    shared.pace.set(wanted.rate);
    StatusCode::NO_CONTENT
}
