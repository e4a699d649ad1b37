//! Choosing a language.

use octo_http::Response;

use crate::{
    language::Language,
    page,
    visitor::{Submitted, Visitor, onward},
};

/// Choose a language
#[utoipa::path(post, path = "/language", tag = "pages", operation_id = "chooseLanguage", responses((status = 303)))]
pub(crate) async fn choose(visitor: Visitor, form: Submitted) -> Response {
    let response = page::see_other(onward(form.get("onward")).unwrap_or("/"));
    match Language::named(form.get("language")) {
        Some(language) => page::in_language(response, language, &visitor),
        None => response,
    }
}
