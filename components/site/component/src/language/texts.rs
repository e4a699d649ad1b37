//! What the pages say.

/// All texts of one language. A member is named after what it says; [`en`](super::en) is the one to read.
pub(crate) struct Texts {
    pub(crate) months: [&'static str; 12],

    // The frame.
    pub(crate) skip: &'static str,
    pub(crate) menu: &'static str,
    pub(crate) home: &'static str,
    pub(crate) console: &'static str,
    pub(crate) subscription: &'static str,
    pub(crate) log_in: &'static str,
    pub(crate) log_out: &'static str,
    pub(crate) register: &'static str,
    pub(crate) language: &'static str,
    pub(crate) description: &'static str,
    pub(crate) problem_kinds: &'static str,

    // The front page.
    pub(crate) slogan: &'static str,
    pub(crate) what: [&'static str; 2],
    pub(crate) first_steps: &'static str,
    pub(crate) step_register: &'static str,
    pub(crate) step_send: &'static str,
    pub(crate) step_buy: &'static str,
    pub(crate) or_terminal: &'static str,

    // The free quota.
    pub(crate) quota: &'static str,
    pub(crate) quota_needs_login: &'static str,
    pub(crate) quota_away: &'static str,
    pub(crate) used: &'static str,
    pub(crate) of: &'static str,
    pub(crate) left: &'static str,
    pub(crate) window_ends: &'static str,
    pub(crate) free_again: &'static str,
    pub(crate) windows: &'static str,
    pub(crate) no_windows: &'static str,
    pub(crate) as_table: &'static str,
    pub(crate) window: &'static str,
    pub(crate) free: &'static str,
    pub(crate) paid: &'static str,
    pub(crate) refused: &'static str,
    pub(crate) failed: &'static str,
    pub(crate) why_paid: &'static str,
    pub(crate) all_windows: &'static str,

    // Accounts.
    pub(crate) email: &'static str,
    pub(crate) email_or_name: &'static str,
    pub(crate) password: &'static str,
    pub(crate) password_hint: &'static str,
    pub(crate) have_account: &'static str,
    pub(crate) no_account: &'static str,

    // Messages.
    pub(crate) message: &'static str,
    pub(crate) message_hint: &'static str,
    pub(crate) send: &'static str,
    pub(crate) session_ended: &'static str,
    pub(crate) log_in_and_send: &'static str,
    pub(crate) result: &'static str,
    pub(crate) response: &'static str,
    pub(crate) provider: &'static str,
    pub(crate) reason: &'static str,
    pub(crate) message_id: &'static str,
    pub(crate) as_curl: &'static str,
    pub(crate) by_free: &'static str,
    pub(crate) by_paid: &'static str,
    pub(crate) buy_to_go_on: &'static str,

    // Subscriptions.
    pub(crate) subscriptions: &'static str,
    pub(crate) paid_access: &'static str,
    pub(crate) no_paid_access: &'static str,
    pub(crate) buy: &'static str,
    pub(crate) buy_hint: &'static str,
    pub(crate) being_done: &'static str,
    pub(crate) number: &'static str,
    pub(crate) status: &'static str,
    pub(crate) active: &'static str,
    pub(crate) canceled: &'static str,
    pub(crate) bought_at: &'static str,
    pub(crate) changed_at: &'static str,
    pub(crate) cancel: &'static str,
    pub(crate) restart: &'static str,
    pub(crate) history: &'static str,
    pub(crate) event: &'static str,
    pub(crate) when: &'static str,
    pub(crate) no_subscriptions: &'static str,
    pub(crate) further: &'static str,

    // What went wrong.
    pub(crate) wrong: &'static str,
    pub(crate) check_fields: &'static str,
    pub(crate) request_id: &'static str,
    pub(crate) try_again_in: &'static str,
    pub(crate) seconds: &'static str,
    pub(crate) to_front: &'static str,

    /// Why a message went where it did, by the API's name of the reason.
    pub(crate) reasons: &'static [(&'static str, &'static str)],
    /// What happened to a subscription, by the API's name of the event.
    pub(crate) events: &'static [(&'static str, &'static str)],
    /// What a problem means and what to do about it, by the last part of its `type`. Of those that are not here the API's
    /// own words are shown.
    pub(crate) problems: &'static [(&'static str, &'static str)],
    /// The rule that a field breaks, by how the API's words for it begin. Of those that are not here the API's own words are
    /// shown.
    pub(crate) rules: &'static [(&'static str, &'static str)],
}

impl Texts {
    pub(crate) fn reason<'a>(&self, name: &'a str) -> &'a str {
        find(self.reasons, name).unwrap_or(name)
    }

    pub(crate) fn event<'a>(&self, name: &'a str) -> &'a str {
        find(self.events, name).unwrap_or(name)
    }

    pub(crate) fn problem(&self, kind: &str) -> Option<&'static str> {
        find(self.problems, kind)
    }

    pub(crate) fn rule<'a>(&self, rule: &'a str) -> &'a str {
        let known = self.rules.iter().find(|(begin, _)| rule.starts_with(begin));
        known.map_or(rule, |(_, text)| text)
    }
}

fn find(table: &[(&'static str, &'static str)], name: &str) -> Option<&'static str> {
    table.iter().find(|(known, _)| *known == name).map(|(_, text)| *text)
}
