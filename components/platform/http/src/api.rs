//! The routes of a component, each declared once: at its handler, with `#[utoipa::path]`. Dispatch, 404, 405, `HEAD`,
//! `OPTIONS` and the OpenAPI document all follow from that.

use axum::{
    Router,
    body::{Body as AxumBody, Bytes},
    routing::{MethodFilter, MethodRouter},
};
use http::{HeaderValue, Method, StatusCode, header};
use octo_core::{Clock, Problem, SettingError, Settings};
use tower::ServiceExt;
use utoipa::openapi::HttpMethod;

use crate::{
    App, Request, Response, cors,
    exchange::BodyError,
    extract::Unread,
    path,
    request_metrics::{self, Matched},
    respond,
};

/// One handler with what its `#[utoipa::path]` says.
#[derive(Clone, Copy)]
pub struct Route {
    path: fn() -> String,
    methods: fn() -> Vec<HttpMethod>,
    handler: fn() -> MethodRouter<App>,
}

impl Route {
    /// The route that `P` describes, which utoipa's macro makes beside the handler. Used by [`routes!`](crate::routes).
    pub const fn of<P: utoipa::Path>(handler: fn() -> MethodRouter<App>) -> Self {
        Self { path: P::path, methods: P::methods, handler }
    }

    /// The methods it takes.
    pub fn methods(&self) -> impl Iterator<Item = Method> {
        (self.methods)().into_iter().filter_map(method)
    }

    /// Its path, with `{name}` for each parameter.
    pub fn path(&self) -> String {
        (self.path)()
    }
}

/// The methods that utoipa's macro names, as axum filters them.
pub fn filter<P: utoipa::Path>() -> MethodFilter {
    let filters =
        P::methods().into_iter().filter_map(method).filter_map(|its| MethodFilter::try_from(its).ok());
    // A handler that names no method takes none.
    filters.reduce(MethodFilter::or).unwrap_or(MethodFilter::TRACE)
}

fn method(of: HttpMethod) -> Option<Method> {
    Some(match of {
        HttpMethod::Get => Method::GET,
        HttpMethod::Post => Method::POST,
        HttpMethod::Put => Method::PUT,
        HttpMethod::Delete => Method::DELETE,
        HttpMethod::Patch => Method::PATCH,
        HttpMethod::Options => Method::OPTIONS,
        HttpMethod::Head => Method::HEAD,
        HttpMethod::Trace => return None,
    })
}

/// The routes of one component.
#[derive(Clone, Copy)]
pub struct Api {
    /// Its handlers.
    pub routes: &'static [Route],
    /// Its part of the OpenAPI document, which is put together when the project is built.
    #[cfg(not(target_family = "wasm"))]
    pub document: fn() -> utoipa::openapi::OpenApi,
    /// Whether the component can work with its variables. The run command asks at the start, with
    /// `GET /internal/settings`, for which `spin.toml` has no public route.
    pub settings: fn(&dyn Settings) -> Result<(), SettingError>,
    /// A response to a request that no route takes as it is, where it is not the usual one but what an original system
    /// sends.
    pub refused: Refuse,
}

/// [`Api::settings`] where no variable can be wrong.
pub fn no_settings(_: &dyn Settings) -> Result<(), SettingError> {
    Ok(())
}

/// Why no route takes a request as it is, and what comes of it unless [`Api::refused`] says otherwise.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mismatch<'a> {
    /// Nothing has this path: 404.
    Path,
    /// The path does not take this method, only these, as `Allow` names them: 405, or 204 to `OPTIONS`.
    Method(&'a str),
    /// A route has the path without the slashes at its end: they are ignored.
    Slash,
}

