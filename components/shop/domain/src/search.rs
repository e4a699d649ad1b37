//! What a search finds. Case does not matter, in any language, and ё is е.
//!
//! A search consists of terms, with spaces between them; a product is found when its name, description and manufacturer
//! have all of them. A term stands for itself, whatever characters it has: it occurs literally, and each run of letters and
//! digits in it begins a word of the product. So `мол` finds молоко, and `3.2%` what has just that.

/// Most terms of a search; what follows is ignored.
const MAX_TERMS: usize = 8;

/// Longest word that is told from others, in characters.
const MAX_WORD: usize = 40;

/// `text` as it is searched: in small letters, with е for ё.
pub fn folded(text: &str) -> String {
    text.chars().flat_map(char::to_lowercase).map(|c| if c == 'ё' { 'е' } else { c }).collect()
}

/// The words of a folded text: runs of letters and digits.
fn words(folded: &str) -> impl Iterator<Item = String> + '_ {
    let runs = folded.split(|c: char| !c.is_alphanumeric()).filter(|run| !run.is_empty());
    runs.map(|run| run.chars().take(MAX_WORD).collect())
}

/// The words of a folded text, each once, with spaces between them.
pub fn index(folded: &str) -> String {
    let mut all: Vec<String> = words(folded).collect();
    all.sort_unstable();
    all.dedup();
    all.join(" ")
}

/// What is searched for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Search {
    /// What words begin with.
    prefixes: Vec<String>,
    /// What occurs literally: terms that are more than a run of letters and digits.
    literals: Vec<String>,
}

impl Search {
    /// Reads a search.
    pub fn of(text: &str) -> Self {
        let mut search = Self::default();
        for term in folded(text).split_whitespace().take(MAX_TERMS) {
            search.prefixes.extend(words(term));
            if !term.chars().all(char::is_alphanumeric) {
                search.literals.push(term.to_owned());
            }
        }
        search
    }

    /// Whether it says nothing, so that it finds everything.
    pub fn is_empty(&self) -> bool {
        self.prefixes.is_empty() && self.literals.is_empty()
    }

    /// What occurs literally.
    pub fn literals(&self) -> &[String] {
        &self.literals
    }

    /// The prefixes as SQLite's FTS5 takes them; `None` when there are none.
    pub fn fts5(&self) -> Option<String> {
        self.joined(" AND ", |word| format!("\"{word}\" *"))
    }

    /// The prefixes as a `tsquery` of Postgres; `None` when there are none.
    pub fn tsquery(&self) -> Option<String> {
        self.joined(" & ", |word| format!("'{word}':*"))
    }

    fn joined(&self, and: &str, one: impl Fn(&String) -> String) -> Option<String> {
        let all: Vec<String> = self.prefixes.iter().map(one).collect();
        (!all.is_empty()).then(|| all.join(and))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn case_and_yo_do_not_matter() {
        for text in ["молоко", "Молоко", "МОЛОКО"] {
            assert_eq!(folded(text), "молоко");
        }
        assert_eq!(folded("Ёлка ЁЖ"), folded("елка еж"));
        assert_eq!(index(&folded("Сыр, сыр; Кока-Кола 0.5л")), "0 5л кока кола сыр");
    }

    #[test]
    fn a_search_is_prefixes_and_what_occurs_literally() {
        let search = Search::of("  Мол  3.2% %_\\ ");
        assert_eq!(search.prefixes, ["мол", "3", "2"]);
        assert_eq!(search.literals, ["3.2%", "%_\\"]);
        assert_eq!(search.fts5().unwrap(), r#""мол" * AND "3" * AND "2" *"#);
        assert_eq!(search.tsquery().unwrap(), "'мол':* & '3':* & '2':*");
        assert!(Search::of(" ").is_empty());
        assert_eq!(Search::of("'\"").fts5(), None);
        assert_eq!(Search::of(&"a ".repeat(20)).prefixes.len(), 8);
    }
}
