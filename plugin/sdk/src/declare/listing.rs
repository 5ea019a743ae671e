//! Refuses lists that could not keep what their form promises: every list honors `limit` and `all`.

use super::{Action, Paging, Param, Place, Run};

/// Checks how an action lists records.
///
/// # Errors
///
/// Panics with the promise that cannot be kept.
pub(crate) fn check(action: &Action) -> Result<(), String> {
    if action.run != Run::Declared {
        return Ok(());
    }
    let wrong = |problem: &str| Err(["the action `", action.name, "` ", problem].concat());
    let Some((_, paging)) = action.route.answer.list() else {
        return match action.parameters.iter().find(|param| counts(param)) {
            Some(param) => wrong(&format!(
                "takes `{}`, but its answer is not a list: nothing would honor the parameter",
                param.name
            )),
            None => Ok(()),
        };
    };
    let (page, own, needed) = match &paging {
        Paging::None => (1, [None; 3], &[][..]),
        Paging::Limit(name, most) => (*most, [Some(*name), None, None], &[("limit", *name)][..]),
        Paging::Offset(by) => (
            by.page.min(by.window.unwrap_or(u64::MAX)),
            [Some(by.limit), Some(by.offset), by.total],
            &[("limit", by.limit), ("offset", by.offset)][..],
        ),
        Paging::Cursor(by) => (
            by.page,
            if by.in_body { [None; 3] } else { [by.limit, Some(by.cursor), None] },
            &[("cursor", by.cursor), ("next", by.next)][..],
        ),
        Paging::Page(by) => {
            (by.page, [by.limit, Some(by.number), None], &[("number", by.number)][..])
        }
        Paging::Link(by) => (by.page, [by.limit, None, None], &[][..]),
        Paging::NextUrl(by) => (by.page, [by.limit, None, None], &[("next", by.next)][..]),
    };
    if page == 0 {
        return wrong("has pages without room for a record");
    }
    if let Some((member, _)) = needed.iter().find(|(_, name)| name.is_empty()) {
        return wrong(&format!("has a paging whose `{member}` is empty"));
    }
    let sends = |param: &Param| match param.place {
        Place::Query(name) | Place::QueryJoined(name) => Some(name),
        _ => None,
    };
    for param in action.parameters {
        if let Some(name) = sends(param).filter(|name| own.contains(&Some(name))) {
            return wrong(&format!(
                "places the parameter `{}` in the query as `{name}`, which its paging sends",
                param.name
            ));
        }
    }
    Ok(())
}

/// Whether a parameter limits the number of records that a listing yields without being sent to the
/// service.
fn counts(param: &Param) -> bool {
    matches!(param.name, "limit" | "all") && param.place == Place::Control
}

#[cfg(test)]
mod tests {
    use super::super::{Answer, Cursor, Kind, Link, NextUrl, PageNumber};
    use super::*;
    use crate::literal;

    static LIMIT: Param = Param::new(Kind::Integer(1, 10), "limit", "", "");
    static ALL: Param = Param::new(Kind::Boolean, "all", "", "");
    static PAGED: &[&Param] = &[&LIMIT, &ALL];

    /// A list at a path.
    fn at(member: &'static str, paging: Paging) -> Answer {
        Answer::List(member, Box::leak(Box::new(paging)))
    }

    fn list(answer: Answer) -> Action {
        Action::new("thing.list", "", "", "GET", "/things").parameters(PAGED).answer(answer)
    }

    #[test]
    fn a_limit_that_would_not_be_honored_is_refused() {
        for answer in [Answer::Whole, Answer::Object("thing"), Answer::Nothing(literal!({}))] {
            let problem = check(&list(answer)).unwrap_err();
            assert!(problem.contains("`thing.list` takes `limit`"), "{problem}");
            // The node's own code may read it.
            assert_eq!(check(&list(answer).run(Run::Custom)), Ok(()));
        }
        static SENT: &[&Param] =
            &[&Param::new(Kind::Integer(1, 10), "limit", "", "").query("limit")];
        let sent = list(Answer::Whole).parameters(SENT);
        assert_eq!(check(&sent), Ok(()), "the service honors it");
    }

    #[test]
    fn every_kind_of_list_takes_a_limit() {
        for answer in [
            Answer::Elements,
            at("", Paging::None),
            at("a/b", Paging::Limit("n", 5)),
            at("", Paging::Page(PageNumber::new(10, "page"))),
            at("", Paging::Link(Link::new())),
            at("a", Paging::NextUrl(NextUrl::new("next"))),
        ] {
            assert_eq!(check(&list(answer)), Ok(()), "{answer:?}");
        }
    }

    #[test]
    fn a_paging_that_cannot_work_is_refused() {
        const CURSOR: Cursor = Cursor::new(5, "c", "");
        static SENT: &[&Param] =
            &[&Param::new(Kind::Integer(1, 10), "number", "", "").query("page")];
        for (action, part) in [
            (list(at("a", Paging::Cursor(CURSOR))), "`next` is empty"),
            (list(at("a", Paging::NextUrl(NextUrl::new("")))), "`next` is empty"),
            (list(at("a", Paging::Page(PageNumber::new(5, "")))), "`number` is empty"),
            (list(at("a", Paging::Page(PageNumber::new(0, "page")))), "without room"),
            (
                list(at("a", Paging::Page(PageNumber::new(5, "page")))).parameters(SENT),
                "the parameter `number` in the query as `page`",
            ),
        ] {
            let problem = check(&action).unwrap_err();
            assert!(problem.contains(part), "{problem}");
        }
    }
}
