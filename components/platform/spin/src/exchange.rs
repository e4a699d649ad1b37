//! One request, whichever way it comes.

use std::time::Duration;

use octo_core::Problem;
use octo_http::{Bodies, Request, Response, app::AfterResponse, exchange::Answered};

use crate::{Exchange, Outcome, SpinClock, SpinEntropy, lane};

/// Which requests are logged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Logged {
    /// All.
    Every,
    /// Those that go wrong: for a component whose caller logs the rest.
    Failures,
}

/// How long a client may take to send the whole body. Neither Spin 3 nor 4 ends a slow one by itself. The largest body takes
/// 26 kB/s, a message of 64 KiB a sixth of that.
pub(crate) const BODY_TIME: Duration = Duration::from_secs(15);

/// Reads the request with a body of the given kind, lets `handle` answer it, sends the
/// answer, and logs one line.
pub async fn serve(
    component: &str,
    logged: Logged,
    bodies: impl Into<Bodies>,
    exchange: Exchange,
    handle: impl AsyncFnOnce(Request) -> Result<Response, Problem>,
) -> Outcome {
    lane::serve_then(component, logged, bodies, exchange, handle, AfterResponse::default()).await
}

/// The response to a request, and the line for the log if there is to be one.
pub(crate) async fn answer(
    component: &str,
    logged: Logged,
    bodies: &Bodies,
    request: Request,
    handle: impl AsyncFnOnce(Request) -> Result<Response, Problem>,
) -> (Response, Option<String>) {
    let handle = async |request| {
        bodies.check(&request)?;
        handle(request).await
    };
    let Answered { response, log_line, routine } =
        octo_http::answer(component, &SpinClock, &SpinEntropy, request, handle).await;
    let is_logged = logged == Logged::Every && !routine;
    let line = (is_logged || !response.status().is_success()).then_some(log_line);
    (response, line)
}
