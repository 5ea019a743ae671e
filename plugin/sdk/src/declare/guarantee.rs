//! What a long list is sure of, in words. It follows from how the list is paged, as the listings in
//! [`node`](crate::node) do it.

use super::{Action, Cursor, Offset, Paging, Run, TimeKey};

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
        Paging::Offset(Offset { window: Some(window), .. }) => Some(match action.ranges.first() {
            None => format!(
                "At most {window} records: where there are more, it hands those over and then fails, \
                 so that it never ends early in silence. None comes twice, and none is missed while \
                 others arrive; one that is removed meanwhile may hide its neighbour.",
            ),
            Some(range) => {
                let order = match range.oldest_first {
                    Some(_) => ", unless another order was asked for",
                    None => "",
                };
                format!(
                    "However many there are: beyond {window} records it goes on by their time \
                     ({}){order}. None comes twice, and none is missed while others arrive.{}",
                    range.field,
                    stretches(range)
                )
            }
        }),
        Paging::Page(_) | Paging::Link(_) | Paging::NextUrl(_) => Some(
            "However many there are, page after page. No record that has an ID comes twice. One that \
             is removed meanwhile may hide its neighbour."
                .to_owned(),
        ),
        Paging::Cursor(Cursor { .. }) => Some(format!(
            "However many there are, from each page to the next by the service's own cursor. \
             Whether what arrives meanwhile is among them is the service's affair.{}",
            action.ranges.first().map_or_else(String::new, stretches)
        )),
    }
}

/// How a range is listed that is longer than the service allows.
fn stretches(range: &TimeKey) -> String {
    range.days.map_or_else(String::new, |days| {
        format!(" Longer time ranges are read {days} days at a time; no record comes twice.")
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::declare::Answer;

    const OFFSET: Offset = Offset::new(100).window(10_000).total("total");

    fn words(paging: &'static Paging) -> Option<String> {
        let action = Action::new("a.list", "", "", "GET", "/a");
        of(&action.answer(Answer::List("a", paging)))
    }

    #[test]
    fn a_list_says_how_far_it_reaches() {
        static PLAIN: Paging = Paging::Offset(OFFSET);
        static BY_TIME: [TimeKey; 1] =
            [TimeKey::new("created_at", "since", "until", 0).oldest_first("sort", "up").days(31)];
        static ENDLESS: Paging = Paging::Offset(Offset::new(100));
        static CUT: Paging = Paging::Limit("limit", 50);
        assert!(words(&PLAIN).unwrap().starts_with("At most 10000 records"));
        assert!(words(&ENDLESS).unwrap().starts_with("However many there are. None"));
        let action = Action::new("a.list", "", "", "GET", "/a").ranges(&BY_TIME);
        let by_time = of(&action.answer(Answer::List("a", &PLAIN))).unwrap();
        assert!(by_time.contains("(created_at), unless another order"), "{by_time}");
        assert!(by_time.contains("31 days at a time"), "{by_time}");
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