/// What an original system sends to a request that no route takes as it is.
pub type Refuse = fn(&Request, Mismatch<'_>) -> Option<Response>;

/// [`Api::refused`] where there is no original system.
pub fn as_usual(_: &Request, _: Mismatch<'_>) -> Option<Response> {
    None
}

impl Api {
    /// Gives the request to its handler.
    ///
    /// The router is made for each request, so it gets only the routes that may match: a router of all of them would cost
    /// more than most handlers do.
    pub async fn handle(&self, app: &App, request: Request) -> Result<Response, Problem> {
        let (began, method) = (app.clock.now(), request.method().clone());
        let routed = app.clone();
        let mut response =
            cors::share(&app.settings, request, async |request| self.route(routed, request).await).await?;
        request_metrics::count(app, &method, &mut response, began);
        Ok(response)
    }

    async fn route(&self, app: App, request: Request) -> Result<Response, Problem> {
        let path = request.uri().path().to_owned();
        let matching: Vec<_> = self.routes.iter().filter(|route| fits(&route.path(), &path)).collect();
        if !matching.is_empty()
            && without_slash(request.uri()).is_some()
            && matching.iter().all(|route| !route.path().ends_with('/'))
            && let Some(response) = (self.refused)(&request, Mismatch::Slash)
        {
            return Ok(response);
        }
        let fitting = matching.iter().filter(|route| route.methods().any(|its| its == request.method()));
        // The most specific path wins, as in any router: that with the fewest parameters.
        let Some(route) = fitting.min_by_key(|route| parameters(&route.path())) else {
            if request.method() == Method::GET && path == "/internal/settings" {
                return self.check_settings(&app);
            }
            return Ok(self.unmatched(&request, &matching));
        };
        let declared = route.path();
        let mut request = into_axum(request);
        if !declared.ends_with('/')
            && let Some(uri) = without_slash(request.uri())
        {
            *request.uri_mut() = uri;
        }
        let router = Router::new().route(&declared, (route.handler)()).with_state(app);
        let response = match router.oneshot(request).await {
            Ok(response) => response,
            Err(never) => match never {},
        };
        let mut response = from_axum(response).await?;
        response.extensions_mut().insert(Matched(declared));
        Ok(response)
    }

    fn check_settings(&self, app: &App) -> Result<Response, Problem> {
        // Only who has started the application reads this: it may name the variable.
        (self.settings)(&app.settings).map_err(|error| {
            let detail = error.to_string();
            Problem { detail, ..Problem::from(error) }
        })?;
        Ok(respond::json(StatusCode::OK, &serde_json::json!({ "settings": "right" })))
    }

    fn unmatched(&self, request: &Request, matching: &[&Route]) -> Response {
        if matching.is_empty() {
            let refused = (self.refused)(request, Mismatch::Path);
            return refused.unwrap_or_else(|| respond::problem(&respond::not_found()));
        }
        let mut allowed: Vec<Method> = Vec::new();
        for method in ORDER {
            if matching.iter().any(|route| route.methods().any(|its| its == method)) {
                allowed.push(method);
            }
        }
        let allow = allowed.iter().map(Method::as_str).collect::<Vec<_>>().join(", ");
        if let Some(response) = (self.refused)(request, Mismatch::Method(&allow)) {
            return response;
        }
        if request.method() == Method::OPTIONS {
            let mut response = respond::empty(StatusCode::NO_CONTENT);
            if let Ok(value) = HeaderValue::from_str(&allow) {
                response.headers_mut().insert(header::ALLOW, value);
            }
            return response;
        }
        respond::problem(&respond::method_not_allowed(&allow))
    }
}

/// The order in which `Allow` names the methods.
const ORDER: [Method; 5] = [Method::GET, Method::POST, Method::PUT, Method::PATCH, Method::DELETE];

/// Whether a path of a request is one of a declared path's. Trailing slashes do not matter, unless the declared path ends
/// with one.
fn fits(declared: &str, path: &str) -> bool {
    let (declared, path) = match declared.strip_suffix('/') {
        Some(start) if !start.is_empty() => match path.strip_suffix('/') {
            Some(path) => (start, path),
            None => return false,
        },
        _ => (declared.trim_end_matches('/'), path.trim_end_matches('/')),
    };
    let (mut declared, mut path) = (declared.split('/'), path.split('/'));
    loop {
        match (declared.next(), path.next()) {
            (None, None) => return true,
            (Some(segment), Some(_)) if segment.starts_with("{*") => return true,
            (Some(segment), Some(text)) if segment == text => {}
            (Some(segment), Some(text)) if segment.starts_with('{') && path::is_text(text) => {}
            _ => return false,
        }
    }
}

fn parameters(declared: &str) -> usize {
    declared.matches('{').count()
}

/// The target without slashes at the end of its path, if it has some.
fn without_slash(uri: &http::Uri) -> Option<http::Uri> {
    let path = uri.path().trim_end_matches('/');
    if path.len() == uri.path().len() || uri.path() == "/" {
        return None;
    }
    let path = if path.is_empty() { "/" } else { path };
    let target = match uri.query() {
        Some(query) => format!("{path}?{query}"),
        None => path.to_owned(),
    };
    target.parse().ok()
}

fn into_axum(request: Request) -> http::Request<AxumBody> {
    let (mut head, body) = request.into_parts();
    let body = body.unwrap_or_else(|error: BodyError| {
        head.extensions.insert(Unread(error));
        Vec::new()
    });
    http::Request::from_parts(head, AxumBody::from(body))
}

async fn from_axum(response: axum::response::Response) -> Result<Response, Problem> {
    let (mut head, body) = response.into_parts();
    // The entry says how long the body is, of every response.
    head.headers.remove(header::CONTENT_LENGTH);
    // All bodies of ours are whole from the start.
    let bytes: Bytes =
        axum::body::to_bytes(body, usize::MAX).await.map_err(|error| Problem::internal().because(error))?;
    Ok(http::Response::from_parts(head, bytes.into()).into())
}

/// Declares a component's `API`: the handlers by their modules, and what the OpenAPI document says of it.
///
/// ```ignore
/// octo_http::routes! {
///     name: "jobs",
///     about: "Background jobs: what waits, and what failed.";
///     own { queues, replay }
/// }
/// ```
#[macro_export]
macro_rules! routes {
    (
        name: $name:literal,
        about: $about:literal $(, settings: $settings:path)? $(, refused: $refused:path)?;
        $($module:ident { $($handler:ident),+ $(,)? })+
    ) => {
        $crate::pastey::paste! {
            /// What the OpenAPI document says of this component.
            #[cfg(not(target_family = "wasm"))]
            #[derive(::utoipa::OpenApi)]
            #[openapi(paths($($($module::$handler),+),+), tags((name = $name, description = $about)))]
            struct Document;

            /// The routes of this component.
            pub static API: $crate::Api = $crate::Api {
                routes: &[$($(
                    $crate::api::Route::of::<$module::[<__path_ $handler>]>(|| {
                        ::axum::routing::on(
                            $crate::api::filter::<$module::[<__path_ $handler>]>(),
                            $module::$handler,
                        )
                    })
                ),+),+],
                #[cfg(not(target_family = "wasm"))]
                document: <Document as ::utoipa::OpenApi>::openapi,
                settings: $crate::routes!(@settings $($settings)?),
                refused: $crate::routes!(@refused $($refused)?),
            };
        }
    };
    (@settings) => { $crate::api::no_settings };
    (@settings $settings:path) => { $settings };
    (@refused) => { $crate::api::as_usual };
    (@refused $refused:path) => { $refused };
}

#[cfg(all(test, feature = "testing"))]
#[path = "api_tests.rs"]
mod tests;
