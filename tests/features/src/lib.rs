//! Contains no code. The manifest unifies the features of dependencies across the workspace; its
//! comments explain why and how.
