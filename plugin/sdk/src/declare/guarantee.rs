//! What a long list is sure of, in words. It follows from how the list is paged, as the listings in
//! [`node`](crate::node) do it.

use super::{Action, Cursor, Offset, Paging, Run};

/// What an action that lists records is sure of; `None` where it has no pages, and where its own
/// code runs it.
pub(super) fn of(action: &Action) -> Option<String> {
    let (_, paging) = action.route.answer.list()?;
    if action.run != Run::Declared {
        return None;
    }
    match paging {
        Paging::None => None,
        Paging::Limit(_, most) => {
            Some(format!(
                "The service gives {most} records at most, and no way to the rest. Asked for more, it \
                 hands those over and then fails, so that it never ends early in silence."
            ))
        }
        Paging::Offset(Offset { window: None, .. }) => Some(
            "However many there are. None comes twice, and none is missed while others arrive; one \
             that is removed meanwhile may hide its neighbour."
                .to_owned(),
        ),
        Paging::Offset(Offset { window: Some(window), time: None, .. }) => Some(format!(
            "At most {window} records: where there are more, it hands those over and then fails, \
             so that it never ends early in silence. None comes twice, and none is missed while \
             others arrive; one that is removed meanwhile may hide its neighbour.",
        )),
        Paging::Offset(Offset { window: Some(window), time: Some(time), .. }) => {
            let order = match time.oldest_first {
                Some(_) => ", unless another order was asked for",
                None => "",
            };
            Some(format!(
                "However many there are: beyond {window} records it goes on by their time \
                 ({}){order}. None comes twice, and none is missed while others arrive.",
                time.field
            ))
        }
        Paging::Page(_) | Paging::Link(_) | Paging::NextUrl(_) => Some(
            "However many there are, page after page. No record that has an ID comes twice. One that \
             is removed meanwhile may hide its neighbour."
                .to_owned(),
        ),
        Paging::Cursor(Cursor { .. }) => Some(
            "However many there are, from each page to the next by the service's own cursor. \
             Whether what arrives meanwhile is among them is the service's affair."
                .to_owned(),
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::declare::{Answer, TimeKey};

    const OFFSET: Offset = Offset::new(100).window(10_000).total("total");

    fn words(paging: &'static Paging) -> Option<String> {
        let action = Action::new("a.list", "", "", "GET", "/a");
        of(&action.answer(Answer::List("a", paging)))
    }

    #[test]
    fn a_list_says_how_far_it_reaches() {
        static PLAIN: Paging = Paging::Offset(OFFSET);
        static BY_TIME: Paging =
            Paging::Offset(OFFSET.by_time(
                TimeKey::new("created_at", "since", "until", 0).oldest_first("sort", "up"),
            ));
        static ENDLESS: Paging = Paging::Offset(Offset::new(100));
        static CUT: Paging = Paging::Limit("limit", 50);
        assert!(words(&PLAIN).unwrap().starts_with("At most 10000 records"));
        assert!(words(&ENDLESS).unwrap().starts_with("However many there are. None"));
        assert!(words(&BY_TIME).unwrap().contains("(created_at), unless another order"));
        assert!(words(&CUT).unwrap().contains("50 records at most"));
    }

    #[test]
    fn what_has_no_pages_and_what_runs_its_own_code_says_nothing() {
        static WHOLE: Paging = Paging::None;
        static PLAIN: Paging = Paging::Offset(OFFSET);
        assert!(words(&WHOLE).is_none());
        let action = Action::new("a.list", "", "", "GET", "/a").run(Run::Custom);
        assert!(of(&action.answer(Answer::List("a", &PLAIN))).is_none());
    }
}
