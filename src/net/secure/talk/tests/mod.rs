//! Two sides over real sockets, and one side against a hand-made bad one.
