//! The one OpenAPI document, made of the parts of all components.

use serde::Serialize;
use utoipa::{
    ToSchema,
    openapi::{
        Content, ContentBuilder, Info, License, OpenApi, PathItem, Ref, RefOr, ResponseBuilder, Tag,
        path::Operation,
        security::{ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityScheme},
    },
};

/// A refusal or failure (RFC 9457), `application/problem+json`.
#[derive(Serialize, ToSchema)]
#[schema(as = Problem)]
pub struct ProblemBody {
    /// What kind of problem it is. Programs compare this text; it is stable.
    #[schema(example = "urn:octo:problem:invalid-fields")]
    r#type: String,
    /// The kind in words.
    title: String,
    /// The HTTP status.
    #[schema(minimum = 400, maximum = 599)]
    status: u16,
    /// What went wrong this time, and what to do about it.
    detail: String,
    /// The fields that break a rule.
    #[schema(required = false)]
    errors: Vec<ProblemField>,
}

/// A field that breaks a rule.
#[derive(Serialize, ToSchema)]
pub struct ProblemField {
    /// Where it stands: a JSON pointer (RFC 6901) into the body, or `/` and the name of a query parameter.
    #[schema(example = "/email")]
    pointer: String,
    /// The rule.
    #[schema(example = "must be an email address")]
    rule: String,
}

const PROBLEM: &str = "application/problem+json";

/// The whole document. `parts` are what the components say of themselves.
pub fn document(version: &str, parts: impl IntoIterator<Item = OpenApi>) -> OpenApi {
    let mut info = Info::new("Octo", version);
    info.description = Some(DESCRIPTION.to_owned());
    let mut license = License::new("Apache-2.0");
    license.identifier = Some("Apache-2.0".to_owned());
    info.license = Some(license);
    let mut whole = OpenApi::new(info, utoipa::openapi::Paths::new());
    let mut components = utoipa::openapi::Components::new();
    components.schemas.insert("Problem".into(), <ProblemBody as utoipa::PartialSchema>::schema());
    components.schemas.insert("ProblemField".into(), <ProblemField as utoipa::PartialSchema>::schema());
    for (name, scheme) in security() {
        components.security_schemes.insert(name.to_owned(), scheme);
    }
    let about = "A problem: its `type` says of which kind, its `detail` what to do.";
    let response = ResponseBuilder::new().description(about).content(PROBLEM, problem()).build();
    components.responses.insert("Problem".into(), RefOr::T(response));
    whole.components = Some(components);
    for mut part in parts {
        leave_out_what_is_no_api(&mut part);
        whole.merge(part);
    }
    let mut tags: Vec<Tag> = whole.tags.take().unwrap_or_default();
    tags.sort_by(|one, other| one.name.cmp(&other.name));
    tags.dedup_by(|one, other| one.name == other.name);
    whole.tags = Some(tags);
    for item in whole.paths.paths.values_mut() {
        operations(item).for_each(add_problems);
    }
    whole
}

const DESCRIPTION: &str = "Sends messages through a free provider while its quota lasts and through a paid one beyond, \
    with accounts, subscriptions and background jobs. Every refusal of our own routes is a problem after RFC 9457.";

fn security() -> [(&'static str, SecurityScheme); 3] {
    let bearer = |about: &str| {
        SecurityScheme::Http(
            HttpBuilder::new().scheme(HttpAuthScheme::Bearer).description(Some(about)).build(),
        )
    };
    [
        ("access_token", bearer("The access token of `POST /auth/login`.")),
        (
            "operator_key",
            bearer(
                "A key that the operator has put into a variable: `jobs_key`, `metrics_key` or `bootstrap_secret`.",
            ),
        ),
        (
            "session_cookie",
            SecurityScheme::ApiKey(ApiKey::Cookie(ApiKeyValue::with_description(
                crate::cookie::SESSION,
                "The cookie that a login sets, for browsers and for clients of the earlier systems.",
            ))),
        ),
    ]
}

/// The tag of the routes that components have for each other. The document leaves them out: from outside, such a path
/// leads nowhere, or to another component's route.
pub const INTERNAL: &str = "internal";

/// The tag of the pages, and of what their forms send. They are for people: the document is about the API, which the pages
/// use as everybody does.
pub const PAGES: &str = "pages";

fn leave_out_what_is_no_api(part: &mut OpenApi) {
    let is_left_out = |operation: &Operation| {
        operation.tags.iter().flatten().any(|tag| [INTERNAL, PAGES].contains(&tag.as_str()))
    };
    for item in part.paths.paths.values_mut() {
        methods(item).into_iter().for_each(|method| drop(method.take_if(|operation| is_left_out(operation))));
    }
    part.paths.paths.retain(|_, item| operations(item).next().is_some());
}

fn operations(item: &mut PathItem) -> impl Iterator<Item = &mut Operation> {
    methods(item).into_iter().flatten()
}

fn methods(item: &mut PathItem) -> [&mut Option<Operation>; 5] {
    [&mut item.get, &mut item.put, &mut item.post, &mut item.delete, &mut item.patch]
}

/// The problems that any request of its kind may meet, unless the route says something else of that status.
fn add_problems(operation: &mut Operation) {
    for (status, response) in &mut operation.responses.responses {
        // Also where an original system has failures of its own, what all routes have in common is a problem.
        if let RefOr::T(response) = response
            && status.starts_with(['4', '5'])
        {
            response.content.entry(PROBLEM.to_owned()).or_insert_with(problem);
        }
    }
    let mut usual = vec!["408", "413", "500", "503"];
    if operation.security.is_some() {
        usual.extend(["401", "403"]);
    }
    if operation.request_body.is_some() {
        usual.push("415");
    }
    if operation.request_body.is_some()
        || operation.parameters.as_ref().is_some_and(|these| !these.is_empty())
    {
        usual.extend(["400", "422"]);
    }
    for status in usual {
        let problem = RefOr::Ref(Ref::from_response_name("Problem"));
        operation.responses.responses.entry(status.to_owned()).or_insert(problem);
    }
}

fn problem() -> Content {
    ContentBuilder::new().schema(Some(Ref::from_schema_name("Problem"))).build()
}
