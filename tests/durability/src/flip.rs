//! Every byte of a small store changed in turn, and every file of it cut short.
