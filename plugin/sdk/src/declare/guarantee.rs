//! The guarantee of a long list, in words. It follows from how the list is paged, as implemented by
//! the listings in [`node`](crate::node).

use super::{Action, Cursor, Offset, Paging, Run, TimeKey};

/// The guarantee of an action that lists records; `None` if it has no pages or runs its own code.
pub(super) fn of(action: &Action) -> Option<String> {
    let (_, paging) = action.route.answer.list()?;
    if action.run != Run::Declared {
        return None;
    }
    match paging {
        Paging::None => None,
        Paging::Limit(_, most) => {
            Some(format!(
                "At most {most} records: the service does not return more. If more are requested, \
                 the action returns these and then fails instead of ending early."
            ))
        }
        Paging::Offset(Offset { window: None, .. }) => Some(
            "All records. No record is repeated, and none is missed if others are added meanwhile. \
             If a record is deleted meanwhile, another one may be missed."
                .to_owned(),
        ),
        Paging::Offset(Offset { window: Some(window), .. }) => Some(match action.ranges.first() {
            None => format!(
                "At most {window} records. If there are more, the action returns these and then \
                 fails instead of ending early. No record is repeated, and none is missed if others \
                 are added meanwhile. If a record is deleted meanwhile, another one may be missed.",
            ),
            Some(range) => {
                let order = match range.oldest_first {
                    Some(_) => ", unless another order is requested",
                    None => "",
                };
                format!(
                    "All records: beyond {window} records, the action continues by their time \
                     ({}){order}. No record is repeated, and none is missed if others are added \
                     meanwhile.{}",
                    range.field,
                    stretches(range)
                )
            }
        }),
        Paging::Page(_) | Paging::Link(_) | Paging::NextUrl(_) => Some(
            "All records, page by page. No record with an ID is repeated. If a record is deleted \
             meanwhile, another one may be missed."
                .to_owned(),
        ),
        Paging::Cursor(Cursor { .. }) => Some(format!(
            "All records, with the service's cursor. The service determines whether records that \
             are added meanwhile are included.{}",
            action.ranges.first().map_or_else(String::new, stretches)
        )),
    }
}

/// How a range longer than the service allows is listed.
fn stretches(range: &TimeKey) -> String {
    range.days.map_or_else(String::new, |days| {
        format!(" Longer time ranges are read {days} days at a time, without repeating records.")
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
    fn a_list_states_its_guarantee() {
        static PLAIN: Paging = Paging::Offset(OFFSET);
        static BY_TIME: [TimeKey; 1] =
            [TimeKey::new("created_at", "since", "until", 0).oldest_first("sort", "up").days(31)];
        static ENDLESS: Paging = Paging::Offset(Offset::new(100));
        static CUT: Paging = Paging::Limit("limit", 50);
        assert!(words(&PLAIN).unwrap().starts_with("At most 10000 records"));
        assert!(words(&ENDLESS).unwrap().starts_with("All records. No record"));
        let action = Action::new("a.list", "", "", "GET", "/a").ranges(&BY_TIME);
        let by_time = of(&action.answer(Answer::List("a", &PLAIN))).unwrap();
        assert!(by_time.contains("(created_at), unless another order"), "{by_time}");
        assert!(by_time.contains("31 days at a time"), "{by_time}");
        assert!(words(&CUT).unwrap().starts_with("At most 50 records"));
    }

    #[test]
    fn an_action_without_pages_or_with_custom_code_states_no_guarantee() {
        static WHOLE: Paging = Paging::None;
        static PLAIN: Paging = Paging::Offset(OFFSET);
        assert!(words(&WHOLE).is_none());
        let action = Action::new("a.list", "", "", "GET", "/a").run(Run::Custom);
        assert!(of(&action.answer(Answer::List("a", &PLAIN))).is_none());
    }
}
