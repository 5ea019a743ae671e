//! The types and the published schemas define the same documents.

mod agreement;
mod builders;
mod generate;
mod json;
mod published;
